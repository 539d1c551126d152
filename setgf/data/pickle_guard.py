"""Reads plain arrays out of a pickle that may be hostile.

A pickle is a program. Here it is run by a machine of our own (`pickle_machine`) that can make plain
data and nothing else: every global it may name is an inert stand-in that writes down what was asked
for, and anything else is refused by name. No numpy code ever sees a state from the file; arrays are
built afterwards, from plain bytes, and only of numbers, truth values and text whose declared shape
fits the bytes that are there. What the file makes is counted against a memory budget before it is
made, and large arrays stay in the file until they are asked for, so that declared sizes can't make
the machine allocate what the file does not hold.

Pickles of Python 2 and 3, numpy 1 and 2, protocols 0 to 5 are read.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from setgf.data.blocks import OpenFile
from setgf.data.memory import make_budget
from setgf.data.pickle_machine import Machine
from setgf.data.pickle_parts import Builder
from setgf.errors import DataError


def load_pickle(path: Path, *, max_memory: int | None = None) -> Any:
    """Return the plain data in the pickle at `path`: containers, numbers, text and numpy arrays.

    Sets come back as lists, dictionaries of any kind as plain ones, and a large array of numbers as
    a `Block` that reads what is asked of it.

    Args:
        path: the file.
        max_memory: bytes it may take; None takes 80 % of the memory that is free.

    Raises:
        UnsafePickleError: it asks for anything else; it was refused before anything ran.
        DataError: there is no such file, it is no pickle or damaged, or takes too much memory.
    """
    check_is_file(path)
    budget = make_budget(path, max_memory)
    try:
        source = OpenFile(path)
        if not source.size:
            raise DataError(f"{path} is empty. A feature file is a pickle in the MMSA layout.")
        builder = Builder(path, budget, most=source.size + _SPARE_OBJECTS)
        return builder.build(Machine(source, budget).run())
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror or error}.") from error
    except (MemoryError, RecursionError) as error:
        raise DataError(f"{path} does not fit into memory, or is nested too deeply.") from error
    except _DAMAGES as error:
        raise DataError(
            f"{path} is not a pickle, or is damaged ({str(error) or type(error).__name__:.200}). "
            "A feature file is a pickle in the MMSA layout."
        ) from error


_SPARE_OBJECTS = 100_000
"""A part of a feature file takes a byte of it at least; a few may be named more than once."""
_DAMAGES = (EOFError, ValueError, TypeError, KeyError, IndexError, OverflowError, struct.error)
"""What reading bytes that are no pickle raises."""


def check_is_file(path: Path) -> None:
    """Refuse what is no file.

    Raises:
        DataError: there is nothing at `path`, or a folder or device.
    """
    if not path.is_file():
        what = "is a folder or device, not a file" if path.exists() else "does not exist"
        raise DataError(
            f"The feature file {path} {what}. Give the path of a pickle in the MMSA layout, "
            "or make data up with `setgf data synth`."
        )
