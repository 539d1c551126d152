"""Checkpoints that are whole or not there, and known to be whole.

In the checkpoint folder of an attempt:

    last-<step>.pt      everything a resume needs; the newest two are kept
    best-<epoch>.pt     weights of the best epoch; kept while a `last` names it
    manifest.json       role, file, epoch, step, size and sha256 of each; written last

A file is written under another name, flushed to disk and renamed; what the manifest does not name
does not exist, so a crash between any two writes leaves the state before. A file that differs from
its hash is passed over for the one before it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import IO, Any, cast

import torch

from setgf.errors import CheckpointError
from setgf.runs.atomic import create, explain, is_plain_name, sync_folder, write_json

MANIFEST = "manifest.json"
KEPT = 2
"""Newest `last` checkpoints that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointEntry:
    """A line of the manifest."""

    role: str
    """`last` or `best`."""
    file: str
    epoch: int
    step: int
    """Optimizer steps made when it was written."""
    size: int
    """Bytes."""
    sha256: str
    best: str | None = None
    """Of a `last`: the best checkpoint that goes with it."""


class CheckpointFolder:
    """The checkpoints of one attempt, of one experiment on one data set."""

    def __init__(self, path: Path, *, fingerprint: str, data_fingerprint: str) -> None:
        self.path = path
        self.owner = {"fingerprint": fingerprint, "data_fingerprint": data_fingerprint}

    def entries(self) -> tuple[CheckpointEntry, ...]:
        """Return what the manifest names, oldest first; nothing when there is no manifest.

        Raises:
            CheckpointError: the manifest can't be read, or belongs to another experiment.
        """
        manifest = self.path / MANIFEST
        if not manifest.exists():
            return ()
        try:
            plain = json.loads(manifest.read_text(encoding="utf-8"))
            entries = tuple(CheckpointEntry(**entry) for entry in plain["checkpoints"])
            owner = {name: plain[name] for name in self.owner}
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise CheckpointError(
                f"The list of checkpoints {manifest} can't be read: {error}. Start the run anew."
            ) from error
        self._check_names(entries)
        self._check_owner(owner)
        return entries

    def write(
        self,
        state: Mapping[str, Any],
        *,
        role: str,
        epoch: int,
        step: int,
        best: str | None = None,
    ) -> CheckpointEntry:
        """Write a checkpoint; it counts only once `publish` has named it.

        Args:
            state: tensors and plain data only.
            role: `last` or `best`.
            epoch: epoch it belongs to.
            step: optimizer steps made.
            best: of a `last`, the file of the best weights that go with it.

        Raises:
            RunFolderError: the disk is full or the folder can't be written; earlier checkpoints
                are unharmed.
        """
        name = f"last-{step:08d}.pt" if role == "last" else f"best-{epoch:04d}.pt"
        temporary = self.path / f".{name}.partial"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with os.fdopen(create(temporary), "wb") as file:
                sink = _HashingFile(file)
                _save(dict(state), sink)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(self.path / name)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise explain(error, self.path / name) from error
        return CheckpointEntry(
            role=role,
            file=name,
            epoch=epoch,
            step=step,
            size=sink.size,
            sha256=sink.digest(),
            best=best,
        )

    def publish(self, entries: tuple[CheckpointEntry, ...]) -> tuple[CheckpointEntry, ...]:
        """Name the checkpoints worth keeping in the manifest, then remove all others.

        Raises:
            RunFolderError: the disk is full; what was named before still is.
        """
        lasts = sorted((e for e in entries if e.role == "last"), key=lambda e: e.step)[-KEPT:]
        named = {entry.best for entry in lasts}
        bests = [entry for entry in entries if entry.role == "best" and entry.file in named]
        kept = (*sorted(bests, key=lambda entry: entry.epoch), *lasts)
        plain = {"format": 1, **self.owner, "checkpoints": [asdict(entry) for entry in kept]}
        sync_folder(self.path)
        write_json(self.path / MANIFEST, plain)
        files = {entry.file for entry in kept}
        for stale in self.path.glob("*.pt"):
            if stale.name not in files:
                stale.unlink()
        return kept

    def adopt(self, earlier: CheckpointFolder, last: CheckpointEntry) -> None:
        """Take over a `last` of an earlier attempt with its best; linked, not copied, if it can."""
        self.path.mkdir(parents=True, exist_ok=True)
        wanted = {last.file, last.best}
        taken = tuple(entry for entry in earlier.entries() if entry.file in wanted)
        for entry in taken:
            source, target = earlier.path / entry.file, self.path / entry.file
            if not target.exists():
                _link_or_copy(source, target)
        self.publish(taken)

    def load(self, entry: CheckpointEntry) -> dict[str, Any]:
        """Read a checkpoint onto the CPU.

        Raises:
            CheckpointError: the file is missing, damaged, or of another experiment.
        """
        path = self.path / entry.file
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest != entry.sha256:
                raise CheckpointError(
                    f"The checkpoint {path} is damaged: its SHA-256 is {digest[:12]}..., "
                    f"but was {entry.sha256[:12]}... when it was written."
                )
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, UnpicklingError, EOFError) as error:
            raise CheckpointError(f"The checkpoint {path} can't be read: {error}.") from error
        self._check_owner(state)
        return state

    def candidates(self) -> Iterator[CheckpointEntry]:
        """Yield the `last` checkpoints, newest first."""
        lasts = [entry for entry in self.entries() if entry.role == "last"]
        yield from sorted(lasts, key=lambda entry: -entry.step)

    def find(self, file: str) -> CheckpointEntry:
        """Return the entry of a file.

        Raises:
            CheckpointError: the manifest does not name it.
        """
        for entry in self.entries():
            if entry.file == file:
                return entry
        raise CheckpointError(f"There is no checkpoint `{file}` in {self.path}.")

    def _check_names(self, entries: Iterable[CheckpointEntry]) -> None:
        """Refuse files outside of this folder."""
        for name in (name for entry in entries for name in (entry.file, entry.best) if name):
            if not is_plain_name(name):
                raise CheckpointError(
                    f"The list of checkpoints {self.path / MANIFEST} names `{name}`, but a file in "
                    "its own folder was expected. Start the run anew."
                )

    def _check_owner(self, found: Mapping[str, Any]) -> None:
        for name, word in (("fingerprint", "experiment"), ("data_fingerprint", "data")):
            if found.get(name) != self.owner[name]:
                raise CheckpointError(
                    f"The checkpoint in {self.path} is of another {word}: its fingerprint is "
                    f"{found.get(name)}, but this run's is {self.owner[name]}. "
                    "Start a new run instead of resuming this one."
                )


class _HashingFile:
    """A file that knows the hash of what was written, and remembers why a write failed."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        """Write and hash."""
        try:
            self._file.write(data)
        except OSError as error:
            self.error = error
            raise
        self._hash.update(data)
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Hand over to the system."""
        self._file.flush()

    def digest(self) -> str:
        """Return the SHA-256 of everything written, in hex."""
        return self._hash.hexdigest()


def _save(state: dict[str, Any], sink: _HashingFile) -> None:
    """Save, and let a full disk be told as such instead of as torch's consequence of it."""
    try:
        torch.save(state, cast(IO[bytes], sink))
    except RuntimeError:
        if sink.error is not None:
            raise sink.error from None
        raise


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        temporary = target.with_name(f".{target.name}.partial")
        temporary.write_bytes(source.read_bytes())
        temporary.rename(target)
