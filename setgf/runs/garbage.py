"""What can go to make room, by a policy. Ended runs only; `remove_checkpoints` alone removes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from setgf.errors import RunFolderError
from setgf.runs.atomic import explain, is_plain_name, read_json, write_json
from setgf.runs.folder import AttemptFolder, RunFolder

BEST, LAST = "best", "last"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Which checkpoints are worth their room."""

    keep_best: bool = True
    """The weights of the best epoch stay."""
    keep_last: int = 1
    """Newest checkpoints of a run that stay, so that it can go on."""


@dataclass(frozen=True, slots=True)
class Waste:
    """A file or a folder that can go."""

    kind: str
    """`checkpoints`, `leftovers`, `trash` or `caches`."""
    path: Path
    run_id: str | None
    why: str


def find_checkpoints(run: RunFolder, policy: Policy) -> list[Waste]:
    """Return the checkpoint files of an ended run that the policy does not keep.

    Raises:
        RunFolderError: a list of checkpoints can't be read.
    """
    entries = [(attempt, entry) for attempt in run.attempts() for entry in _entries(attempt)]
    kept = _kept(entries, policy)
    found = [
        Waste("checkpoints", path, run.id, f"{entry['role']} of epoch {entry['epoch']}")
        for attempt, entry in entries
        if (path := attempt.checkpoints / str(entry["file"])) not in kept and path.exists()
    ]
    return found + list(_leftovers(run))


def remove_checkpoints(run: RunFolder, waste: Iterable[Waste]) -> dict[int, list[str]]:
    """Remove checkpoint files; each manifest is written anew first. Hold the run's lock meanwhile.

    Returns:
        By attempt number: the names of the files that its manifest still names.

    Raises:
        RunFolderError: the system refuses; what the manifests name is whole.
    """
    gone = {item.path for item in waste}
    left: dict[int, list[str]] = {}
    for attempt in run.attempts():
        entries = _entries(attempt)
        rest = [entry for entry in entries if attempt.checkpoints / str(entry["file"]) not in gone]
        left[attempt.number] = [str(entry["file"]) for entry in rest]
        if len(rest) == len(entries):
            continue
        if rest:
            write_json(attempt.manifest, {**read_json(attempt.manifest), "checkpoints": rest})
        else:
            _unlink(attempt.manifest)
    for path in gone:
        _unlink(path)
    return left


def measure(paths: Sequence[Path]) -> int:
    """Return the bytes that removing all of these frees: files with a link elsewhere free none."""
    seen: dict[tuple[int, int], tuple[int, int, int]] = {}
    for path in paths:
        for file in _files(path):
            try:
                status = file.lstat()
            except OSError:
                continue
            key = (status.st_dev, status.st_ino)
            times = seen[key][0] + 1 if key in seen else 1
            seen[key] = (times, status.st_nlink, status.st_size)
    return sum(size for times, links, size in seen.values() if times >= links)


def _kept(entries: Sequence[tuple[AttemptFolder, dict[str, Any]]], policy: Policy) -> set[Path]:
    """Return the files that stay: the newest, the best, and what the newest need to go on."""
    lasts = [(a, e) for a, e in entries if e["role"] == LAST]
    lasts.sort(key=lambda pair: (int(pair[1]["step"]), pair[0].number), reverse=True)
    chosen = lasts[: policy.keep_last]
    kept = {attempt.checkpoints / str(entry["file"]) for attempt, entry in chosen}
    kept |= {a.checkpoints / str(e["best"]) for a, e in chosen if e.get("best")}
    bests = [(a, e) for a, e in entries if e["role"] == BEST]
    if policy.keep_best and bests:
        attempt, entry = max(bests, key=lambda pair: (pair[0].number, int(pair[1]["epoch"])))
        kept.add(attempt.checkpoints / str(entry["file"]))
    return kept


def _leftovers(run: RunFolder) -> Iterator[Waste]:
    """Yield files in checkpoint folders that no manifest names: a crash left them."""
    for attempt in run.attempts():
        if not attempt.checkpoints.is_dir():
            continue
        named = {str(entry["file"]) for entry in _entries(attempt)}
        for path in sorted(attempt.checkpoints.iterdir()):
            is_checkpoint = path.suffix == ".pt" or path.name.endswith(".partial")
            if is_checkpoint and path.is_file() and path.name not in named:
                yield Waste("leftovers", path, run.id, "in no list of checkpoints")


def _entries(attempt: AttemptFolder) -> list[dict[str, Any]]:
    if not attempt.has_checkpoint():
        return []
    entries: list[dict[str, Any]] = list(read_json(attempt.manifest).get("checkpoints") or ())
    for entry in entries:
        for name in (str(entry["file"]), str(entry.get("best") or "none")):
            if not is_plain_name(name):
                raise RunFolderError(
                    f"{attempt.manifest} names `{name}`, but a file in its own folder was "
                    "expected; nothing is removed."
                )
    return entries


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir() and not path.is_symlink():
        for folder, _, names in os.walk(path):
            yield from (Path(folder) / name for name in names)
    else:
        yield path


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise explain(error, path) from error
