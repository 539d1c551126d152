"""The unpickler reads plain data and nothing else."""

from __future__ import annotations

import collections
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from setgf.data.pickle_guard import load_pickle
from setgf.errors import DataError, UnsafePickleError

MARKER = "ran"


class Runs:
    """Runs a command when unpickled the ordinary way."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def write(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "file.pkl"
    path.write_bytes(data)
    return path


def text(value: str) -> bytes:
    """SHORT_BINUNICODE."""
    return b"\x8c" + bytes([len(value)]) + value.encode()


def stack_global(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


def build_array(dtype: bytes, shape: bytes, data: bytes) -> bytes:
    """A pickle of protocol 4 that makes one array the way numpy does."""
    reconstruct = stack_global("numpy._core.multiarray", "_reconstruct")
    kind = stack_global("numpy", "ndarray")
    start = b"\x80\x04" + reconstruct + kind + b"K\x00\x85C\x01b\x87R"
    return start + b"(K\x01" + shape + dtype + b"\x89" + data + b"tb."


def plain_dtype(spec: str) -> bytes:
    order = b"(K\x03" + text("<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    return stack_global("numpy", "dtype") + text(spec) + b"\x89\x88\x87R" + order


@pytest.mark.parametrize("protocol", range(6))
def test_plain_data_of_every_protocol_comes_back(tmp_path: Path, protocol: int) -> None:
    content: dict[str, Any] = {
        "block": np.arange(24.0).reshape(2, 3, 4),
        "column_order": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "empty": np.zeros((0, 3), np.float32),
        "text": np.array(["été", "b"]),
        "bytes": np.array([b"ab", b"c"]),
        "big_endian": np.arange(3, dtype=">i4"),
        "truth": np.array([True, False]),
        "half": np.float16(1.5),
        "list": [1, 2.5, None, "日本", b"\xff\x00", bytearray(b"xy"), True],
        "ordered": collections.OrderedDict(a=1),
    }

    read = load_pickle(write(tmp_path, pickle.dumps(content, protocol)))

    assert list(read) == list(content)
    for name in ("block", "column_order", "empty", "text", "bytes", "big_endian", "truth", "half"):
        np.testing.assert_array_equal(read[name], content[name])
        assert read[name].dtype == content[name].dtype
    assert read["list"] == content["list"]
    assert read["ordered"] == {"a": 1}


def test_object_arrays_of_plain_things_come_back(tmp_path: Path) -> None:
    mixed = np.empty(3, object)
    mixed[:] = [np.arange(2), "word", None]

    read = load_pickle(write(tmp_path, pickle.dumps({"a": mixed, "again": [mixed, mixed]})))

    assert read["a"][1:].tolist() == ["word", None]
    np.testing.assert_array_equal(read["a"][0], [0, 1])
    assert read["again"][0] is read["again"][1]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=12,
    ),
    st.integers(min_value=3, max_value=5),
)
def test_any_nesting_of_plain_data_comes_back(
    tmp_path_factory: pytest.TempPathFactory, content: Any, protocol: int
) -> None:
    path = tmp_path_factory.mktemp("pickle")

    assert load_pickle(write(path, pickle.dumps(content, protocol))) == content


def test_a_python_2_pickle_is_read_with_its_arrays_and_utf8_text(tmp_path: Path) -> None:
    data = struct.pack("<2f", 1.5, -2.0)
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x02\x85cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x08" + data + b"tb"
    )
    word = "été".encode()

    read = load_pickle(
        write(
            tmp_path, b"\x80\x02}U\x01a" + array + b"sU\x01bU" + bytes([len(word)]) + word + b"s."
        )
    )

    np.testing.assert_array_equal(read["a"], np.array([1.5, -2.0], np.float32))
    assert read["b"] == "été"


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    ("function", "argument", "name"),
    [
        (os.mkdir, "{}", f"{os.name}.mkdir"),
        (eval, "__import__('os').mkdir('{}')", "eval"),
        (exec, "__import__('os').mkdir('{}')", "exec"),
        (np.load, "{}", "load"),
        (np.frombuffer, "{}", "frombuffer"),
        (__import__, "{}", "__import__"),
    ],
)
def test_code_is_refused_by_name_and_never_runs(
    tmp_path: Path, protocol: int, function: Any, argument: str, name: str
) -> None:
    marker = tmp_path / MARKER
    call = Runs(function, argument.format(marker))
    path = write(tmp_path, pickle.dumps({"train": call}, protocol))

    with pytest.raises(UnsafePickleError, match=name) as refused:
        load_pickle(path)

    assert str(path) in str(refused.value)
    assert "refused before anything ran" in str(refused.value)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("numpy.core.multiarray", "_reconstruct.__globals__"),
        ("numpy", "ndarray.tofile"),
        ("numpy", "dtype.__class__"),
        ("builtins", "bytearray.__class__.__base__.__subclasses__"),
        ("collections", "OrderedDict.__init__.__globals__"),
        ("numpy.core.multiarray.os", "system"),
    ],
)
def test_dotted_names_do_not_reach_what_is_behind_them(
    tmp_path: Path, module: str, name: str
) -> None:
    path = write(tmp_path, b"\x80\x04" + stack_global(module, name) + b")R.")

    with pytest.raises(UnsafePickleError, match=name):
        load_pickle(path)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"(Vid\nios\nsystem\n.", "INST `os.system`"),
        (b"Pname\n.", "PERSID"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x04" + stack_global("numpy", "dtype") + b")\x81.", "NEWOBJ"),
        (b"\x80\x05\x97.", "NEXT_BUFFER"),
        (b"\x80\x04" + stack_global("numpy", "dtype") + b"}b.", "a change of a global"),
        (
            b"\x80\x04" + stack_global("numpy", "dtype") + b"N}" + text("x") + b"K\x01s\x86b.",
            "a change of a global",
        ),
        (b"\x80\x04" + stack_global("numpy", "ndarray") + b"K\x02\x85R.", "without `_reconstruct`"),
        (
            b"\x80\x04" + stack_global("_codecs", "encode") + text("a") + text("zip") + b"\x86R.",
            "encoding `zip`",
        ),
        (b"\x80\x04" + stack_global("numpy", "dtype") + b".", "`Global` as data"),
    ],
)
def test_operations_no_feature_file_needs_are_refused(
    tmp_path: Path, data: bytes, what: str
) -> None:
    with pytest.raises(UnsafePickleError, match=what):
        load_pickle(write(tmp_path, data))


@pytest.mark.parametrize("spec", ["M8", "V8", "c16", "f4,O", "O,f4", "i99"])
def test_array_types_of_other_things_than_numbers_and_text_are_refused(
    tmp_path: Path, spec: str
) -> None:
    data = build_array(plain_dtype(spec), b"K\x01\x85", b"C\x01a")

    with pytest.raises(UnsafePickleError, match=f"array type `{spec}`"):
        load_pickle(write(tmp_path, data))


def test_a_dtype_whose_state_hides_fields_is_refused(tmp_path: Path) -> None:
    state = b"(K\x03" + text("<") + b"N" + text("a") + b"\x85}K\x08K\x08K?tb"
    dtype = stack_global("numpy", "dtype") + text("f8") + b"\x89\x88\x87R" + state

    with pytest.raises(UnsafePickleError, match="array type of parts"):
        load_pickle(write(tmp_path, build_array(dtype, b"K\x01\x85", b"C\x08" + b"a" * 8)))


def test_an_object_array_of_raw_addresses_is_refused(tmp_path: Path) -> None:
    data = build_array(plain_dtype("O8"), b"K\x01\x85", b"C\x08" + b"a" * 8)

    with pytest.raises(DataError, match="does not hold as many objects"):
        load_pickle(write(tmp_path, data))


@pytest.mark.parametrize(
    ("spec", "shape", "data", "what"),
    [
        ("f4", b"J\x00\x00\x00\x7f\x85", b"C\x04aaaa", "holds 4"),
        ("f4", b"J\xff\xff\xff\xff\x85", b"C\x04aaaa", "has the shape"),
        ("f4", b"C\x01a\x85", b"C\x04aaaa", "has the shape"),
        ("U0", b"J\x00\x00\x00\x7f\x85", b"C\x00", "holds 0"),
        ("U1", b"K\x01\x85", b"C\x04\xff\xff\xff\x7f", "no characters"),
        ("f4", b"K\x01\x85", b"K\x05", "holds no bytes"),
    ],
)
def test_declared_shapes_must_fit_the_bytes(
    tmp_path: Path, spec: str, shape: bytes, data: bytes, what: str
) -> None:
    with pytest.raises(DataError, match=what):
        load_pickle(write(tmp_path, build_array(plain_dtype(spec), shape, data)))


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b"abc.",  # BINBYTES8
        b"\x80\x04\x95" + struct.pack("<Q", 1 << 60) + b"N.",  # FRAME
        b"\x80\x04Nr\xff\xff\xff\xff.",  # LONG_BINPUT: the memo would need 64 GB
        b"\x80\x05\x96" + struct.pack("<Q", 1 << 50) + b"abc.",  # BYTEARRAY8
    ],
)
def test_declared_sizes_beyond_the_file_allocate_nothing(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DataError, match=r"damaged"):
        load_pickle(write(tmp_path, data))


@pytest.mark.parametrize(
    "data", [b"hello, world", b"PK\x03\x04zip", b"\x80\x04N", b"\x80\x04]."[:3]]
)
def test_what_is_no_pickle_is_one_sentence(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DataError, match=r"file\.pkl is (not a pickle|damaged)"):
        load_pickle(write(tmp_path, data))


def test_a_file_cut_anywhere_is_one_sentence(tmp_path: Path) -> None:
    whole = pickle.dumps({"a": np.arange(5), "b": ["word", 1]})

    for length in range(1, len(whole)):
        with pytest.raises(DataError):
            load_pickle(write(tmp_path, whole[:length]))


def test_bytes_changed_anywhere_never_run_or_crash(tmp_path: Path) -> None:
    whole = pickle.dumps({"a": np.arange(5), "b": ["word", 1]})
    random = np.random.default_rng(0)

    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] = int(random.integers(256))
        try:
            load_pickle(write(tmp_path, bytes(changed)))
        except DataError as error:
            assert "file.pkl" in str(error)


def test_missing_empty_and_other_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.pkl").touch()

    with pytest.raises(DataError, match=r"none\.pkl does not exist.*setgf data synth"):
        load_pickle(tmp_path / "none.pkl")
    with pytest.raises(DataError, match="is a folder or device"):
        load_pickle(tmp_path)
    with pytest.raises(DataError, match=r"empty\.pkl is empty"):
        load_pickle(tmp_path / "empty.pkl")


def test_a_list_in_itself_is_refused(tmp_path: Path) -> None:
    knot: list[Any] = []
    knot.append(knot)

    with pytest.raises(DataError, match="nested more than"):
        load_pickle(write(tmp_path, pickle.dumps(knot)))
