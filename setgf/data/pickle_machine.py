"""Runs the part of pickle's language that makes plain data, and refuses the rest by name.

This is the only reader of pickles here, and Python's own is not used: nothing in a file can import,
call or make an object of a class, because this machine has no operation for it. Where a pickle
names a global, an inert stand-in of ours (`pickle_parts.GLOBALS`) writes down what it was given.

Large byte strings are left in the file (`Stored`), so that reading takes no memory for arrays.
Operations and their codes: Python's `pickletools` documents them.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable
from typing import Any, NoReturn, cast

from setgf.data.blocks import OpenFile, Stored, StoredText
from setgf.data.byte_reader import ByteReader
from setgf.data.memory import Budget
from setgf.data.pickle_operations import OPERATIONS, REFUSED, STOP
from setgf.data.pickle_parts import GLOBALS, Global, OldText, damage, has_state, refusal

_STORED_FROM = 1 << 16
"""Byte strings of this many bytes or more stay in the file."""
_STORED_TEXT_FROM = 1 << 20
_LONGEST_NUMBER = 64
_NEWEST_PROTOCOL = 5
_COSTS = {"number": 40, "container": 96, "text": 80, "memo": 100}
"""Bytes of memory a thing takes in CPython at most, without what is in it."""
_MOST_NUMBERS = 10_000
"""Keys that are numbers can be chosen so that a dictionary of them takes for ever; text can't."""
_KEYS = (str, bytes, int, float, bool, type(None))


class Machine:
    """One run over one file: a stack, marks in it, and a memo of what was made."""

    def __init__(self, source: OpenFile, budget: Budget) -> None:
        self._bytes, self._budget, self._path = ByteReader(source), budget, source.path
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        """Return what the pickle makes, with stand-ins in it.

        Raises:
            UnsafePickleError: it has an operation or names a global that plain data do not need.
            DataError: it contradicts itself, or is beyond the memory budget.
        """
        operations = {code: getattr(self, name) for code, name in OPERATIONS.items()}
        while True:
            code = self._bytes.take(1)[0]
            if code == STOP:
                return self._stack.pop()
            operation = operations.get(code)
            if operation is None:
                self._refuse(code)
            operation()

    def _refuse(self, code: int) -> NoReturn:
        if code not in REFUSED:
            raise ValueError(f"byte {self._bytes.place - 1} is no operation")
        name, kind = REFUSED[code]
        lines = {"lines": 2, "line": 1}.get(kind, 0)
        named = ".".join(self._bytes.line().decode("utf-8", "replace") for _ in range(lines))
        raise refusal(self._path, f"the operation {name}" + (f" `{named}`" if named else ""))

    # Stack and memo

    def _push(self, value: Any, cost: str) -> None:
        self._budget.take(_COSTS[cost], "objects")
        self._stack.append(value)

    def _marked(self) -> list[Any]:
        """Return what is above the last mark, and take both away."""
        above, self._stack = self._stack, self._marks.pop()
        return above

    def _payload(self, size: int) -> bytes | Stored:
        """Return the next bytes, or where they are when they are many."""
        if size >= _STORED_FROM:
            return self._bytes.skip(size)
        self._budget.take(size + _COSTS["text"], "byte strings")
        return self._bytes.take(size)

    def _remember(self, place: int) -> None:
        # Every memo entry takes a byte of the file at least.
        if place > self._bytes.place:
            raise damage(
                self._path, f"a memo entry at byte {self._bytes.place} is numbered {place}"
            )
        self._budget.take(_COSTS["memo"], "objects")
        self._memo[place] = self._stack[-1]

    def _recall(self, place: int) -> None:
        if place not in self._memo:
            raise ValueError(
                f"byte {self._bytes.place} asks for entry {place}, which was never made"
            )
        self._stack.append(self._memo[place])
        self._budget.take(8, "objects")

    # Operations

    def protocol(self) -> None:
        """PROTO."""
        if self._bytes.number("<B") > _NEWEST_PROTOCOL:
            raise ValueError("its protocol is newer than 5")

    def frame(self) -> None:
        """FRAME."""
        size, left = self._bytes.number("<Q"), self._bytes.left
        if size > left:
            raise damage(self._path, f"a frame of {size} bytes is declared, {left} are there")

    def mark(self) -> None:
        """MARK."""
        self._budget.take(_COSTS["container"], "objects")
        self._marks.append(self._stack)
        self._stack = []

    def pop(self) -> None:
        """POP."""
        if self._stack:
            self._stack.pop()
        else:
            self._marked()

    def pop_mark(self) -> None:
        """POP_MARK."""
        self._marked()

    def duplicate(self) -> None:
        """DUP."""
        self._stack.append(self._stack[-1])
        self._budget.take(8, "objects")

    def nothing(self) -> None:
        """NONE."""
        self._push(None, "number")

    def true(self) -> None:
        """NEWTRUE."""
        self._push(True, "number")

    def false(self) -> None:
        """NEWFALSE."""
        self._push(False, "number")

    def integer_4(self) -> None:
        """BININT."""
        self._push(self._bytes.number("<i"), "number")

    def integer_1(self) -> None:
        """BININT1."""
        self._push(self._bytes.number("<B"), "number")

    def integer_2(self) -> None:
        """BININT2."""
        self._push(self._bytes.number("<H"), "number")

    def integer_line(self) -> None:
        """INT and LONG; `00` and `01` are truth values."""
        line = self._bytes.line()
        self._check_digits(len(line))
        self._push(line == b"01" if line in (b"00", b"01") else int(line.rstrip(b"L")), "number")

    def long_1(self) -> None:
        """LONG1."""
        self._long(self._bytes.number("<B"))

    def long_4(self) -> None:
        """LONG4."""
        self._long(self._bytes.number("<i"))

    def _long(self, size: int) -> None:
        self._check_digits(size)
        self._push(int.from_bytes(self._bytes.take(size), "little", signed=True), "number")

    def _check_digits(self, size: int) -> None:
        if not 0 <= size <= _LONGEST_NUMBER:
            raise damage(self._path, f"a whole number of {size} bytes")

    def float_line(self) -> None:
        """FLOAT."""
        line = self._bytes.line()
        self._check_digits(len(line))
        self._push(float(line), "number")

    def float_8(self) -> None:
        """BINFLOAT."""
        self._push(struct.unpack(">d", self._bytes.take(8))[0], "number")

    def old_text_line(self) -> None:
        """STRING of Python 2: quoted, with escapes."""
        line = self._bytes.line().strip()
        if len(line) < 2 or line[0] != line[-1] or line[0] not in b"'\"":
            raise ValueError("a string is not quoted")
        self._push(OldText(codecs.escape_decode(line[1:-1])[0]), "text")

    def old_text_4(self) -> None:
        """BINSTRING of Python 2."""
        self._push_old_text(self._payload(self._bytes.number("<i")))

    def old_text_1(self) -> None:
        """SHORT_BINSTRING of Python 2."""
        self._push_old_text(self._payload(self._bytes.number("<B")))

    def _push_old_text(self, payload: bytes | Stored) -> None:
        self._stack.append(payload if isinstance(payload, Stored) else OldText(payload))

    def bytes_1(self) -> None:
        """SHORT_BINBYTES."""
        self._stack.append(self._payload(self._bytes.number("<B")))

    def bytes_4(self) -> None:
        """BINBYTES."""
        self._stack.append(self._payload(self._bytes.number("<I")))

    def bytes_8(self) -> None:
        """BINBYTES8."""
        self._stack.append(self._payload(self._bytes.number("<Q")))

    def buffer_8(self) -> None:
        """BYTEARRAY8."""
        payload = self._payload(self._bytes.number("<Q"))
        self._stack.append(payload if isinstance(payload, Stored) else bytearray(payload))

    def text_line(self) -> None:
        """UNICODE."""
        self._push(self._bytes.line().decode("raw-unicode-escape"), "text")

    def text_1(self) -> None:
        """SHORT_BINUNICODE."""
        self._text(self._bytes.number("<B"))

    def text_4(self) -> None:
        """BINUNICODE."""
        self._text(self._bytes.number("<I"))

    def text_8(self) -> None:
        """BINUNICODE8."""
        self._text(self._bytes.number("<Q"))

    def _text(self, size: int) -> None:
        payload = self._payload(size)
        if isinstance(payload, Stored):
            if size >= _STORED_TEXT_FROM:
                self._stack.append(StoredText(payload.source, payload.offset, size))
                return
            self._budget.take(size, "text")
            payload = payload.read()
        self._stack.append(str(payload, "utf-8", "surrogatepass"))

    def empty_list(self) -> None:
        """EMPTY_LIST and EMPTY_SET: a set comes back as a list."""
        self._push([], "container")

    def empty_tuple(self) -> None:
        """EMPTY_TUPLE."""
        self._push((), "container")

    def empty_dictionary(self) -> None:
        """EMPTY_DICT."""
        self._push({}, "container")

    def marked_list(self) -> None:
        """LIST and FROZENSET."""
        self._push(self._marked(), "container")

    def marked_tuple(self) -> None:
        """TUPLE."""
        self._push(tuple(self._marked()), "container")

    def tuple_1(self) -> None:
        """TUPLE1."""
        self._tuple(1)

    def tuple_2(self) -> None:
        """TUPLE2."""
        self._tuple(2)

    def tuple_3(self) -> None:
        """TUPLE3."""
        self._tuple(3)

    def _tuple(self, size: int) -> None:
        if len(self._stack) < size:
            raise IndexError("a tuple of more than there is")
        parts = tuple(self._stack[-size:])
        del self._stack[-size:]
        self._push(parts, "container")

    def append(self) -> None:
        """APPEND."""
        self._extend([self._stack.pop()])

    def extend(self) -> None:
        """APPENDS and ADDITEMS."""
        self._extend(self._marked())

    def _extend(self, parts: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not list:
            raise damage(self._path, f"something is put into a `{type(target).__name__}`")
        cast(list[Any], target).extend(parts)

    def marked_dictionary(self) -> None:
        """DICT."""
        parts = self._marked()
        self._push({}, "container")
        self._set(parts)

    def set_item(self) -> None:
        """SETITEM."""
        value, key = self._stack.pop(), self._stack.pop()
        self._set([key, value])

    def set_items(self) -> None:
        """SETITEMS."""
        self._set(self._marked())

    def _set(self, parts: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not dict or len(parts) % 2:
            raise damage(self._path, "a key is set in something that is no dictionary")
        self._budget.take(len(parts) * 50, "objects")
        entries = cast(dict[Any, Any], target)
        for place in range(0, len(parts), 2):
            if len(entries) > _MOST_NUMBERS and not isinstance(parts[place], str | bytes):
                raise damage(self._path, "a dictionary has very many keys that are no text")
            if not isinstance(parts[place], _KEYS):
                kind = type(parts[place]).__name__.strip("_")
                raise damage(self._path, f"a dictionary has a key that is a `{kind}`")
            entries[parts[place]] = parts[place + 1]

    def put_line(self) -> None:
        """PUT."""
        self._remember(int(self._bytes.line()))

    def put_1(self) -> None:
        """BINPUT."""
        self._remember(self._bytes.number("<B"))

    def put_4(self) -> None:
        """LONG_BINPUT."""
        self._remember(self._bytes.number("<I"))

    def memoise(self) -> None:
        """MEMOIZE."""
        self._remember(len(self._memo))

    def get_line(self) -> None:
        """GET."""
        self._recall(int(self._bytes.line()))

    def get_1(self) -> None:
        """BINGET."""
        self._recall(self._bytes.number("<B"))

    def get_4(self) -> None:
        """LONG_BINGET."""
        self._recall(self._bytes.number("<I"))

    def global_line(self) -> None:
        """GLOBAL."""
        module_name = self._bytes.line().decode("utf-8")
        self._global(module_name, self._bytes.line().decode("utf-8"))

    def global_stack(self) -> None:
        """STACK_GLOBAL."""
        global_name, module_name = self._stack.pop(), self._stack.pop()
        if type(global_name) is not str or type(module_name) is not str:
            raise refusal(self._path, "a global whose name is no text")
        self._global(module_name, global_name)

    def _global(self, module_name: str, global_name: str) -> None:
        maker: Callable[..., Any] | None = GLOBALS.get((module_name, global_name))
        if maker is None:
            raise refusal(self._path, f"`{module_name}.{global_name}`")
        self._push(Global(maker, self._path), "container")

    def call(self) -> None:
        """REDUCE."""
        arguments, function = self._stack.pop(), self._stack.pop()
        if not isinstance(function, Global) or type(arguments) is not tuple:
            raise refusal(self._path, f"a call of a `{type(function).__name__.strip('_')}`")
        made: object = function(*cast(tuple[Any, ...], arguments))
        self._push(made, "container")

    def build(self) -> None:
        """BUILD."""
        state: object = self._stack.pop()
        target: object = self._stack[-1]
        if not has_state(target):
            raise refusal(self._path, f"a state for a `{type(target).__name__.strip('_')}`")
        target.__setstate__(state)
