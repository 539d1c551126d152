"""What a pickle may name, as inert stand-ins, and how they become plain arrays afterwards.

Nothing here runs anything a file gives: a stand-in writes down what it was asked for, and `Builder`
makes arrays of plain bytes whose length fits the declared shape. The rules are in `pickle_guard`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeGuard, cast

import numpy as np

from setgf.data.blocks import Block, Stored, StoredText
from setgf.data.memory import Budget
from setgf.data.ragged import Array
from setgf.errors import DataError, UnsafePickleError

_PLAIN_DTYPE = re.compile(r"[<>|=]?(?:[iu][1248]|f[248]|b1|[?]|[SU]\d{1,7})")
_OBJECT_DTYPE = re.compile(r"[|]?O[48]?")
_MOST_DIMENSIONS = 8
_DEEPEST = 50
_LAST_CODE_POINT = 0x10FFFF
_MOST_SCALAR_BYTES = 1 << 16


def refusal(path: Path, what: str) -> UnsafePickleError:
    """Return the error of a file that asks for something else than plain data."""
    return UnsafePickleError(
        f"{path} asks for {what}, which is not plain data; it was refused before anything ran. "
        "A feature file holds only numpy arrays, numbers, text, lists and dictionaries."
    )


def damage(path: Path, what: str) -> DataError:
    """Return the error of a file that contradicts itself."""
    return DataError(f"{path} is damaged: {what}. Get the feature file again.")


class OldText(bytes):
    """A string of Python 2: bytes, UTF-8 where they are text."""


class Global:
    """Stands for an admitted global: can be called, can't be changed."""

    __slots__ = ("_make", "_path")
    _make: Callable[..., Any]
    _path: Path

    def __init__(self, make: Any, path: Path) -> None:
        object.__setattr__(self, "_make", make)
        object.__setattr__(self, "_path", path)

    def __call__(self, *arguments: Any) -> Any:
        """Write down what was asked for."""
        return self._make(self._path, *arguments)

    def __setstate__(self, state: Any) -> NoReturn:
        raise refusal(self._path, "a change of a global")

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise refusal(self._path, f"a change of `{name}` of a global")


class _Dtype:
    """A numpy dtype that was asked for: its letters and its byte order."""

    __slots__ = ("_path", "order", "spec")

    def __init__(self, path: Path, spec: Any, *_flags: Any) -> None:
        self._path, self.order = path, ""
        self.spec = _as_text(spec)
        if not (_PLAIN_DTYPE.fullmatch(self.spec) or _OBJECT_DTYPE.fullmatch(self.spec)):
            raise refusal(path, f"the array type `{self.spec}`")

    def __setstate__(self, state: Any) -> None:
        fields = cast(tuple[Any, ...], state)[1:5] if isinstance(state, tuple) else ()
        order = _as_text(fields[0]) if fields else "?"
        if order not in ("<", ">", "|", "=") or any(part is not None for part in fields[1:]):
            raise refusal(self._path, f"an array type of parts ({self.spec})")
        self.order = order

    @property
    def is_object(self) -> bool:
        """Whether elements are Python objects."""
        return _OBJECT_DTYPE.fullmatch(self.spec) is not None

    def build(self) -> np.dtype[Any]:
        """Return the numpy dtype of plain elements."""
        dtype = np.dtype(self.spec)
        return dtype.newbyteorder(self.order) if self.order in ("<", ">") else dtype


class _Array:
    """A numpy array that was asked for; `build` makes it, once everything was read."""

    __slots__ = ("_path", "data", "dtype", "fortran", "shape")

    def __init__(self, path: Path, *_arguments: Any) -> None:
        self._path = path
        self.dtype: Any = None
        self.data: object = None
        self.shape: Any = (0,)
        self.fortran = False

    def __setstate__(self, state: Any) -> None:
        parts = list(cast(tuple[Any, ...], state)) if isinstance(state, tuple) else []
        if len(parts) not in (4, 5):
            raise damage(self._path, "an array has no state that numpy writes")
        self.shape, self.dtype, fortran, self.data = parts[-4:]
        self.fortran = bool(fortran)

    def elements(self) -> list[Any] | None:
        """Return the elements of an object array, in order; None for an array of numbers."""
        if not isinstance(self.dtype, _Dtype):
            raise damage(self._path, "an array has no type")
        if not self.dtype.is_object:
            return None
        held: object = self.data
        elements = cast(list[Any], held) if isinstance(held, list) else []
        if len(elements) != self.count():
            raise damage(self._path, "an object array does not hold as many objects as it says")
        return elements

    def build(self, budget: Budget) -> Array | Block:
        """Return the array of plain elements; a large block of numbers stays in the file.

        Raises:
            DataError: the bytes do not fit the shape, or the budget.
        """
        dtype, data = cast(_Dtype, self.dtype).build(), self.data
        if not isinstance(data, bytes | bytearray | Stored):
            raise damage(self._path, "an array of numbers holds no bytes")
        count, needed = self.count(), self.count() * dtype.itemsize
        if len(data) != needed or (count and not needed):
            raise damage(
                self._path,
                f"an array of shape {self.shape} and type {dtype} needs {needed} bytes, "
                f"but holds {len(data)}",
            )
        if isinstance(data, Stored):
            if dtype.kind in "fiu" and len(self.shape) > 1 and not self.fortran:
                return Block(data, dtype, cast(tuple[int, ...], self.shape))
            budget.take(needed, "arrays")
            data = data.read()
        flat: Array = np.frombuffer(data, np.uint8).view(dtype) if count else np.zeros(0, dtype)
        if dtype.kind == "b":
            flat = np.not_equal(flat.view(np.uint8), 0)
        elif dtype.kind == "U" and count:
            self._check_text(flat, dtype)
        return flat.reshape(cast(tuple[int, ...], self.shape), order=self.order)

    def _check_text(self, flat: Array, dtype: np.dtype[Any]) -> None:
        letters = np.dtype(np.uint32).newbyteorder(dtype.byteorder)
        if int(flat.view(letters).max()) > _LAST_CODE_POINT:
            raise damage(self._path, "an array of text holds numbers that are no characters")

    @property
    def order(self) -> Literal["F", "C"]:
        """Order of the elements in memory."""
        return "F" if self.fortran else "C"

    def count(self) -> int:
        """Return the number of elements the shape asks for."""
        shape = self.shape
        if (
            not isinstance(shape, tuple)
            or len(cast(tuple[Any, ...], shape)) > _MOST_DIMENSIONS
            or any(type(size) is not int or size < 0 for size in cast(tuple[Any, ...], shape))
        ):
            raise damage(self._path, f"an array has the shape {shape!r:.80}")
        return math.prod(cast(tuple[int, ...], shape))


class Builder:
    """Turns what was read into plain data, each object once, however often it is named."""

    def __init__(self, path: Path, budget: Budget, *, most: int) -> None:
        """Allow `most` objects at most, one that is named twice counted twice."""
        self._path = path
        self._budget = budget
        self._most, self._count = most, 0
        self._done: dict[int, tuple[Any, Any, int]] = {}

    def build(self, value: Any, depth: int = 0) -> Any:
        """Return `value` with every stand-in replaced.

        Raises:
            DataError: nested too deeply (or in itself), or an array that does not fit.
        """
        if depth > _DEEPEST:
            raise DataError(f"{self._path} is nested more than {_DEEPEST} deep.")
        self._add(1)
        if isinstance(value, OldText):
            return _decode_old(value)
        if value is None or isinstance(value, str | bool | int | float | bytes):
            return value
        known = self._done.get(id(value))
        if known is not None:
            self._add(known[2])
            return known[1]
        before = self._count
        plain: Any = self._build_one(value, depth + 1)
        # The value is kept beside its plain form, so that its id stays its own.
        self._done[id(value)] = (value, plain, self._count - before)
        return plain

    def _add(self, count: int) -> None:
        """Count objects: lists that name each other many times over would fill any memory."""
        self._count += count
        if self._count > self._most:
            raise damage(self._path, "it names its parts many times over, in one another")

    def _build_one(self, value: Any, depth: int) -> Any:
        if isinstance(value, _Array):
            return self._build_array(value, depth)
        if isinstance(value, dict):
            items = cast(dict[Any, Any], value).items()
            return {self._key(key): self.build(part, depth) for key, part in items}
        if isinstance(value, list | tuple):
            parts = [self.build(part, depth) for part in cast(list[Any], value)]
            return tuple(parts) if isinstance(value, tuple) else parts
        if isinstance(value, bytearray | np.generic):
            return cast(Any, value)
        if isinstance(value, _Dtype):
            return value.spec
        if isinstance(value, Stored):
            self._budget.take(len(value), "byte strings")
            return value.read().decode() if isinstance(value, StoredText) else value.read()
        raise refusal(self._path, f"a `{type(value).__name__.strip('_')}` as data")

    def _build_array(self, value: _Array, depth: int) -> Array | Block:
        elements = value.elements()
        if elements is None:
            return value.build(self._budget)
        self._budget.take(8 * len(elements), "arrays")
        built = np.empty(len(elements), object)
        for place, element in enumerate(elements):
            built[place] = self.build(element, depth)
        return built.reshape(cast(tuple[int, ...], value.shape), order=value.order)

    def _key(self, key: Any) -> Any:
        return _as_text(key) if isinstance(key, bytes) else key


def _make_array(path: Path, kind: Any, *arguments: Any) -> _Array:
    return _Array(path, kind, *arguments)


def _make_array_from_buffer(
    path: Path, data: Any, dtype: Any, shape: Any, order: Any, *_more: Any
) -> _Array:
    """Read what numpy's `_frombuffer` is given (protocol 5)."""
    array = _Array(path)
    array.__setstate__((shape, dtype, order == "F", data))
    return array


def _make_scalar(path: Path, dtype: Any, data: Any = None) -> Any:
    array = _Array(path)
    array.__setstate__(((1,), dtype, False, data))
    if array.elements() is not None:
        raise refusal(path, "a scalar that holds an object")
    if not isinstance(array.data, bytes | bytearray):
        raise damage(path, "a scalar holds no bytes")
    return cast(Array, array.build(Budget(path, _MOST_SCALAR_BYTES)))[0]


def _make_bytes(path: Path, text: Any, encoding: Any = "latin1") -> bytes | bytearray:
    """Read what `_codecs.encode` is given: how Python 3 writes bytes for Python 2."""
    if not isinstance(text, str | StoredText) or encoding not in ("latin1", "latin-1"):
        raise refusal(path, f"the encoding `{encoding}`")
    return text.to_latin1() if isinstance(text, StoredText) else text.encode("latin1")


def _make_no_bytes(_path: Path, *arguments: Any) -> bytes | Stored:
    """Read `bytes()` and `bytes(b"..")`."""
    return arguments[0] if arguments and isinstance(arguments[0], bytes | Stored) else b""


def _make_bytearray(path: Path, *arguments: Any) -> bytearray | Stored:
    data = arguments[0] if arguments else b""
    if isinstance(data, str | StoredText):
        data = _make_bytes(path, *arguments)
    if not isinstance(data, bytes | bytearray | Stored):
        raise refusal(path, "a buffer that is not made of bytes")
    return data if isinstance(data, Stored) else bytearray(data)


def _make_dictionary(path: Path, *arguments: Any) -> dict[Any, Any]:
    if not arguments:
        return {}
    pairs = cast(list[Any], arguments[0])
    if len(arguments) != 1 or type(pairs) is not list or not all(map(_is_pair, pairs)):
        raise refusal(path, "a dictionary that is not made of pairs")
    return dict(pairs)


def _is_pair(part: Any) -> bool:
    """Return whether `part` is a name and its value, as `OrderedDict` was written by Python 2."""
    pair = cast(list[Any], part) if isinstance(part, list | tuple) else []
    return len(pair) == 2 and isinstance(pair[0], str | bytes | int)


def _make_list(path: Path, *arguments: Any) -> list[Any]:
    """Read a set or a list made of a list."""
    if arguments and not isinstance(arguments[0], list | tuple):
        raise refusal(path, "a set that is not made of a list")
    return list(cast(list[Any], arguments[0])) if arguments else []


def _make_nothing(path: Path, *_arguments: Any) -> NoReturn:
    raise refusal(path, "an array without `_reconstruct`")


GLOBALS: Mapping[tuple[str, str], Any] = {
    **{
        (f"numpy.{core}.multiarray", name): make
        for core in ("core", "_core")
        for name, make in (("_reconstruct", _make_array), ("scalar", _make_scalar))
    },
    **{
        (f"numpy.{core}.numeric", "_frombuffer"): _make_array_from_buffer
        for core in ("core", "_core")
    },
    ("numpy", "ndarray"): _make_nothing,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _make_bytes,
    ("collections", "OrderedDict"): _make_dictionary,
    **{
        (module, name): make
        for module in ("builtins", "__builtin__")
        for name, make in (
            ("bytearray", _make_bytearray),
            ("bytes", _make_no_bytes),
            ("set", _make_list),
            ("frozenset", _make_list),
            ("list", _make_list),
            ("dict", _make_dictionary),
        )
    },
}
"""Every global a feature file may name, and what stands for it."""


def has_state(value: object) -> TypeGuard[_Array | _Dtype | Global]:
    """Return whether a state may be offered to `value`: the three stand-ins check it."""
    return isinstance(value, _Array | _Dtype | Global)


def _decode_old(text: bytes) -> str:
    """Return text of a Python 2 pickle: most is UTF-8, and latin1 takes every byte."""
    try:
        return text.decode("utf-8")
    except UnicodeError:
        return text.decode("latin1")


def _as_text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)
