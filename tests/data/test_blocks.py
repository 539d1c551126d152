"""Large arrays stay in the file; what a file may take is counted before it is taken."""

from __future__ import annotations

import os
import pickle
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from setgf.data.blocks import Block, OpenFile
from setgf.data.features import read_feature_file
from setgf.data.memory import parse_size
from setgf.data.pickle_guard import load_pickle
from setgf.data.store import write_store
from setgf.errors import ConfigError, DataError
from setgf.home import Home
from setgf.terms import Split
from tests.data.builders import make_content, write_pickle

LARGE = (40, 50, 30)


def large(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=LARGE).astype(np.float32)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_large_array_is_the_same_wherever_it_stays(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({"a": large()}, protocol))

    read = load_pickle(path)["a"]

    np.testing.assert_array_equal(np.asarray(read), large())
    np.testing.assert_array_equal(read[3:5], large()[3:5])
    assert isinstance(read, Block) == (protocol >= 4)


def test_a_block_reads_what_is_asked_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({"a": large()}, 4))
    block = load_pickle(path)["a"]

    assert (len(block), block.ndim, block.shape) == (40, 3, LARGE)
    assert block[39:99].shape == (1, 50, 30)
    assert block[7:7].shape == (0, 50, 30)
    np.testing.assert_array_equal(next(iter(block)), large()[0])


def test_a_file_that_is_replaced_while_it_is_read_stays_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({"a": large()}, 4))
    block = load_pickle(path)["a"]

    (tmp_path / "b").write_bytes(b"other")
    (tmp_path / "b").replace(path)

    np.testing.assert_array_equal(np.asarray(block), large())


def test_a_file_that_is_cut_while_it_is_read_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({"a": large()}, 4))
    block = load_pickle(path)["a"]
    os.truncate(path, 1000)

    with pytest.raises(DataError, match=r"a\.pkl became shorter while it was read"):
        _ = block[:]


def test_a_hash_is_that_of_the_whole_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")

    assert OpenFile(tmp_path / "a").sha256().startswith("ba7816bf8f01cfea414140de5dae2223")


def make_large_content(steps: int) -> dict[str, Any]:
    content = make_content(count=32)
    for entry in content.values():
        for key, width in (("audio", 40), ("vision", 20)):
            frames = np.ones((32, steps, width), np.float32)
            lengths = np.arange(1, 33) * steps // 64
            frames[np.arange(steps) >= lengths[:, None]] = 0
            entry[key], entry[f"{key}_lengths"] = frames, lengths.tolist()
    return content


def test_frames_left_in_the_file_are_those_read_at_once(tmp_path: Path) -> None:
    content = make_large_content(steps=100)
    splits = read_feature_file(write_pickle(tmp_path, content)).splits

    for split in Split:
        entry, audio = content[str(split)], splits[split].audio
        assert audio.lengths.tolist() == entry["audio_lengths"]
        kept = [f[:n] for f, n in zip(entry["audio"], entry["audio_lengths"], strict=True)]
        np.testing.assert_array_equal(np.concatenate([*audio.chunks()]), np.concatenate(kept))
        picked = np.concatenate([*audio.chunks(np.array([30, 2]))])
        np.testing.assert_array_equal(picked, np.concatenate([kept[30], kept[2]]))


def test_a_large_import_takes_little_memory(tmp_path: Path, home: Home) -> None:
    path = write_pickle(tmp_path, make_large_content(steps=6000))
    size = path.stat().st_size
    tracemalloc.start()
    try:
        file = read_feature_file(path)
        write_store(home.data, "large", file.splits, file.facts)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert size > 130e6
    assert peak < 110e6  # a few chunks of 16 MiB, whatever the size of the file


@pytest.mark.parametrize(
    ("text", "size"), [("500M", 500_000_000), ("8G", 8 * 10**9), ("1.5 kB", 1500), ("77", 77)]
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "much", "8X", "1e9"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"`--max-memory` is .*such as 500M"):
        parse_size(text)


@pytest.mark.parametrize(
    "data",
    [
        b"]" * 100_000 + b".",
        b"(" * 100_000 + b".",
        b"}" * 100_000 + b".",
        b"\x80\x04" + b"]\x94" * 50_000 + b".",
        b"K\x01" * 50_000 + b".",
        pickle.dumps(["x" * 3000 + str(n) for n in range(400)]),
        pickle.dumps(np.arange(300_000)),
    ],
)
def test_more_than_the_allowed_memory_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(data)

    with pytest.raises(DataError, match=r"more than 1 MB of memory.*--max-memory"):
        load_pickle(path, max_memory=1_000_000)


def test_lists_that_name_each_other_over_and_over_are_refused(tmp_path: Path) -> None:
    knot: list[Any] = [1.0] * 10
    for _ in range(12):
        knot = [knot] * 10
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(knot, 4))

    with pytest.raises(DataError, match=r"a\.pkl is damaged: it names its parts many times over"):
        load_pickle(tmp_path / "a.pkl")


def test_numbers_chosen_to_make_a_dictionary_slow_are_refused(tmp_path: Path) -> None:
    same_hash = {row * ((1 << 61) - 1): None for row in range(1, 2000)}
    (tmp_path / "few.pkl").write_bytes(pickle.dumps(same_hash, 4))
    many = b"".join(b"J" + struct.pack("<i", row) + b"N" for row in range(20_000))
    (tmp_path / "many.pkl").write_bytes(b"\x80\x04}(" + many[: 6 * 10_000] + b"u(" + many + b"u.")

    assert len(load_pickle(tmp_path / "few.pkl")) == 1999
    with pytest.raises(DataError, match="very many keys that are no text"):
        load_pickle(tmp_path / "many.pkl")
