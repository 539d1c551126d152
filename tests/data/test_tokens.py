"""Transcripts become ids with a tokenizer, with the data's own, or with neither."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from setgf.data.ragged import Ragged, from_rows
from setgf.data.tokens import (
    CHINESE_VOCABULARY,
    ENGLISH_VOCABULARY,
    HASH_VOCABULARY_SIZE,
    cut,
    encode,
    hash_words,
    installed_tokenizer,
    load_tokenizer,
    tokenise,
)
from setgf.errors import EncoderError
from tests.data.builders import make_split

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "it", "was", "very", "good", ".", "##s"]
needs_minilm = pytest.mark.skipif(
    installed_tokenizer() is None, reason="the MiniLM package is not installed"
)


@pytest.fixture
def small_folder(tmp_path: Path) -> Path:
    """A tokenizer of another vocabulary."""
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    return tmp_path


def rows(ragged: Ragged) -> list[list[int]]:
    return [ragged.row(i).tolist() for i in range(len(ragged))]


def test_without_a_tokenizer_the_datas_own_ids_are_used() -> None:
    split = make_split()

    tokens = tokenise(split, None, max_tokens=50, vocabulary=ENGLISH_VOCABULARY)

    assert split.tokens is not None
    assert rows(tokens) == rows(split.tokens)


def test_another_vocabulary_tokenises_the_transcripts_again(small_folder: Path) -> None:
    tokens = tokenise(make_split(), small_folder, max_tokens=50, vocabulary=ENGLISH_VOCABULARY)

    assert rows(tokens)[1] == [
        WORDS.index(w) for w in ["[CLS]", "it", "was", "very", "good", ".", "[SEP]"]
    ]


@needs_minilm
def test_the_same_vocabulary_keeps_the_datas_ids() -> None:
    split, folder = make_split(), installed_tokenizer()

    kept = tokenise(split, folder, max_tokens=50, vocabulary=ENGLISH_VOCABULARY)
    again = tokenise(split, folder, max_tokens=50, vocabulary=CHINESE_VOCABULARY)
    without = tokenise(
        replace(split, tokens=None), folder, max_tokens=50, vocabulary=ENGLISH_VOCABULARY
    )

    assert split.tokens is not None
    assert rows(kept) == rows(split.tokens)
    assert rows(again) == rows(without)
    assert rows(without)[0] == [101, 2009, 2001, 2204, 1012, 102]


@needs_minilm
def test_an_installed_tokenizer_neither_pads_nor_cuts() -> None:
    folder = installed_tokenizer()
    assert folder is not None

    lengths = encode(load_tokenizer(folder), ["good " * 300, "good"]).lengths

    assert lengths.tolist() == [302, 3]


def test_words_are_hashed_without_any_vocabulary() -> None:
    first, again, other, chinese = rows(
        hash_words(["Good movie!", "good  MOVIE !", "good music!", "很好看"])
    )

    assert first == again
    assert first[:2] == other[:2]
    assert first[2] != other[2]
    assert len(chinese) == 5
    assert all(row[0] == 101 and row[-1] == 102 for row in (first, other, chinese))
    assert max(first + other + chinese) < HASH_VOCABULARY_SIZE


def test_a_silent_transcript_is_start_and_end() -> None:
    assert rows(hash_words([""])) == [[101, 102]]


def test_cutting_keeps_the_last_id_last() -> None:
    ragged = from_rows(
        [np.array(row, np.int32) for row in ([1, 2, 3, 9], [1, 9], [1, 2, 9])],
        empty=np.zeros(0, np.int32),
    )

    assert rows(cut(ragged, 3)) == [[1, 2, 9], [1, 9], [1, 2, 9]]
    assert rows(cut(ragged, 2)) == [[1, 9], [1, 9], [1, 9]]
    assert rows(cut(ragged, 99)) == rows(ragged)


def test_a_folder_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"needs `tokenizer\.json` or `vocab\.txt`"):
        tokenise(make_split(), tmp_path, max_tokens=9, vocabulary=ENGLISH_VOCABULARY)


def test_a_damaged_tokenizer_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")

    with pytest.raises(EncoderError, match="can't be read"):
        load_tokenizer(tmp_path)
