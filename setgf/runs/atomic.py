"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from setgf.errors import DiskFullError, RunFolderError


def write_atomically(path: Path, text: str, *, durable: bool = True) -> None:
    """Replace `path` by `text`: temporary file, fsync, rename, fsync of the folder.

    Args:
        path: file to replace.
        text: its new content.
        durable: survive a power cut; False is enough for what only living processes read.

    Raises:
        RunFolderError: the disk is full or the folder can't be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(create(temporary), "w", encoding="utf-8") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.rename(path)
        if durable:
            sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise explain(error, path) from error


def create(path: Path) -> int:
    """Make or empty a file, and return its handle; never one that a symbolic link puts elsewhere.

    Others who may write into a shared home could have put one there.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.open(path, flags, 0o666)


def is_plain_name(name: str) -> bool:
    """Return True for a file's name alone: no path leads elsewhere by it."""
    return Path(name).name == name


def sync_folder(folder: Path) -> None:
    """Make renames and new files of a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, value: Mapping[str, Any], *, durable: bool = True) -> None:
    """Replace `path` by a JSON object, atomically; `durable` as of `write_atomically`."""
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    write_atomically(path, text, durable=durable)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        RunFolderError: the file is missing, can't be read or is no JSON object.
    """
    try:
        value: object = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise explain(error, path) from error
    except ValueError as error:
        raise RunFolderError(f"{path} must be JSON, but can't be parsed: {error}.") from error
    if not isinstance(value, dict):
        raise RunFolderError(f"{path} must hold a JSON object, but holds {type(value).__name__}.")
    return cast(dict[str, Any], value)


def explain(error: OSError, path: Path) -> RunFolderError:
    """Return the error of ours for an error of the operating system at `path`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError(
            f"The disk is full: {path} can't be written. Free some space; "
            "what was stored until now is safe."
        )
    return RunFolderError(f"{path} can't be read or written: {error.strerror or error}.")
