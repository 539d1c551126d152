"""Every malicious or broken file is refused in one clear sentence; nothing runs or is left."""

from __future__ import annotations

import os
import pickle
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from setgf.data.array_files import open_arrays
from setgf.data.memory import Budget
from setgf.data.pickle_guard import load_pickle
from setgf.errors import DataError
from setgf.home import HOME_VARIABLE
from tests.acceptance.broken_arrays import BAD_ARRAYS, LABELS, npy, write_archive
from tests.acceptance.broken_files import BAD_CONTENT, hostile_pickles
from tests.acceptance.hostile_operations import hostile_operations, impossible_sizes
from tests.acceptance.user import Outcome, check_refusal
from tests.cli.command import run_setgf
from tests.data.builders import make_content

DATA = 3
MARKER = "marker"
HOSTILE = {**hostile_pickles(Path(MARKER)), **hostile_operations(f"touch {MARKER}")}
BROKEN = impossible_sizes()


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in an empty folder with a home; afterwards nothing may have been made in either."""
    work, home = tmp_path / "work", tmp_path / "home"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv(HOME_VARIABLE, str(home))
    yield
    assert not list(work.glob(f"**/{MARKER}"))
    left = [path.name for path in (home / "data").rglob("*")] if home.exists() else []
    assert left == []


def import_file(path: Path, *options: object) -> Outcome:
    found = run_setgf("data", "import", path, "--name", "mine", *options)
    return Outcome(found.code, found.out, found.err)


def test_the_corpus_is_as_large_as_it_says() -> None:
    assert len(HOSTILE) + len(BROKEN) + len(BAD_CONTENT) + len(BAD_ARRAYS) >= 130


@pytest.mark.parametrize("name", HOSTILE)
def test_what_asks_for_more_than_plain_data_is_refused_by_name(tmp_path: Path, name: str) -> None:
    asked, data = HOSTILE[name]
    path = tmp_path / "features.pkl"
    path.write_bytes(data)

    outcome = import_file(path)

    check_refusal(outcome, DATA, str(path), asked)


@pytest.mark.parametrize("name", [n for n in hostile_pickles(Path("x")) if n != "torch storage"])
def test_the_hostile_pickles_do_run_when_read_the_ordinary_way(tmp_path: Path, name: str) -> None:
    marker = tmp_path / "ran"
    read = pickle.loads(hostile_pickles(marker)[name][1])
    if hasattr(read, "wait"):
        read.wait()

    assert marker.exists()


@pytest.mark.parametrize("name", BROKEN)
def test_sizes_and_places_that_can_not_be_are_refused(tmp_path: Path, name: str) -> None:
    what, data = BROKEN[name]
    path = tmp_path / "features.pkl"
    path.write_bytes(data)

    check_refusal(import_file(path), DATA, str(path), what)


@pytest.mark.parametrize("name", BAD_CONTENT)
def test_content_that_can_not_be_used_is_told(tmp_path: Path, name: str) -> None:
    make, parts = BAD_CONTENT[name]
    path = tmp_path / "features.pkl"
    path.write_bytes(pickle.dumps(make(), 4))

    check_refusal(import_file(path, "--dataset", "mosi"), DATA, str(path), *parts)


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_arrays_that_can_not_be_trusted_are_refused(tmp_path: Path, name: str) -> None:
    write, parts = BAD_ARRAYS[name]
    labels, arrays = tmp_path / "label.csv", write(tmp_path)
    labels.write_text(LABELS)

    outcome = import_file(labels, "--audio", arrays, "--dataset", "mosi", "--max-memory", "20M")

    check_refusal(outcome, DATA, str(arrays), *parts)


def test_hdf5_links_and_numbers_of_other_files_are_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    (tmp_path / "label.csv").write_text(LABELS)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["v0$_$0"] = np.ones((2, 3))
    with h5py.File(tmp_path / "linked.h5", "w") as file:
        file["v0$_$0"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "v0$_$0")
    (tmp_path / "raw").write_bytes(b"\0" * 24)
    with h5py.File(tmp_path / "outside.h5", "w") as file:
        where = [(str(tmp_path / "raw"), 0, 24)]
        file.create_dataset("v0$_$0", (1, 3), "f8", external=where)

    for name, what in (("linked.h5", "a link to something else"), ("outside.h5", "in other files")):
        outcome = import_file(tmp_path / "label.csv", "--audio", tmp_path / name)
        check_refusal(outcome, DATA, name, what)


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pkl")
    (tmp_path / "round.pkl").symlink_to("round.pkl")
    (tmp_path / "nowhere.pkl").symlink_to("nothing.pkl")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s.pkl"))
        for name in ("pipe.pkl", "round.pkl", "nowhere.pkl", "s.pkl", "none.pkl"):
            check_refusal(import_file(tmp_path / name), DATA, name)
    for device in ("/dev/zero", "/dev/null"):
        check_refusal(import_file(Path(device)), DATA, device, "is a folder or device")


def test_one_sample_a_split_and_text_that_is_not_utf8_are_imported_and_reported(
    tmp_path: Path,
) -> None:
    content = make_content(count=1)
    content["train"]["raw_text"] = [b"caf\xe9"]
    for entry in content.values():
        entry["regression_labels"] = np.array([1.5], np.float32)
        entry["classification_labels"] = np.array([2])
        entry["annotations"] = np.array(["Positive"])
    (tmp_path / "features.pkl").write_bytes(pickle.dumps(content, 4))

    outcome = import_file(tmp_path / "features.pkl")
    shown = run_setgf("data", "show", "mine", "--json").json

    assert outcome.code == 0, outcome.err
    assert shown["sizes"] == {"train": 1, "valid": 1, "test": 1}
    assert "not UTF-8" in outcome.err
    shutil.rmtree(tmp_path / "home")


WHOLE = pickle.dumps(
    {"train": {"a": np.arange(40.0).reshape(4, 10), "b": ["word", 1, {"c": b"x"}]}}
)
ARRAY = npy(np.arange(6.0).reshape(2, 3))
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def load_any(path: Path) -> None:
    """Read a pickle; every error must be ours, and name the file."""
    try:
        load_pickle(path, max_memory=50_000_000)
    except DataError as error:
        assert str(path) in str(error)


@RELAXED
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=6))
def test_a_pickle_with_changed_bytes_is_read_or_refused(
    tmp_path: Path, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(WHOLE)
    for place, value in changes:
        data[place] = value
    (tmp_path / "a.pkl").write_bytes(bytes(data))

    load_any(tmp_path / "a.pkl")


OPERATIONS = st.sampled_from(
    [bytes([code]) for code in range(256)]
    + [b"K\x01", b"X\x01\x00\x00\x00a", b"C\x01a", b"cnumpy\ndtype\n", b"cnumpy\nndarray\n"]
    + [
        b"cnumpy.core.multiarray\n_reconstruct\n",
        b"q\x00",
        b"h\x00",
        b"\x94",
        b"(",
        b"t",
        b"R",
        b"b",
    ]
)


@RELAXED
@given(st.lists(OPERATIONS, max_size=40))
def test_any_row_of_operations_is_read_or_refused(tmp_path: Path, parts: list[bytes]) -> None:
    (tmp_path / "a.pkl").write_bytes(b"\x80\x04" + b"".join(parts) + b".")

    load_any(tmp_path / "a.pkl")


@RELAXED
@given(st.binary(max_size=300))
def test_any_bytes_are_refused_as_arrays_or_read(tmp_path: Path, data: bytes) -> None:
    for name in ("a.npy", "a.npz", "a.safetensors"):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=name):
            open_arrays(tmp_path / name, Budget(tmp_path / name, 50_000_000))


@RELAXED
@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=6))
def test_an_archive_with_changed_bytes_is_read_or_refused(
    tmp_path: Path, changes: list[tuple[int, int]]
) -> None:
    path = write_archive(tmp_path / "a.npz", {"a.npy": ARRAY, "b.npy": ARRAY})
    data = bytearray(path.read_bytes())
    for place, value in changes:
        data[place % len(data)] = value
    path.write_bytes(bytes(data))

    try:
        arrays = open_arrays(path, Budget(path, 50_000_000))
        for name in arrays.names:
            arrays.read(name)
    except DataError as error:
        assert str(path) in str(error)
