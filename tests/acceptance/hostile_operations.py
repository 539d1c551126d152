"""Pickles that try every way of the language to run code, each of them short and by hand."""

from __future__ import annotations

import struct
from collections.abc import Mapping

_HEADER = b"\x80\x04"
_NEWEST = b"\x80\x05"


def text(value: str) -> bytes:
    """Return the operation that pushes text."""
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def named(module: str, name: str) -> bytes:
    """Return the operations that push a global by STACK_GLOBAL."""
    return text(module) + text(name) + b"\x93"


def array(dtype: bytes, shape: bytes, data: bytes) -> bytes:
    """Return the operations that make one array the way numpy does."""
    begin = named("numpy.core.multiarray", "_reconstruct") + named("numpy", "ndarray")
    return begin + b"K\x00\x85C\x01b\x87R(K\x01" + shape + dtype + b"\x89" + data + b"tb"


def dtype(spec: str, state: bytes = b"") -> bytes:
    """Return the operations that make a dtype."""
    return named("numpy", "dtype") + text(spec) + b"\x89\x88\x87R" + state


DTYPE_STATE = b"(K\x03" + text("<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
_FIELDS = b"(K\x03" + text("<") + b"N" + text("a") + b"\x85}K\x08K\x08K?tb"


def hostile_operations(command: str) -> Mapping[str, tuple[str, bytes]]:
    """Return pickles by what they try: what must be named in the refusal, and their bytes."""
    called = text(command) + b"\x85R."
    python = text(f"__import__('os').system({command!r})") + b"\x85R."
    routes = {
        "builtins.getattr": ("builtins", "getattr"),
        "builtins.__import__": ("builtins", "__import__"),
        "operator.attrgetter": ("operator", "attrgetter"),
        "functools.partial": ("functools", "partial"),
        "importlib.import_module": ("importlib", "import_module"),
        "copyreg._reconstructor": ("copyreg", "_reconstructor"),
        "types.CodeType": ("types", "CodeType"),
        "codecs.decode": ("codecs", "decode"),
        "numpy.load": ("numpy", "load"),
        "numpy.f2py.diagnose.run": ("numpy.f2py.diagnose", "run"),
        "joblib.numpy_pickle.NumpyArrayWrapper": ("joblib.numpy_pickle", "NumpyArrayWrapper"),
        "pandas.core.internals.managers.BlockManager": (
            "pandas.core.internals.managers",
            "BlockManager",
        ),
        "torch._utils._rebuild_tensor_v2": ("torch._utils", "_rebuild_tensor_v2"),
        "numpy.dtype.__class__": ("numpy", "dtype.__class__"),
        "numpy.core.multiarray._reconstruct.__globals__": (
            "numpy.core.multiarray",
            "_reconstruct.__globals__",
        ),
        "builtins.bytearray.__class__": ("builtins", "bytearray.__class__"),
        "numpy.core.multiarray.os.system": ("numpy.core.multiarray.os", "system"),
    }
    by_name = {
        f"global {asked}": (asked, _HEADER + named(*route) + called)
        for asked, route in routes.items()
    }
    system = named("numpy", "dtype")
    return {
        **by_name,
        "eval by name in lower protocols": ("__builtin__.eval", b"c__builtin__\neval\n" + python),
        "STACK_GLOBAL of bytes": ("name is no text", _HEADER + b"C\x02osC\x06system\x93" + called),
        "STACK_GLOBAL from the memo": (
            "os.system",
            _HEADER + text("system") + b"\x94" + text("os") + b"h\x00\x93" + called,
        ),
        "STACK_GLOBAL after a swap": (
            "posix.system",
            _HEADER + text("posix") + b"q\x00" + text("system") + b"q\x010" + b"0h\x00h\x01\x93"
            + called,
        ),
        "INST": ("INST `os.system`", b"(" + text(command) + b"ios\nsystem\n."),
        "OBJ": ("OBJ", b"(" + system + text(command) + b"o."),
        "NEWOBJ": ("NEWOBJ", _HEADER + system + b")\x81."),
        "NEWOBJ_EX": ("NEWOBJ_EX", _HEADER + system + b")}\x92."),
        "EXT1": ("EXT1", b"\x80\x02\x82\x01."),
        "EXT2": ("EXT2", b"\x80\x02\x83\x01\x00."),
        "EXT4": ("EXT4", b"\x80\x02\x84\x01\x00\x00\x00."),
        "PERSID": ("PERSID `/etc/passwd`", b"P/etc/passwd\n."),
        "BINPERSID": ("BINPERSID", text("/etc/passwd") + b"Q."),
        "NEXT_BUFFER": ("NEXT_BUFFER", _NEWEST + b"\x97."),
        "READONLY_BUFFER": ("READONLY_BUFFER", _NEWEST + b"\x98."),
        "REDUCE of a list": ("a call of a `list`", _HEADER + b"])R."),
        "REDUCE of text": ("a call of a `str`", _HEADER + text("os.system") + called),
        "REDUCE without a tuple": ("a call of a", _HEADER + system + text(command) + b"R."),
        "BUILD on a global": ("a change of a global", _HEADER + system + b"}b."),
        "BUILD of slots on a global": (
            "a change of a global",
            _HEADER + system + b"N}" + text("x") + b"K\x01s\x86b.",
        ),
        "BUILD on a dictionary": ("a state for a `dict`", _HEADER + b"}}b."),
        "BUILD on a list": ("a state for a `list`", _HEADER + b"]}b."),
        "BUILD of a dtype with fields": (
            "array type of parts",
            _HEADER + dtype("f8", _FIELDS) + b".",
        ),
        "BUILD of a dtype with a wrong order": (
            "array type of parts",
            _HEADER + dtype("f8", b"(K\x03K\x05NNNK\x00K\x00K\x00tb") + b".",
        ),
        "a dtype of objects with bytes for them": (
            "does not hold as many objects",
            _HEADER + array(dtype("O8", DTYPE_STATE), b"K\x01\x85", b"C\x08" + b"a" * 8) + b".",
        ),
        "a dtype that is no name": ("array type", _HEADER + system + b"K\x05\x89\x88\x87R."),
        "a dtype of dates": ("array type `M8`", _HEADER + dtype("M8") + b"."),
        "a dtype of raw bytes": ("array type `V8`", _HEADER + dtype("V8") + b"."),
        "a dtype of records": ("array type `f4,O`", _HEADER + dtype("f4,O") + b"."),
        "a matrix instead of an array": (
            "numpy.matrix",
            _HEADER + named("numpy.core.multiarray", "_reconstruct") + named("numpy", "matrix")
            + b"K\x00\x85C\x01b\x87R.",
        ),
        "a global as data": ("`Global` as data", _HEADER + system + b"."),
        "an encoding that unpacks": (
            "encoding `zip`",
            _HEADER + named("_codecs", "encode") + text("a") + text("zip") + b"\x86R.",
        ),
    }  # fmt: skip


def impossible_sizes() -> Mapping[str, tuple[str, bytes]]:
    """Return pickles that declare more than they hold: what is said of them, and their bytes."""
    large = struct.pack("<Q", 1 << 60)
    plain = dtype("f4", DTYPE_STATE)
    return {
        "bytes of 1 EB": ("is not a pickle, or is damaged", _HEADER + b"\x8e" + large + b"abc."),
        "a buffer of 1 EB": ("is not a pickle, or is damaged", _NEWEST + b"\x96" + large + b"abc."),
        "text of 1 EB": ("is not a pickle, or is damaged", _HEADER + b"\x8d" + large + b"abc."),
        "a frame of 1 EB": ("is damaged", _HEADER + b"\x95" + large + b"N."),
        "old text of 2 GB": ("is not a pickle", b"T\xff\xff\xff\x7fabc."),
        "old text of minus one byte": ("is not a pickle", b"T\xff\xff\xff\xffabc."),
        "a memo of 4 billion entries": ("is damaged", _HEADER + b"Nr\xff\xff\xff\xff."),
        "a whole number of 2 GB": ("is damaged", _HEADER + b"\x8b\xff\xff\xff\x7f."),
        "a million digits": ("is damaged", b"L" + b"9" * 1_000_000 + b"L\n."),
        "an array of 8 GB in 4 bytes": (
            "needs 8522825728 bytes, but holds 4",
            _HEADER + array(plain, b"J\x00\x00\x00\x7f\x85", b"C\x04aaaa") + b".",
        ),
        "an array of minus one": (
            "has the shape",
            _HEADER + array(plain, b"J\xff\xff\xff\xff\x85", b"C\x04aaaa") + b".",
        ),
        "an array of nothing, many times": (
            "holds 0",
            _HEADER + array(dtype("U0", DTYPE_STATE), b"J\x00\x00\x00\x7f\x85", b"C\x00") + b".",
        ),
        "an array of 100 dimensions": (
            "has the shape",
            _HEADER + array(plain, b"(" + b"K\x01" * 100 + b"t", b"C\x04aaaa") + b".",
        ),
        "an operation that does not exist": ("is not a pickle", _HEADER + b"\xff."),
        "a protocol of the future": ("newer than 5", b"\x80\x06N."),
        "a tuple of more than there is": ("is not a pickle", _HEADER + b"N\x87."),
        "no end": ("is not a pickle", _HEADER + b"N"),
        "an end at once": ("is not a pickle", b"."),
        "a memo entry that was never made": ("was never made", _HEADER + b"h\x07."),
        "a list put into a number": ("is damaged", _HEADER + b"K\x01Na."),
        "a list as a key": ("key that is a `list`", _HEADER + b"}]Ns."),
        "keys without values": ("is damaged", _HEADER + b"}(Nu."),
    }
