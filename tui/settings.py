"""What the dashboard remembers between two starts: `tui.toml`, one table a run database.

    [databases."/data/ada/setgf/setgf.db"]
    theme = "setgf-dark"
    columns = ["state", "name", "optim.lr", "test.mae"]
    sort = "test.mae"
    smoothing = 0.9

The fields of `Settings` are the schema. What is unknown or broken in the file is left out, with a
notice for the user; the rest counts. The file is replaced whole, so it is never half written.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

from setgf.home import Home, user_name

SAVE_SECONDS = 0.5
"""Changes closer together than this are written once."""
MAX_TEXT, MAX_LIST = 2_000, 20_000
HEAD = "# What setgf-tui remembers. It writes this file itself; delete it to begin anew.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a user looks at one run database; the empty text means the dashboard's own choice."""

    theme: str = ""
    """Name of the theme."""
    columns: tuple[str, ...] = ()
    """Columns of the runs, in their order: names of columns, settings and metrics."""
    sort: str = ""
    """Column the runs are sorted by."""
    reverse: bool = False
    """The largest first."""
    filter: str = ""
    """Filter in force."""
    filters: tuple[str, ...] = ()
    """Filters used before, the newest first."""
    group: str = ""
    """Name the runs are grouped by; empty for no groups."""
    folded: tuple[str, ...] = ()
    """Groups whose runs are hidden."""
    selected: tuple[str, ...] = ()
    """Ids of the selected runs."""
    baseline: str = ""
    """Id of the run that others are compared with."""
    series: str = ""
    """Metric that is drawn."""
    x_axis: str = "step"
    """What the horizontal axis counts."""
    smoothing: float = 0.9
    """Share of the past in the average, from 0 to below 1."""
    log_y: bool = False
    """The vertical axis is logarithmic."""
    seen_event: int = 0
    """Newest event that was seen on the Events screen; 0 before the first visit."""
    told_event: int = 0
    """Newest event that an alert was told of; 0 before the first start."""
    alerts_off: tuple[str, ...] = ()
    """Alerts nobody wants: failed, finished, nan, plateau, gpu, worker."""
    bell: bool = True
    """Ring the terminal's bell at an alert."""
    osc9: bool = False
    """Also show an alert as a notification of the desktop, where the terminal can (OSC 9)."""


class Remembered:
    """The settings of one run database, kept in a file where there is one.

    To be used from one thread; the file is written in another one.
    """

    def __init__(self, path: Path | None, place: str = "", *, writes: bool = True) -> None:
        """Read the settings of a run database.

        Args:
            path: the file, which need not be there; None keeps everything in memory.
            place: the run database.
            writes: False to leave the file as it is.
        """
        self._path, self._place = path, place
        self._writes = writes and path is not None
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self.notices: tuple[str, ...] = ()
        """What could not be read or written, in sentences."""
        self._settings = self._read()

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    def remember(self, settings: Settings) -> None:
        """Put other settings in force; they are written soon."""
        if settings == self._settings:
            return
        self._settings = settings
        if self._writes and self._timer is None:
            self._timer = threading.Timer(SAVE_SECONDS, self.save)
            self._timer.daemon = True
            self._timer.start()

    def save(self) -> None:
        """Write what is not written yet; a failure becomes a notice."""
        with self._lock:
            timer, self._timer = self._timer, None
            if timer is None or self._path is None:
                return
            timer.cancel()
            try:
                _replace(self._path, _with_table(self._path, self._place, self._settings))
            except OSError as error:
                self._writes = False
                self.notices += (
                    f"{self._path} can't be written ({error.strerror}): settings are remembered "
                    "until you leave only.",
                )

    def _read(self) -> Settings:
        if self._path is None:
            return Settings()
        tables, notices = _read_tables(self._path)
        settings, more = settings_from(tables.get(self._place, {}), self._path.name)
        self.notices = (*notices, *more)
        return settings


def settings_path(home: Home) -> Path:
    """Return the file; in a home that a group shares, everybody has one."""
    own = f"-{user_name(os.geteuid())}" if home.is_shared else ""
    return home.root / f"tui{own}.toml"


def settings_from(table: object, file_name: str) -> tuple[Settings, tuple[str, ...]]:
    """Return the settings that a table of the file holds, and what is wrong with it."""
    if not isinstance(table, dict):
        return Settings(), (f"{file_name}: the settings of a database must be a table.",)
    defaults = Settings()
    known = {field.name: getattr(defaults, field.name) for field in fields(Settings)}
    found: dict[str, Any] = {}
    notices: list[str] = []
    for name, value in cast("dict[str, Any]", table).items():
        if name not in known:
            notices.append(f"{file_name}: there is no setting `{name}`; it is left out.")
            continue
        problem = _problem(value, known[name])
        if problem:
            notices.append(f"{file_name}: `{name}` {problem}; the default counts.")
        elif isinstance(known[name], tuple):
            found[name] = tuple(cast("list[str]", value))
        else:
            found[name] = float(value) if isinstance(known[name], float) else value
    return Settings(**found), tuple(notices)


def to_toml(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the file's text for settings by run database."""
    lines = [HEAD]
    for place, table in tables.items():
        lines.append(f"[databases.{_quoted(place)}]")
        lines += [f"{_quoted(name)} = {_value(value)}" for name, value in table.items()]
        lines.append("")
    return "\n".join(lines)


def _problem(value: Any, default: object) -> str:
    """Return what is wrong with a value, or nothing."""
    if isinstance(default, tuple):
        is_list = isinstance(value, list) and len(cast("list[Any]", value)) <= MAX_LIST
        good = is_list and all(map(_is_text, cast("list[Any]", value)))
        return "" if good else "must be a list of texts"
    if isinstance(default, bool):
        return "" if isinstance(value, bool) else "must be true or false"
    if isinstance(default, int):
        good = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        return "" if good else f"must be a whole number, 0 or more, and it is {value!r}"
    if isinstance(default, float):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        good = is_number and 0 <= value < 1
        return "" if good else f"must be a number from 0 to below 1, and it is {value!r}"
    return "" if _is_text(value) else "must be a short text"


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT


def _read_tables(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the tables by run database, and what is wrong with the file."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}, ()
    except (OSError, UnicodeDecodeError) as error:
        return {}, (f"{path} can't be read ({error}); the defaults count.",)
    import tomllib

    try:
        tables: Any = tomllib.loads(text).get("databases", {})
    except tomllib.TOMLDecodeError as error:
        return {}, (
            f"{path} is no TOML ({error}); the defaults count. At the first change the file is set "
            f"aside as {path.name}.broken.",
        )
    return (cast("dict[str, Any]", tables) if isinstance(tables, dict) else {}), ()


def _with_table(path: Path, place: str, settings: Settings) -> str:
    """Return the file's text with these settings; those of other databases stay."""
    tables, notices = _read_tables(path)
    if notices and path.exists():
        path.replace(path.with_name(f"{path.name}.broken"))
    kept = {
        name: _writable(cast("dict[str, Any]", table))
        for name, table in tables.items()
        if isinstance(table, dict) and name != place
    }
    defaults = Settings()
    values = {field.name: getattr(settings, field.name) for field in fields(Settings)}
    changed = {name: v for name, v in values.items() if v != getattr(defaults, name)}
    return to_toml({**kept, place: changed})


def _writable(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values of a table that this module can write."""
    return {k: v for k, v in table.items() if isinstance(v, str | bool | int | float | list)}


def _replace(path: Path, text: str) -> None:
    """Replace a file whole: after a crash the old one or the new one is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8", errors="replace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, cast('list[Any]', value)))}]"
    return repr(value) if isinstance(value, int | float) else _quoted(str(value))


def _quoted(text: str) -> str:
    """Return a basic string of TOML; JSON escapes in the same way what TOML wants escaped."""
    import json

    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
