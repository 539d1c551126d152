"""Files of feature arrays: .npz, .npy, HDF5, safetensors, or a folder of .npy files.

Nothing of them is unpickled or unpacked to disk; sizes are compared with what is there and with a
memory budget before anything is read. Shapes: N samples, T steps, D frame width.
"""

from __future__ import annotations

import io
import math
import stat
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np

from setgf.data.blocks import Block, OpenFile, Stored
from setgf.data.memory import Budget
from setgf.data.ragged import Array
from setgf.errors import DataError

_HEADER_BYTES = 1 << 16
_LONGEST_HEADER = 10_000
_MOST_ENTRIES = 1_000_000
_STACKS = ("features", "audio", "vision", "text", "data")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleArrays:
    """Arrays by the name of their sample, or one array of all samples."""

    names: Sequence[str] = ()
    read: Callable[[str], Array]
    """Returns the array of a name, (T, D)."""
    stacked: Array | Block | None = None
    """(N, T, D) in the order of the label file; None where arrays have names."""
    _known: frozenset[str] = field(default=frozenset(), repr=False)

    def find(self, sample: str) -> str | None:
        """Return the name an array has for the sample `video$_$clip`; None where there is none."""
        video, _, clip = sample.partition("$_$")
        forms = (sample, f"{video}[{clip}]", f"{video}/{clip}", f"{video}_{clip}")
        return next((form for form in forms if form in self._known), None)


def open_arrays(path: Path, budget: Budget) -> SampleArrays:
    """Open a file or folder of feature arrays.

    Raises:
        DataError: there is none, its kind is not known, or it is damaged or hostile.
    """
    if path.is_dir():
        return _open_folder(path, budget)
    if not path.is_file():
        raise DataError(f"There is no file of feature arrays at {path}.")
    openers = {
        ".npz": _open_npz,
        ".npy": _open_npy,
        ".safetensors": _open_safetensors,
        **dict.fromkeys((".h5", ".hdf5", ".csd"), _open_hdf5),
    }
    opener = openers.get(path.suffix.lower())
    if opener is None:
        raise DataError(
            f"{path} is of no known kind. Feature arrays come as .npz, .npy, .h5, .hdf5, .csd or "
            ".safetensors files, or as a folder of .npy files."
        )
    return opener(path, budget)


def by_name(names: Sequence[str], read: Callable[[str], Array]) -> SampleArrays:
    """Return arrays that have names."""
    return SampleArrays(names=names, read=read, _known=frozenset(names))


def refuse(path: Path, what: str) -> NoReturn:
    """Refuse a file of arrays.

    Raises:
        DataError: always.
    """
    raise DataError(f"{path} {what}; nothing of it was kept.")


def _no_names(name: str) -> NoReturn:
    raise KeyError(name)


def _open_npy(path: Path, budget: Budget) -> SampleArrays:
    return SampleArrays(read=_no_names, stacked=_read_npy(path, budget))


def _read_npy(path: Path, budget: Budget) -> Array | Block:
    """Return the array of a .npy file; a large one stays in it."""
    source = OpenFile(path)
    head = Stored(source, 0, min(source.size, _HEADER_BYTES)).read()
    start, shape, dtype, fortran = _read_header(path, path.name, io.BytesIO(head))
    size = _check_size(path, path.name, shape, dtype, source.size - start)
    stored = Stored(source, start, size)
    if len(shape) > 1 and not fortran and size >= _HEADER_BYTES:
        return Block(stored, dtype, shape)
    budget.take(size, "an array")
    return _build(stored.read(), shape, dtype, fortran=fortran)


def _open_folder(path: Path, budget: Budget) -> SampleArrays:
    """Open a folder of `<id>.npy` or `<video>/<clip>.npy`; what leads out of it is refused."""
    inside = path.resolve()
    files: dict[str, Path] = {}
    for file in sorted(path.rglob("*.npy")):
        if not file.resolve().is_relative_to(inside):
            refuse(path, f"has a link that leads out of it, `{file.relative_to(path)}`")
        files[str(file.relative_to(path).with_suffix(""))] = file
    if not files:
        raise DataError(f"The folder {path} has no .npy files.")

    def read(name: str) -> Array:
        own = Budget(budget.path, budget.limit)
        return np.asarray(_read_npy(files[name], own))

    return by_name(list(files), read)


def _open_npz(path: Path, budget: Budget) -> SampleArrays:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(f"{path} is not a .npz archive, or is damaged ({error}).") from error
    entries = {_entry_name(path, entry): entry for entry in archive.infolist()}
    if len(entries) > _MOST_ENTRIES:
        refuse(path, f"has {len(entries)} entries")

    def read(name: str) -> Array:
        own = Budget(budget.path, budget.limit)
        return _read_entry(path, archive, entries[name], own)

    stack = [name for name in entries if name in _STACKS]
    ids = [name for name in entries if name in ("ids", "id")]
    if stack and ids:
        names = [str(name) for name in read(ids[0]).reshape(-1)]
        return _stacked_by_name(path, names, read(stack[0]))
    if len(entries) == 1 and stack:
        return SampleArrays(read=_no_names, stacked=read(stack[0]))
    return by_name(list(entries), read)


def _stacked_by_name(path: Path, names: Sequence[str], stack: Array) -> SampleArrays:
    if len(names) != len(stack) or len(set(names)) != len(names):
        refuse(path, f"has {len(names)} ids ({len(set(names))} different) for {len(stack)} arrays")
    places = {name: place for place, name in enumerate(names)}
    return by_name(names, lambda name: np.asarray(stack[places[name]]))


def _entry_name(path: Path, entry: zipfile.ZipInfo) -> str:
    """Return the name of an archive's entry; it is a key here, and never a path of a file."""
    name = entry.filename
    if stat.S_ISLNK(entry.external_attr >> 16):
        refuse(path, f"has the link `{name:.60}` in it")
    if name.startswith("/") or ".." in name.split("/") or "\\" in name:
        refuse(path, f"has the entry `{name:.60}`, which leads out of the archive")
    if entry.flag_bits & 1:
        refuse(path, f"has the encrypted entry `{name:.60}`")
    return name.removesuffix(".npy")


def _read_entry(
    path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, budget: Budget
) -> Array:
    try:
        with archive.open(entry) as file:
            head: Any = file
            start, shape, dtype, fortran = _read_header(path, entry.filename, head)
            size = _check_size(path, entry.filename, shape, dtype, entry.file_size - start)
            budget.take(2 * size, f"the entry `{entry.filename:.60}`")
            return _build(file.read(size), shape, dtype, fortran=fortran)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, ValueError) as error:
        raise DataError(f"`{entry.filename:.60}` of {path} is damaged ({error}).") from error
    except Exception as error:
        if type(error).__module__ in ("zlib", "lzma", "_lzma"):
            raise DataError(f"`{entry.filename:.60}` of {path} is damaged ({error}).") from error
        raise


def _read_header(
    path: Path, name: str, file: BinaryIO
) -> tuple[int, tuple[int, ...], np.dtype[Any], bool]:
    """Return where the numbers begin, their shape and type, and whether columns come first."""
    from numpy.lib import format as npy

    try:
        version = npy.read_magic(file)
        readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        if version not in readers:
            refuse(path, f"has `{name:.60}` of the unknown format version {version}")
        shape, fortran, dtype = readers[version](file, max_header_size=_LONGEST_HEADER)
    except (ValueError, EOFError, TypeError, MemoryError, RecursionError, SyntaxError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"`{name:.60}` of {path} is not a .npy array ({what:.120}).") from error
    if dtype.hasobject or dtype.names is not None or dtype.kind not in "fiubSU":
        refuse(path, f"has `{name:.60}` of type {dtype}, which is no plain numbers")
    return file.tell(), tuple(map(int, shape)), dtype, bool(fortran)


def _check_size(
    path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], there: int
) -> int:
    """Return the bytes an array needs, when they are there."""
    size = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or size > there or (math.prod(shape) and not size):
        refuse(
            path,
            f"has `{name:.60}`, which declares the shape {shape} ({size} bytes), "
            f"but holds {max(there, 0)} bytes",
        )
    return size


def _build(data: bytes, shape: tuple[int, ...], dtype: np.dtype[Any], *, fortran: bool) -> Array:
    flat: Array = np.frombuffer(data, dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


def _open_safetensors(path: Path, budget: Budget) -> SampleArrays:
    from safetensors import SafetensorError, safe_open

    try:
        file: Any = safe_open(str(path), framework="numpy")
        names: list[str] = list(file.keys())
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"{path} is not a safetensors file, or is damaged ({error}).") from error

    def read(name: str) -> Array:
        try:
            shape: list[int] = file.get_slice(name).get_shape()
            Budget(budget.path, budget.limit).take(8 * math.prod(shape), f"`{name:.60}`")
            return file.get_tensor(name)
        except (SafetensorError, TypeError, ValueError) as error:
            raise DataError(f"`{name:.60}` of {path} can't be read ({error}).") from error

    if len(names) == 1 and names[0] in _STACKS:
        return SampleArrays(read=_no_names, stacked=read(names[0]))
    return by_name(names, read)


def _open_hdf5(path: Path, budget: Budget) -> SampleArrays:
    from setgf.data.hdf5_file import open_hdf5

    return open_hdf5(path, budget)
