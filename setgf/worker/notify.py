"""Whom to tell that jobs have ended: the file that says so, and the ways there.

`notify.toml` in the home is private (0600, of the worker's own user) because its URLs hold
passwords and its command is run; nothing of it goes into the database, a log or an error.
"""

from __future__ import annotations

import logging
import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from setgf.errors import ConfigError, WorkerError
from setgf.home import Home, user_name

KINDS = ("finished", "failed", "queue_empty")
TEST = "test"
HOOK_SECONDS = 30.0
LONGEST_HOOK_SECONDS = 600.0
TEMPLATE = """\
# Whom setgf tells when jobs end. Keep this file private (mode 0600): the URLs hold passwords.
# Try it with `setgf worker notify --test`; a running worker takes changes over by itself.

# What is told: "finished", "failed", "queue_empty".
on = ["finished", "failed", "queue_empty"]

# Where to: URLs of Apprise (pip install "setgf[notify]"; see https://appriseit.com/services/).
urls = [
    # "ntfy://ntfy.sh/a-name-nobody-guesses",
    # "mailto://user:password@example.org",
]

# A program of yours, without a shell. It gets the event as JSON on standard input and in variables
# (SETGF_EVENT, SETGF_JOB_ID, SETGF_JOB_NAME, SETGF_RUN_ID, SETGF_STATE, SETGF_ERROR), and so many
# seconds.
# [hook]
# command = ["/usr/bin/logger", "-t", "setgf"]
# seconds = 30
"""

log = logging.getLogger("setgf.worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `notify.toml` says."""

    on: frozenset[str] = frozenset(KINDS)
    urls: tuple[str, ...] = ()
    hook: tuple[str, ...] = ()
    """Program and arguments; empty for none."""
    hook_seconds: float = HOOK_SECONDS

    @property
    def has_any(self) -> bool:
        """True when somebody is told anything."""
        return bool(self.on and (self.urls or self.hook))


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Something worth telling."""

    kind: str
    """One of `KINDS`, or `test`."""
    title: str
    text: str
    details: Mapping[str, Any]
    """Plain data: what a hook gets."""


def read_settings(home: Home) -> Settings | None:
    """Read `notify.toml`; None when there is none.

    Raises:
        ConfigError: it is not private, or not as expected; no value of it is told.
    """
    path = home.notify
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror or error}.") from error
    with os.fdopen(handle, "rb") as file:
        _check_private(path, os.fstat(file.fileno()))
        try:
            plain = tomllib.load(file)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} must be TOML, but can't be parsed: {error}.") from None
    return _settings(path, plain)


def write_template(home: Home) -> Path:
    """Write a `notify.toml` to fill in, private from its first moment; return it.

    Raises:
        ConfigError: there is one.
    """
    home.root.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(home.notify, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise ConfigError(f"{home.notify} is there already; edit it.") from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(TEMPLATE)
    return home.notify


def send(url: str, news: News) -> None:
    """Tell news to one Apprise URL.

    Raises:
        WorkerError: it did not go; says which kind of URL it is, never more of it.
    """
    library: Any = load_apprise()
    sender = library.Apprise()
    try:
        if not sender.add(url):
            raise WorkerError(
                f"The address `{mask(url)}` is none that Apprise knows; see "
                "https://appriseit.com/services/."
            )
        if not sender.notify(title=news.title, body=news.text):
            raise WorkerError(
                f"`{mask(url)}` could not be told: the service did not take it. Check the address "
                "in `notify.toml` and the network."
            )
    except WorkerError:
        raise
    except Exception as error:  # noqa: BLE001 - a plugin of any service; its words may hold the URL
        raise WorkerError(f"`{mask(url)}` could not be told: {type(error).__name__}.") from None


def load_apprise() -> Any:
    """Return the library, which is kept from logging: it would name addresses.

    Raises:
        WorkerError: it is not installed.
    """
    try:
        import apprise  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        raise WorkerError(
            "Notifying by URL needs Apprise, which is not installed. Install it with "
            '`pip install "setgf[notify]"`.'
        ) from None
    logger = logging.getLogger("apprise")
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    return apprise


def mask(url: str) -> str:
    """Return what may be shown of a URL: which service it is.

    >>> mask("mailto://ada:secret@example.org")
    'mailto://***'
    """
    scheme, mark, _ = url.partition("://")
    return f"{scheme}://***" if mark and scheme.isalnum() else "***"


def _check_private(path: Path, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise ConfigError(
            f"{path} belongs to `{user_name(status.st_uid)}`, but the worker runs as "
            f"`{user_name(os.geteuid())}`; its command would run as another user than wrote it. "
            "Write your own."
        )
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(
            f"{path} holds passwords, but others may read it (mode "
            f"{stat.S_IMODE(status.st_mode):04o}). Say `chmod 600 {path}`."
        )


def _settings(path: Path, plain: Mapping[str, Any]) -> Settings:
    _check_names(path, plain, ("on", "urls", "hook"))
    hook: Any = plain.get("hook", {})
    if not isinstance(hook, dict):
        raise ConfigError(f"`hook` in {path} must be a table with `command`.")
    table = cast(dict[str, Any], hook)
    _check_names(path, table, ("command", "seconds"), prefix="hook.")
    on = _words(path, "on", plain.get("on", list(KINDS)))
    for word in on:
        if word not in KINDS:
            raise ConfigError(f"`on` in {path} must be of {', '.join(KINDS)}, but has `{word}`.")
    seconds: Any = table.get("seconds", HOOK_SECONDS)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise ConfigError(f"`hook.seconds` in {path} must be a number.")
    if not 0 < seconds <= LONGEST_HOOK_SECONDS:
        raise ConfigError(
            f"`hook.seconds` in {path} must be above 0 and {LONGEST_HOOK_SECONDS:.0f} at most, but "
            f"is {seconds}."
        )
    return Settings(
        on=frozenset(on),
        urls=_words(path, "urls", plain.get("urls", [])),
        hook=_words(path, "hook.command", table.get("command", [])),
        hook_seconds=float(seconds),
    )


def _check_names(
    path: Path, plain: Mapping[str, Any], known: tuple[str, ...], *, prefix: str = ""
) -> None:
    for name in plain:
        if name not in known:
            raise ConfigError(
                f"Unknown setting `{prefix}{name}` in {path}; expected {', '.join(known)}."
            )


def _words(path: Path, name: str, value: Any) -> tuple[str, ...]:
    words = cast(list[Any], value) if isinstance(value, list) else None
    if words is None or not all(isinstance(word, str) and word for word in words):
        raise ConfigError(f"`{name}` in {path} must be a list of texts.")
    return tuple(str(word) for word in words)
