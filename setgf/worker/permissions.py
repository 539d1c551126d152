"""Sharing a home with a Unix group, and taking it back.

In a shared home every member may look, queue, cancel and edit; a job runs as the user whose worker
claims it. A config is data, so a member can have others' workers train, never run code of their
own; what a worker does beyond training (`notify.toml`) is read only from its own user's file.
"""

from __future__ import annotations

import grp
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from setgf.errors import ConfigError
from setgf.home import Home

SHARED_FOLDER, SHARED_FILE = 0o2770, 0o660
PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600


@dataclass(frozen=True, slots=True)
class Change:
    """What sharing or its end did."""

    num_files: int
    num_refused: int
    """Files of other users, which only these can change."""


def share(home: Home, group: str) -> Change:
    """Give a Unix group the home: folders 2770, files 0660; what holds secrets stays private.

    Raises:
        ConfigError: there is no such group, or the user is not in it.
    """
    number = _find_group(group)
    home.root.mkdir(parents=True, exist_ok=True)
    return _set_all(home, number, SHARED_FOLDER, SHARED_FILE)


def make_private(home: Home) -> Change:
    """Take the home back: folders 0700, files 0600, of the user's own group."""
    return _set_all(home, os.getegid(), PRIVATE_FOLDER, PRIVATE_FILE)


def group_name(number: int) -> str:
    """Return the name of a Unix group, or its number."""
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _find_group(name: str) -> int:
    try:
        number = grp.getgrnam(name).gr_gid
    except KeyError:
        raise ConfigError(f"There is no Unix group `{name}`. See `getent group`.") from None
    if os.geteuid() != 0 and number not in {os.getegid(), *os.getgroups()}:
        raise ConfigError(
            f"You are not in the Unix group `{name}`; have yourself added with "
            f"`usermod -aG {name} $USER` and log in again."
        )
    return number


def _set_all(home: Home, group: int, folder_mode: int, file_mode: int) -> Change:
    """Set group and mode of everything in the home; links are left alone, and not followed."""
    changed = refused = 0
    for path, status in _everything(home.root):
        is_folder = stat.S_ISDIR(status.st_mode)
        is_secret = path.parent == home.root and path.name.startswith("notify.")
        mode = folder_mode if is_folder else PRIVATE_FILE if is_secret else file_mode
        try:
            os.chown(path, -1, group, follow_symlinks=False)
            path.chmod(mode)  # after the group: changing that takes the setgid bit away
        except PermissionError:
            refused += 1
        else:
            changed += not is_folder
    return Change(changed, refused)


def _everything(root: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield folders and plain files, a folder before what is in it."""
    yield root, root.lstat()
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder) / name
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode):
                yield path, status
