"""A TOML file of many jobs: read whole, checked whole, and only then queued.

Keys before the first `[[job]]` are the defaults of every job; `[settings]` too.

    data = "mosi"
    group = "ablations"

    [settings]
    max_epochs = 20

    [[job]]
    name = "baseline"
    seeds = "1111-1115"

    [[job]]
    name = "learning rates"
    model = ["setgf", "self_mm"]
    settings = { "train.patience" = 5 }
    grid = { "optim.lr" = [1e-4, 5e-4] }
    after = ["baseline"]              # an earlier job of this file; or ids: 12, "7-9:any"

Keys: name data model seeds preset settings grid group priority gpus memory time_limit at in retries
hold after tags; values as the options of `setgf queue add` take them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, cast

from setgf.config import parse_seeds
from setgf.config.settings import flatten_plain, full_name
from setgf.errors import ConfigError
from setgf.worker.quantities import (
    parse_gpus,
    parse_memory,
    parse_moment,
    parse_needed,
    parse_seconds,
)
from setgf.worker.submit import Request

_T = TypeVar("_T")
DEFAULT_RETRIES = 2
_JOB_HEADER = re.compile(r"^\s*\[\[\s*job\s*\]\]")
_KEYS = (
    "name",
    "data",
    "model",
    "seeds",
    "preset",
    "settings",
    "grid",
    "group",
    "priority",
    "gpus",
    "memory",
    "time_limit",
    "at",
    "in",
    "retries",
    "hold",
    "after",
    "tags",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileJob:
    """One `[[job]]` of a file."""

    where: str
    """`jobs.toml:12 (baseline)`."""
    name: str | None
    request: Request
    group: str | None
    after_names: tuple[tuple[str, str], ...]
    """Names of earlier jobs of the file that it waits for, each with `ok` or `any`."""


def read_jobs_file(path: Path, *, now: float) -> tuple[FileJob, ...]:
    """Read a file of jobs.

    Raises:
        ConfigError: it can't be read, or jobs in it can't be; all problems at once, each with its
            line and the job's name.
    """
    text = _read(path)
    try:
        plain = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_syntax(path, str(error))) from error
    problems: list[str] = []
    defaults = {key: value for key, value in plain.items() if key != "job"}
    _check_keys(defaults, f"{path}:1", problems)
    entries = plain.get("job", [])
    if not isinstance(entries, list) or not entries:
        raise ConfigError(
            f"{path} has no jobs; each begins with a line `[[job]]`. See `setgf queue add --help`."
        )
    lines = [n for n, line in enumerate(text.splitlines(), 1) if _JOB_HEADER.match(line)]
    found: list[FileJob] = []
    for number, entry in enumerate(cast(list[Any], entries)):
        line = lines[number] if number < len(lines) else 1
        job = _read_job(path, line, entry, defaults, problems, now=now)
        if job is not None:
            _check_names(job, found, problems)
            found.append(job)
    if problems:
        raise ConfigError("\n".join(problems))
    return tuple(found)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"The file of jobs {path} can't be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"The file of jobs {path} is not text in UTF-8.") from error


def _syntax(path: Path, said: str) -> str:
    place = re.search(r"\(at line (\d+), column \d+\)", said)
    line = place[1] if place else "1"
    return f"{path}:{line}: this is not TOML: {said}."


def _check_keys(plain: Mapping[str, Any], where: str, problems: list[str]) -> None:
    for key in plain:
        if key not in _KEYS:
            near = get_close_matches(key, _KEYS, n=1)
            hint = f" Did you mean `{near[0]}`?" if near else f" Known: {', '.join(_KEYS)}."
            problems.append(f"{where}: unknown key `{key}`.{hint}")


def _check_names(job: FileJob, earlier: Sequence[FileJob], problems: list[str]) -> None:
    names = {other.name for other in earlier if other.name}
    if job.name in names:
        problems.append(f"{job.where}: an earlier job of this file has the same name.")
    problems += [
        f"{job.where}: `after` names `{name}`, but no earlier job of this file has that name."
        for name, _ in job.after_names
        if name not in names
    ]


def _read_job(
    path: Path,
    line: int,
    entry: Any,
    defaults: Mapping[str, Any],
    problems: list[str],
    *,
    now: float,
) -> FileJob | None:
    if not isinstance(entry, Mapping):
        problems.append(f"{path}: `job` must be written as `[[job]]` sections.")
        return None
    own = cast(Mapping[str, Any], entry)
    where = f"{path}:{line}" + (f" ({own['name']})" if own.get("name") else "")
    before = len(problems)
    _check_keys(own, where, problems)
    reader = _Reader({**defaults, **own}, where, problems)
    job = _build(reader, _merged(defaults, own, where, problems), where, now=now)
    return job if len(problems) == before else None


def _merged(
    defaults: Mapping[str, Any], own: Mapping[str, Any], where: str, problems: list[str]
) -> dict[str, Any]:
    """Return the settings of a job over those of the file, by full name."""
    found: dict[str, Any] = {}
    for layer in (defaults, own):
        settings = layer.get("settings", {})
        if not isinstance(settings, Mapping):
            problems.append(f"{where}: `settings` must be a table, as `{{ max_epochs = 20 }}`.")
            continue
        for name, value in flatten_plain(cast(Mapping[str, Any], settings)).items():
            try:
                found[full_name(name)] = value
            except ConfigError as error:
                problems.append(f"{where}: {error}")
    return found


def _build(reader: _Reader, settings: dict[str, Any], where: str, *, now: float) -> FileJob | None:
    name = reader.text("name")
    data = reader.text("data")
    if data is None:
        reader.refuse("`data`, the name of a feature store, is missing")
    grid = reader.grid()
    for full in grid:
        settings.pop(full, None)
    ids, ids_any, names = reader.needed()
    moment = reader.convert("at", lambda text: parse_moment(text, now=now))
    delay = reader.convert("in", parse_seconds)
    if moment is not None and delay is not None:
        reader.refuse("name either `at` or `in`, not both")
    request = Request(
        data_name=data or "",
        models=tuple(reader.words("model")) or ("setgf",),
        seeds=reader.seeds(),
        settings=settings,
        grid=grid,
        preset=reader.text("preset"),
        name=name,
        gpus=reader.convert("gpus", parse_gpus),
        memory_mib=reader.convert("memory", parse_memory),
        time_limit=reader.convert("time_limit", parse_seconds),
        not_before=now + delay if delay is not None else moment,
        priority=reader.number("priority", 0),
        max_attempts=reader.number("retries", DEFAULT_RETRIES, least=0) + 1,
        held=reader.truth("hold"),
        after=ids,
        after_any=ids_any,
        tags=tuple(reader.words("tags")),
    )
    return FileJob(
        where=where, name=name, request=request, group=reader.text("group"), after_names=names
    )


class _Reader:
    """Reads the keys of one job; what is wrong is collected, with its place."""

    def __init__(self, plain: Mapping[str, Any], where: str, problems: list[str]) -> None:
        self._plain = plain
        self._where = where
        self._problems = problems

    def refuse(self, words: str) -> None:
        """Remember a problem."""
        self._problems.append(f"{self._where}: {words.rstrip('.')}.")

    def text(self, key: str) -> str | None:
        """Return a text; None where the key is missing."""
        value = self._plain.get(key)
        if value is None or (isinstance(value, str) and value.strip()):
            return value
        self.refuse(f"`{key}` must be text in quotes, but is {value!r}")
        return None

    def number(self, key: str, default: int, *, least: int | None = None) -> int:
        """Return a whole number."""
        value = self._plain.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool):
            self.refuse(f"`{key}` must be a whole number, but is {value!r}")
            return default
        if least is not None and value < least:
            self.refuse(f"`{key}` must be {least} or more, but is {value}")
        return value

    def truth(self, key: str) -> bool:
        """Return true or false; false where the key is missing."""
        value = self._plain.get(key, False)
        if not isinstance(value, bool):
            self.refuse(f"`{key}` must be true or false, but is {value!r}")
            return False
        return value

    def words(self, key: str) -> list[str]:
        """Return a list of words, or one."""
        value = self._plain.get(key, [])
        listed = cast(list[Any], value) if isinstance(value, list) else str(value).split(",")
        if not all(isinstance(word, str) and word.strip() for word in listed):
            self.refuse(f"`{key}` must be text or a list of texts, but is {value!r}")
            return []
        return [str(word).strip() for word in listed]

    def convert(self, key: str, parse: Callable[[str], _T]) -> _T | None:
        """Return a value written as an option of `setgf queue add` takes it."""
        value = self._plain.get(key)
        if value is None:
            return None
        try:
            return parse(str(value))
        except ConfigError as error:
            self.refuse(f"`{key}`: {error}")
            return None

    def seeds(self) -> tuple[int, ...]:
        """Return the seeds: a number, a list, or text as `1111-1115`."""
        value = self._plain.get("seeds", 1111)
        text = ",".join(map(str, cast(list[Any], value))) if isinstance(value, list) else str(value)
        try:
            return parse_seeds(text)
        except ConfigError as error:
            self.refuse(str(error))
            return (0,)

    def grid(self) -> dict[str, Sequence[Any]]:
        """Return the grid: a list of values a setting."""
        value = self._plain.get("grid", {})
        if not isinstance(value, Mapping):
            self.refuse("`grid` must be a table, as `{ lr = [1e-4, 5e-4] }`")
            return {}
        found: dict[str, Sequence[Any]] = {}
        for name, tried in flatten_plain(cast(Mapping[str, Any], value)).items():
            try:
                full = full_name(name)
            except ConfigError as error:
                self.refuse(str(error))
                continue
            if not isinstance(tried, list):
                self.refuse(f"the grid over `{full}` must be a list of values, but is {tried!r}")
            found[full] = cast(list[Any], tried) if isinstance(tried, list) else [tried]
        return found

    def needed(
        self,
    ) -> tuple[tuple[int, ...], tuple[int, ...], tuple[tuple[str, str], ...]]:
        """Return what is waited for: ids for success, ids for any end, names in this file."""
        value = self._plain.get("after", [])
        listed = cast(list[Any], value) if isinstance(value, list) else [value]
        ids: list[str] = []
        names: list[tuple[str, str]] = []
        for word in map(str, listed):
            if re.fullmatch(r"[0-9][0-9,-]*(:\w+)?", word):
                ids.append(word)
                continue
            name, kind = word, "ok"
            if word.endswith((":ok", ":any")):
                name, _, kind = word.rpartition(":")
            names.append((name, kind))
        try:
            ok, end = parse_needed(ids)
        except ConfigError as error:
            self.refuse(f"`after`: {error}")
            ok, end = (), ()
        return ok, end, tuple(names)
