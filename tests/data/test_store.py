"""The store appears whole or not at all, and says when it is damaged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from setgf.data.atomic_folder import write_folder
from setgf.data.store import list_stores, open_store, write_store
from setgf.errors import DataError
from setgf.home import Home
from setgf.terms import Modality, Split
from tests.data.builders import make_facts, make_split, make_splits, make_store


def test_what_is_written_comes_back_mapped(home: Home) -> None:
    splits = make_splits()

    write_store(home.data, "small", splits, make_facts())
    store = open_store(home, "small")

    for split in Split:
        written, read = splits[split], store.split(split)
        assert (read.ids, read.transcripts) == (written.ids, written.transcripts)
        np.testing.assert_array_equal(read.labels, written.labels)
        assert read.unimodal_labels is not None
        assert list(read.unimodal_labels) == list(Modality)
        assert read.tokens is not None
        assert written.tokens is not None
        for ours, theirs in (
            (read.audio, written.audio),
            (read.vision, written.vision),
            (read.tokens, written.tokens),
        ):
            np.testing.assert_array_equal(ours.values, theirs.values)
            np.testing.assert_array_equal(ours.offsets, theirs.offsets)
            assert isinstance(ours.values, np.memmap)
        assert read.text_features is None


def test_a_store_can_hold_no_frames_at_all(home: Home) -> None:
    store = make_store(home, train=(0, 0))

    assert open_store(home, "small").split(Split.TRAIN).audio.lengths.tolist() == [0, 0]
    assert store.split(Split.TRAIN).audio.width == 4


def test_the_fingerprint_follows_the_numbers_and_nothing_else(home: Home) -> None:
    splits = make_splits()
    first = write_store(home.data, "a", splits, make_facts(source="one"))
    same = write_store(home.data, "b", splits, make_facts(source="other", report={"x": 1}))
    changed = dict(splits)
    changed[Split.TEST] = make_split("test", seed=9)
    other = write_store(home.data, "c", changed, make_facts())

    assert first.manifest.fingerprint == same.manifest.fingerprint
    assert first.manifest.fingerprint != other.manifest.fingerprint


def test_the_manifest_says_what_the_store_is(home: Home) -> None:
    make_store(home, train=(2, 4, 1, 3))
    manifest = open_store(home, "small").manifest

    assert manifest.sizes == {Split.TRAIN: 4, Split.VALID: 3, Split.TEST: 3}
    assert (manifest.audio_width, manifest.vision_width, manifest.text_feature_width) == (
        4,
        3,
        None,
    )
    assert manifest.label_range == (-2.0, 2.0)
    assert manifest.has_tokens
    assert manifest.has_unimodal_labels


def test_a_name_is_taken_once_unless_forced(home: Home) -> None:
    make_store(home)

    with pytest.raises(DataError, match=r"named `small` exists already.*--force"):
        make_store(home)
    write_store(home.data, "small", make_splits(train=(1,)), make_facts(), force=True)

    assert open_store(home, "small").manifest.sizes[Split.TRAIN] == 1
    assert [entry.name for entry in home.data.iterdir()] == ["small"]


@pytest.mark.parametrize("name", ["", "../up", ".hidden", "a b", "a/b", "x" * 65, "line\n"])
def test_a_name_that_is_no_folder_name_is_refused(home: Home, name: str) -> None:
    with pytest.raises(DataError, match="can't be named"):
        make_store(home, name)
    with pytest.raises(DataError, match="No feature store named"):
        open_store(home, name)


def test_an_unknown_store_names_the_known_ones(home: Home) -> None:
    with pytest.raises(DataError, match=r"No feature store named `mosi`\. Known: none yet"):
        open_store(home, "mosi")
    make_store(home, "a")
    make_store(home, "b")

    with pytest.raises(DataError, match=r"Known: `a`, `b`\. See `setgf data list`"):
        open_store(home, "mosi")
    assert [store.name for store in list_stores(home)] == ["a", "b"]


def test_a_writer_that_fails_leaves_nothing(home: Home) -> None:
    with pytest.raises(ZeroDivisionError), write_folder(home.data / "x", replace=False) as writer:
        writer.write_array("a.npy", np.zeros(3))
        _ = 1 / 0

    assert list(home.data.iterdir()) == []


def test_a_killed_writer_leaves_no_store_and_its_rest_is_swept(home: Home) -> None:
    code = (
        "import os, signal, sys, pathlib, numpy\n"
        "from setgf.data.atomic_folder import write_folder\n"
        "with write_folder(pathlib.Path(sys.argv[1]) / 'x', replace=False) as writer:\n"
        "    writer.write_array('a.npy', numpy.zeros(3))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(home.data)], check=False)
    left = [entry.name for entry in home.data.iterdir()]

    assert killed.returncode == -signal.SIGKILL
    assert len(left) == 1
    assert left[0].startswith(".writing-")
    assert list_stores(home) == ()
    make_store(home)
    assert [entry.name for entry in home.data.iterdir()] == ["small"]


def test_a_replacement_killed_halfway_brings_the_old_store_back(home: Home) -> None:
    make_store(home)
    (home.data / "small").rename(home.data / ".replaced-small")

    assert open_store(home, "small").manifest.sizes[Split.TRAIN] == 3


def test_a_full_disk_is_one_sentence_and_leaves_nothing(home: Home) -> None:
    code = (
        "import resource, sys\n"
        "from setgf.cli.main import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "sys.argv = ['setgf', 'data', 'synth', '--name', 'big']\n"
        "main()\n"
    )
    home.data.mkdir(parents=True)
    failed = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "SETGF_HOME": str(home.root)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert failed.returncode == 3
    assert failed.stderr.splitlines() == [
        f"setgf: error: The feature store `big` can't be written to {home.data}: "
        "File too large. Nothing was kept."
    ]
    assert list(home.data.iterdir()) == []


def test_a_home_that_can_not_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(DataError, match=r"can't be written to .*Not a directory"):
        make_store(Home(tmp_path / "file"))


def change_file(home: Home, name: str, data: bytes | None) -> None:
    path = home.data / "small" / name
    if data is None:
        path.unlink()
    else:
        path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("train.audio.npy", b"short", "`train.audio.npy` has 5 bytes, but 256 were written"),
        ("train.audio.npy", None, "can't be read"),
        ("manifest.json", b"{}", "is not a manifest"),
        ("manifest.json", b"\xff\xff", "is not a manifest"),
        ("manifest.json", b'{"format_version": 1}', "is not a manifest"),
        ("manifest.json", b'{"format_version": 2}', "format version 2, but this setgf reads"),
    ],
)
def test_damage_is_named_when_a_store_is_opened(
    home: Home, name: str, data: bytes | None, what: str
) -> None:
    make_store(home)
    change_file(home, name, data)

    with pytest.raises(DataError, match=what):
        open_store(home, "small")


def test_a_changed_byte_is_found_by_check(home: Home) -> None:
    make_store(home)
    path = home.data / "small" / "valid.labels.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)

    store = open_store(home, "small")
    with pytest.raises(DataError, match=r"`valid\.labels\.npy` does not have the hash"):
        store.check()


def test_offsets_that_do_not_fit_are_refused(home: Home) -> None:
    make_store(home)
    path = home.data / "small" / "train.audio_offsets.npy"
    offsets = np.lib.format.open_memmap(path, mode="r+")
    offsets[1] = 100
    offsets.flush()

    with pytest.raises(DataError, match=r"`train\.audio_offsets\.npy` does not fit"):
        open_store(home, "small").split(Split.TRAIN)


def test_arrays_of_objects_are_never_loaded(home: Home) -> None:
    make_store(home)
    path = home.data / "small" / "train.labels.npy"
    np.save(path, np.array([{}, {}, {}], object), allow_pickle=True)
    manifest = home.data / "small" / "manifest.json"
    plain = json.loads(manifest.read_text())
    plain["files"]["train.labels.npy"]["size"] = path.stat().st_size
    manifest.write_text(json.dumps(plain))

    with pytest.raises(DataError, match="is not an array file"):
        open_store(home, "small").split(Split.TRAIN)
