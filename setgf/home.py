"""Where everything lives: one folder, named by `SETGF_HOME`, and who may use it.

A home is private (folders 0700, files 0600), or shared with a Unix group: its folder is setgid and
the group may write (2770, files 0660). The folder's own mode says which; `setgf home share` sets
it. Whatever the user's umask is, commands create files by the home's kind (`set_umask`).
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from setgf.errors import ConfigError, RunFolderError

HOME_VARIABLE = "SETGF_HOME"
DATABASE_VARIABLE = "SETGF_DATABASE_URL"
PRIVATE_UMASK = 0o077
SHARED_UMASK = 0o007
_SHARED_BITS = stat.S_ISGID | stat.S_IRWXG
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_umasks: list[int] = []
"""The umask this process was started with, once `set_umask` has replaced it."""


@dataclass(frozen=True, slots=True)
class Home:
    """The folder that holds the run database, the feature stores and the run folders."""

    root: Path

    @property
    def data(self) -> Path:
        """Folder of the feature stores, one folder a store."""
        return self.root / "data"

    @property
    def runs(self) -> Path:
        """Folder of the run folders, one a run."""
        return self.root / "runs"

    @property
    def workers(self) -> Path:
        """Folder of worker logs and locks."""
        return self.root / "workers"

    @property
    def cache(self) -> Path:
        """Folder of what can be computed again."""
        return self.root / "cache"

    @property
    def notify(self) -> Path:
        """File that says whom to notify; private even in a shared home."""
        return self.root / "notify.toml"

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the run database: `SETGF_DATABASE_URL`, else a file in this folder."""
        return os.environ.get(DATABASE_VARIABLE) or f"sqlite:///{self.root / 'setgf.db'}"

    @property
    def is_shared(self) -> bool:
        """True when a Unix group may work here, too."""
        try:
            mode = self.root.stat().st_mode
        except OSError:
            return False
        return mode & _SHARED_BITS == _SHARED_BITS

    def run_path(self, run_id: str) -> Path:
        """Return the folder of a run.

        Raises:
            RunFolderError: `run_id` is none: it could lead out of the folder of runs.
        """
        if _RUN_ID.fullmatch(run_id) is None:
            raise RunFolderError(
                f"`{run_id}` is no run id: letters and digits are expected, 64 at most."
            )
        return self.runs / run_id


def find_home() -> Home:
    """Return the home named by `SETGF_HOME`, else the platform's user data folder.

    Raises:
        ConfigError: it is somebody else's, or everybody may write there.
    """
    home = named_home()
    check_owner(home)
    return home


def named_home() -> Home:
    """Return the home that is named, whoever's it is; it need not be there."""
    named = os.environ.get(HOME_VARIABLE)
    if named:
        return Home(Path(named).expanduser().absolute())
    from platformdirs import user_data_path  # loaded only when the variable is not set

    return Home(user_data_path("setgf", appauthor=False))


def check_owner(home: Home) -> None:
    """Refuse a home that is somebody else's, or that everybody may write into.

    Raises:
        ConfigError: says whose it is and what to do.
    """
    try:
        status = home.root.stat()
    except OSError:  # not there yet, or the first use says what is wrong
        return
    if status.st_mode & stat.S_IWOTH:
        raise ConfigError(
            f"Everybody on this machine may write into {home.root}, so anybody could put work and "
            f"records there. Take that away with `chmod o-w {home.root}`; to share it with a Unix "
            "group, go on with `setgf home share --group GROUP`."
        )
    is_member = home.is_shared and status.st_gid in {os.getegid(), *os.getgroups()}
    if status.st_uid != os.geteuid() and not is_member:
        owner, user = user_name(status.st_uid), user_name(os.geteuid())
        raise ConfigError(
            f"{home.root} belongs to `{owner}`, but you are `{user}`. Name a folder of your own "
            f"with $SETGF_HOME, work as `{owner}`, or have it shared with a Unix group of yours: "
            "`setgf home share --group GROUP`."
        )


def set_umask() -> None:
    """Create files from here on as the home's kind wants it: private, or the group's as well."""
    umask = SHARED_UMASK if named_home().is_shared else PRIVATE_UMASK
    before = os.umask(umask)
    if not _umasks:
        _umasks.append(before)


@contextmanager
def users_umask() -> Generator[None]:
    """Create files as the user's own umask wants it: for those that leave the home."""
    if not _umasks:
        yield
        return
    ours = os.umask(_umasks[0])
    try:
        yield
    finally:
        os.umask(ours)


def user_name(number: int) -> str:
    """Return the login name of a user, or the number of one without."""
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
