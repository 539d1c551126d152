"""Finding a feature store and its manifest, without loading numpy: what queueing a job needs."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

from setgf.data.atomic_folder import restore
from setgf.data.manifest import MANIFEST_FILE, Manifest, damaged, read_manifest
from setgf.errors import DataError
from setgf.home import Home

STORE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def find_store(home: Home, name: str) -> tuple[Path, Manifest]:
    """Return the folder and the manifest of the store `name`; its files have their sizes.

    Raises:
        DataError: there is none of that name (the known ones are named), or it is damaged.
    """
    path = home.data / name
    if STORE_NAME.fullmatch(name):
        restore(path)
    if not STORE_NAME.fullmatch(name) or not (path / MANIFEST_FILE).is_file():
        known = ", ".join(f"`{entry}`" for entry in store_names(home)) or "none yet"
        raise DataError(
            f"No feature store named `{name}`. Known: {known}. See `setgf data list`; "
            "make one with `setgf data import` or `setgf data synth`."
        )
    return path, _read_whole(path)


def _read_whole(path: Path) -> Manifest:
    """Return the manifest of a store whose files have their sizes, also while it is replaced."""
    manifest = read_manifest(path)
    try:
        for file in manifest.files:
            check_size(path, manifest, file)
    except DataError:
        if read_manifest(path) == manifest:
            raise
        return _read_whole(path)
    return manifest


def matching_stores(home: Home, words: str) -> tuple[str, ...]:
    """Return the names of stores in `words`: separated by commas, `*` for any letters.

    A name without `*` need not be there.

    Raises:
        DataError: no store is like a word with `*`, or there is no word.
    """
    known = store_names(home)
    found: dict[str, None] = {}
    for word in filter(None, (part.strip() for part in words.split(","))):
        names = fnmatch.filter(known, word) if "*" in word else [word]
        if not names:
            listed = ", ".join(f"`{entry}`" for entry in known) or "none yet"
            raise DataError(f"No feature store is named like `{word}`. Known: {listed}.")
        found |= dict.fromkeys(names)
    if not found:
        raise DataError(f"`{words}` names no feature store. See `setgf data list`.")
    return tuple(found)


def check_size(path: Path, manifest: Manifest, name: str) -> None:
    """Compare the size of one file of the store at `path` with its manifest.

    Raises:
        DataError: it is missing, cut or grown.
    """
    facts = manifest.files.get(name)
    if facts is None:
        raise damaged(path, f"`{name}` is not in its manifest")
    try:
        size = (path / name).stat().st_size
    except OSError as error:
        raise damaged(path, f"`{name}` can't be read ({error.strerror})") from error
    if size != facts.size:
        raise damaged(path, f"`{name}` has {size} bytes, but {facts.size} were written")


def store_names(home: Home) -> list[str]:
    """Return the names of the stores in `home`, damaged ones too, in order."""
    if not home.data.is_dir():
        return []
    return sorted(
        entry.name
        for entry in home.data.iterdir()
        if STORE_NAME.fullmatch(entry.name) and (entry / MANIFEST_FILE).is_file()
    )
