"""A folder that appears whole or not at all, with a hash of everything in it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from setgf.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    from setgf.data.ragged import Array

_CHUNK_BYTES = 1 << 24
_TEMPORARY = re.compile(r"\.writing-(?P<host>.+)-(?P<pid>\d+)-[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a file must be when it is read again."""

    size: int
    """Bytes."""
    sha256: str


@dataclass(slots=True)
class FolderWriter:
    """Writes files into one folder, each flushed to the disk, and remembers their hashes."""

    folder: Path
    files: dict[str, FileFacts] = field(default_factory=dict[str, FileFacts])

    def write_array(self, name: str, values: Array) -> None:
        """Write `values` as the .npy file `name`; big-endian numbers become little-endian."""
        self.write_rows(name, [values], values.shape, values.dtype)

    def write_rows(
        self, name: str, chunks: Iterable[Array], shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        """Write the .npy file `name` of that shape from its rows, a chunk at a time."""
        import numpy as np  # looking whether a folder is there must cost no numpy

        dtype = dtype.newbyteorder("<")
        header, rows = BytesIO(), 0
        described = {"descr": dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, described)

        def parts() -> Iterator[memoryview]:
            nonlocal rows
            yield memoryview(header.getvalue())
            for chunk in chunks:
                rows += len(chunk) if shape else 1
                flat = np.ascontiguousarray(chunk, dtype).reshape(-1)
                if flat.size:
                    yield flat.view(np.uint8).data

        self._write(name, parts())
        if rows != (shape[0] if shape else 1):
            raise AssertionError(f"{name}: {rows} rows were given for the shape {shape}")

    def write_json(self, name: str, value: Any) -> None:
        """Write `value` as the JSON file `name`."""
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1)
        self._write(name, [memoryview(text.encode("utf-8", "replace"))])

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write the file `name`."""
        self._write(name, [memoryview(content)])

    def adopt(self, name: str) -> None:
        """Take in a file that another library wrote into the folder, or below it."""
        # Some libraries write for the owner's eyes only, whatever the umask is.
        (self.folder / name).chmod(self.folder.stat().st_mode & 0o666)
        with (self.folder / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        _sync((self.folder / name).parent)
        self.files[name] = FileFacts((self.folder / name).stat().st_size, digest)

    def _write(self, name: str, parts: Iterable[memoryview]) -> None:
        digest, size = hashlib.sha256(), 0
        with (self.folder / name).open("xb", buffering=0) as file:
            for part in parts:
                for start in range(0, len(part), _CHUNK_BYTES):
                    chunk = part[start : start + _CHUNK_BYTES]
                    digest.update(chunk)
                    _write_all(file, chunk)
                size += len(part)
            os.fsync(file.fileno())
        self.files[name] = FileFacts(size, digest.hexdigest())


@contextlib.contextmanager
def write_folder(
    final: Path, *, replace: bool, what: str = "feature store"
) -> Generator[FolderWriter]:
    """Give a writer for a new folder; when the block ends well it stands at `final`, else nowhere.

    Args:
        final: where it is to stand.
        replace: a folder that stands there goes.
        what: the folder is, for errors.

    Raises:
        DataError: `final` exists and may not be replaced, or the disk refuses.
    """
    parent = final.parent
    temporary = parent / f".writing-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        restore(final)
        sweep(parent)
        refuse_existing(final, replace=replace, what=what)
        temporary.mkdir()
        try:
            yield FolderWriter(temporary)
            _sync(temporary)
            refuse_existing(final, replace=replace, what=what)
            _publish(temporary, final)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise DataError(
            f"The {what} `{final.name}` can't be written to {parent}: "
            f"{error.strerror or error}. Nothing was kept."
        ) from error


def refuse_existing(final: Path, *, replace: bool, what: str = "feature store") -> None:
    """Raise when something stands at `final` already.

    Raises:
        DataError: it exists and `replace` is false.
    """
    if final.exists() and not replace:
        raise DataError(
            f"A {what} named `{final.name}` exists already. "
            "Choose another name, or replace it with --force."
        )


def restore(final: Path) -> None:
    """Bring back the folder a killed replacement had moved aside."""
    aside = _aside(final)
    if aside.exists() and not final.exists():
        with contextlib.suppress(OSError):
            aside.rename(final)


def sweep(parent: Path) -> None:
    """Remove what killed writers of this machine left in `parent`."""
    for entry in parent.glob(".writing-*"):
        match = _TEMPORARY.fullmatch(entry.name)
        if match and match["host"] == socket.gethostname() and not _is_alive(int(match["pid"])):
            shutil.rmtree(entry, ignore_errors=True)


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _publish(temporary: Path, final: Path) -> None:
    """Put `temporary` in the place of `final`; the old folder goes only when the new one stands."""
    if final.exists() and _exchange(temporary, final):
        _sync(final.parent)
        return  # the old one now has the temporary name, and is removed under it
    aside = _aside(final)
    if final.exists():
        shutil.rmtree(aside, ignore_errors=True)
        final.rename(aside)
    try:
        temporary.rename(final)
    except OSError:
        restore(final)
        raise
    _sync(final.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _exchange(first: Path, second: Path) -> bool:
    """Swap two folders in one step, so that nobody finds neither; False where Linux can't."""
    import ctypes

    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    here, swap = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of linux/fcntl.h and linux/fs.h
    return rename(here, os.fsencode(first), here, os.fsencode(second), swap) == 0


def _aside(final: Path) -> Path:
    return final.with_name(f".replaced-{final.name}")


def _write_all(file: BinaryIO, chunk: memoryview) -> None:
    """Write every byte: one unbuffered write may take less than it is given."""
    while chunk:
        chunk = chunk[file.write(chunk) :]


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
