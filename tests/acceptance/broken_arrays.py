"""Label files and files of arrays that are wrong or hostile, each in one way."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

LABELS = "video_id,clip_id,text,label,mode\n" + "".join(
    f"v{row},{row},it was number {row},{row - 1},{mode}\n"
    for row, mode in enumerate(("train", "valid", "test"))
)
NAMES = tuple(f"v{row}$_${row}" for row in range(3))


def npy(values: np.ndarray) -> bytes:
    """Return the bytes of a .npy file."""
    file = io.BytesIO()
    np.save(file, values, allow_pickle=True)
    return file.getvalue()


def npy_with_header(header: str, data: bytes = b"\0" * 16) -> bytes:
    """Return a .npy file with a header by hand."""
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def write_archive(path: Path, entries: Mapping[str, bytes], *, link: str = "") -> Path:
    """Write a .npz archive of those entries; one may be marked as a link."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            if name == link:
                entry.external_attr = 0o120777 << 16
            archive.writestr(entry, data)
    return path


def _archive(**changes: bytes) -> Callable[[Path], Path]:
    """Return what writes an archive of good arrays with some entries changed."""

    def write(folder: Path) -> Path:
        entries = {f"{name}.npy": npy(np.ones((2, 3), np.float32)) for name in NAMES}
        first = f"{NAMES[0]}.npy"
        return write_archive(folder / "a.npz", {**entries, first: changes["first"]})

    return write


def _bomb(folder: Path) -> Path:
    zeros = npy(np.zeros((20_000_000,), np.float32).reshape(-1, 4))
    entries = {f"{name}.npy": npy(np.ones((2, 4), np.float32)) for name in NAMES[1:]}
    return write_archive(folder / "a.npz", {f"{NAMES[0]}.npy": zeros, **entries})


def _cut(folder: Path) -> Path:
    path = _archive(first=npy(np.ones((2, 3), np.float32)))(folder)
    path.write_bytes(path.read_bytes()[:-40])
    return path


def _scrambled(folder: Path) -> Path:
    path = _archive(first=npy(np.random.default_rng(0).normal(size=(50, 3))))(folder)
    data = bytearray(path.read_bytes())
    data[120:160] = b"\xff" * 40
    path.write_bytes(bytes(data))
    return path


def _leading_out(folder: Path) -> Path:
    return write_archive(folder / "a.npz", {"../../out.npy": npy(np.ones((2, 3)))})


def _link_in_archive(folder: Path) -> Path:
    name = f"{NAMES[0]}.npy"
    return write_archive(folder / "a.npz", {name: b"/etc/passwd"}, link=name)


def _link_in_folder(folder: Path) -> Path:
    np.save(folder / "outside.npy", np.ones((2, 3)))
    (folder / "arrays").mkdir()
    for name in NAMES[1:]:
        np.save(folder / "arrays" / f"{name}.npy", np.ones((2, 3)))
    (folder / "arrays" / f"{NAMES[0]}.npy").symlink_to(folder / "outside.npy")
    return folder / "arrays"


def _empty_folder(folder: Path) -> Path:
    (folder / "arrays").mkdir()
    return folder / "arrays"


def _bytes(name: str, data: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return write


_HEADER = "{'descr': '<f4', 'fortran_order': False, 'shape': (%s,), }"
BAD_ARRAYS: Mapping[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "an archive that unpacks to 80 MB": (_bomb, ("more than 20 MB of memory", "--max-memory")),
    "a cut archive": (_cut, ("is not a .npz archive",)),
    "an archive with changed bytes": (_scrambled, ("is damaged",)),
    "an entry that leads out": (_leading_out, ("leads out of the archive",)),
    "a link in an archive": (_link_in_archive, ("has the link",)),
    "a link out of a folder": (_link_in_folder, ("a link that leads out of it",)),
    "a folder without arrays": (_empty_folder, ("has no .npy files",)),
    "objects in an archive": (
        _archive(first=npy(np.array([{}, {}], object))),
        ("no plain numbers",),
    ),
    "records in an archive": (
        _archive(first=npy(np.zeros(2, [("a", "f4"), ("b", "i4")]))),
        ("no plain numbers",),
    ),
    "a header that is code": (
        _archive(first=npy_with_header("__import__('os').system('touch marker')")),
        ("is not a .npy array",),
    ),
    "a shape of 4 EB": (
        _archive(first=npy_with_header(_HEADER % (1 << 60))),
        ("declares the shape",),
    ),
    "a shape below zero": (_archive(first=npy_with_header(_HEADER % -1)), ("declares the shape",)),
    "a header of 60 kB": (
        _archive(first=npy_with_header(_HEADER % "2" + " " * 60_000)),
        ("is not a .npy array",),
    ),
    "no array at all": (_archive(first=b"hello"), ("is not a .npy array",)),
    "a .npy of words": (_bytes("a.npy", b"hello"), ("is not a .npy array",)),
    "a .npy of objects": (_bytes("a.npy", npy(np.array([{}], object))), ("no plain numbers",)),
    "a .npy that declares 4 EB": (
        _bytes("a.npy", npy_with_header(_HEADER % (1 << 60))),
        ("declares the shape",),
    ),
    "a .npy of one table": (_bytes("a.npy", npy(np.ones(7))), ("shape (7,)",)),
    "words for safetensors": (_bytes("a.safetensors", b"hello"), ("not a safetensors file",)),
    "safetensors with a header of 1 EB": (
        _bytes("a.safetensors", struct.pack("<Q", 1 << 60) + b"{}"),
        ("not a safetensors file",),
    ),
    "words for HDF5": (_bytes("a.h5", b"hello"), ("not an HDF5 file",)),
    "a kind that is not known": (_bytes("a.mat", b"hello"), ("of no known kind",)),
    "an archive of strings": (_archive(first=npy(np.array(["a", "b"]))), ("must be numbers",)),
}
"""What writes the file, and what the sentence must say."""
