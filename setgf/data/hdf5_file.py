"""Feature arrays in HDF5, read with the optional package h5py.

A data set a clip (`video$_$clip`, `video/clip`), or CMU's computational sequences: `features` in a
group a clip. Links to other files and data stored elsewhere are refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from setgf.data.array_files import SampleArrays, by_name, refuse
from setgf.data.memory import Budget
from setgf.data.ragged import Array
from setgf.errors import DataError

_DEEPEST = 8
_FEATURES = "features"


def open_hdf5(path: Path, budget: Budget) -> SampleArrays:
    """Open an HDF5 file.

    Raises:
        DataError: h5py is not installed, or the file is damaged or hostile.
    """
    try:
        import h5py
    except ImportError as error:
        raise DataError(
            f"Reading {path} needs the package h5py. Install it with `pip install 'setgf[hdf5]'`."
        ) from error
    try:
        file: Any = h5py.File(path, "r")
        places: dict[str, str] = {}
        _walk(path, h5py, file, (), places)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise DataError(f"{path} is not an HDF5 file, or is damaged ({error}).") from error

    def read(name: str) -> Array:
        try:
            dataset = file[places[name]]
            Budget(budget.path, budget.limit).take(int(dataset.nbytes), f"`{name:.60}`")
            return np.asarray(dataset[()])
        except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
            raise DataError(f"`{name:.60}` of {path} can't be read ({error}).") from error

    return by_name(list(places), read)


def _walk(
    path: Path, h5py: Any, group: Any, above: tuple[str, ...], places: dict[str, str]
) -> None:
    """Write down every data set by its name; links are not followed."""
    if len(above) > _DEEPEST:
        refuse(path, f"has groups more than {_DEEPEST} deep")
    for name in group:
        where = (*above, str(name))
        shown = "/".join(where)
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            refuse(path, f"has `{shown:.60}`, a link to something else")
        entry = group[name]
        if isinstance(entry, h5py.Group):
            _walk(path, h5py, entry, where, places)
        elif isinstance(entry, h5py.Dataset) and entry.dtype.kind in "fiub":
            if entry.external or entry.is_virtual:
                refuse(path, f"has `{shown:.60}`, whose numbers are in other files")
            places[_name(where)] = shown


def _name(where: tuple[str, ...]) -> str:
    """Return the name of a clip: the last group's for `features`, else the whole path."""
    if where[-1] == _FEATURES and len(where) > 1:
        return where[-2]
    return "/".join(where)
