"""Reads plain arrays out of a pickle that may be hostile.

A pickle is a program. This reader gives that program nothing to run: every global it may name is
replaced by an inert stand-in of ours that only writes down what was asked for, and anything else is
refused by name. No numpy code ever sees a state from the file; arrays are built afterwards, from
plain bytes, and only of numbers, truth values and text whose declared shape fits the bytes that are
there. Before all that, the file is scanned once without running it, so that declared sizes can't
make the machine allocate what the file does not hold.

Pickles of Python 2 and 3, numpy 1 and 2, protocols 0 to 5 are read.
"""

from __future__ import annotations

import mmap
import pickle
import pickletools
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

from setgf.data.pickle_parts import GLOBALS, Builder, Global, damage, refusal
from setgf.errors import DataError

_REFUSED_OPCODES = frozenset(
    {
        *("PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX"),
        *("NEXT_BUFFER", "READONLY_BUFFER"),
    }
)
"""Operations that make objects of classes or fetch objects from elsewhere; arrays need none."""
_MEMO_OPCODES = frozenset({"PUT", "BINPUT", "LONG_BINPUT", "GET", "BINGET", "LONG_BINGET"})


def load_pickle(path: Path) -> Any:
    """Return the plain data in the pickle at `path`: containers, numbers, text and numpy arrays.

    Sets come back as lists, dictionaries of any kind as plain ones.

    Raises:
        UnsafePickleError: it asks for anything else; it was refused before anything ran.
        DataError: there is no such file, or it is not a pickle, or damaged.
    """
    try:
        _check_is_file(path)
        with path.open("rb") as file:
            protocol = _scan(path, file)
            file.seek(0)
            content = _Unpickler(file, path).load()
        return Builder(path, latin1_text=protocol < 3).build(content)
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror or error}.") from error
    except (MemoryError, RecursionError) as error:
        raise DataError(f"{path} does not fit into memory, or is nested too deeply.") from error
    except _DAMAGES as error:
        raise DataError(
            f"{path} is not a pickle, or is damaged ({str(error) or type(error).__name__:.200}). "
            "A feature file is a pickle in the MMSA layout."
        ) from error


_DAMAGES = (
    *(pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError),
    *(KeyError, IndexError, OverflowError),
)
"""What the standard library raises for bytes that are no pickle."""


class _Unpickler(pickle.Unpickler):
    """An unpickler whose globals are stand-ins, whatever they are named."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        # latin1 keeps the bytes of Python 2 strings, where numpy 1 stored arrays.
        super().__init__(file, fix_imports=False, encoding="latin1")
        self._path = path

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """Return the stand-in of an admitted global; a dotted name is a name like any other."""
        maker = GLOBALS.get((module_name, global_name))
        if maker is None:
            raise refusal(self._path, f"`{module_name}.{global_name}`")
        return Global(maker, self._path)

    def persistent_load(self, pid: Any, /) -> NoReturn:
        """Refuse objects that live outside the file."""
        raise refusal(self._path, f"the outside object `{pid}`")


def _check_is_file(path: Path) -> None:
    if not path.is_file():
        what = "is a folder or device, not a file" if path.exists() else "does not exist"
        raise DataError(
            f"The feature file {path} {what}. Give the path of a pickle in the MMSA layout, "
            "or make data up with `setgf data synth`."
        )


def _scan(path: Path, file: BinaryIO) -> int:
    """Walk through the operations without running any; return the protocol.

    Raises:
        UnsafePickleError: a global that is not admitted, or an operation no feature file needs.
        DataError: a declared size or place is beyond the file's end.
    """
    protocol, size = 0, path.stat().st_size
    if not size:
        raise DataError(f"{path} is empty. A feature file is a pickle in the MMSA layout.")
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        for opcode, argument, position in pickletools.genops(cast(Any, mapped)):
            if opcode.name == "PROTO":
                protocol = int(cast(int, argument))
            elif opcode.name in _REFUSED_OPCODES:
                _refuse_operation(path, opcode.name, argument)
            elif opcode.name == "GLOBAL":
                _check_global(path, str(argument))
            elif opcode.name in _MEMO_OPCODES or opcode.name == "FRAME":
                # Every memo entry takes a byte of the file; a frame ends within it.
                room = position or 0 if opcode.name in _MEMO_OPCODES else size - (position or 0)
                if int(cast(int, argument)) > room:
                    raise damage(path, f"{opcode.name} at byte {position} points to {argument}")
    return protocol


def _check_global(path: Path, argument: str) -> None:
    module_name, _, global_name = argument.partition(" ")
    if (module_name, global_name) not in GLOBALS:
        raise refusal(path, f"`{module_name}.{global_name}`")


def _refuse_operation(path: Path, name: str, argument: Any) -> NoReturn:
    named = f" `{str(argument).replace(' ', '.')}`" if argument else ""
    raise refusal(path, f"the operation {name}{named}")
