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
    Tokens,
    cut,
    encode,
    hash_words,
    installed_tokenizer,
    load_tokenizer,
    tokenise,
)
from setgf.data.vocabulary import read_vocabulary
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
    assert rows(tokens.ids) == rows(split.tokens)


def test_another_vocabulary_tokenises_the_transcripts_again(small_folder: Path) -> None:
    tokens = tokenise(make_split(), small_folder, max_tokens=50, vocabulary=ENGLISH_VOCABULARY)

    assert rows(tokens.ids)[1] == [
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
    assert rows(kept.ids) == rows(split.tokens)
    assert rows(again.ids) == rows(without.ids)
    assert rows(without.ids)[0] == [101, 2009, 2001, 2204, 1012, 102]


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
    with pytest.raises(
        EncoderError, match=r"needs `tokenizer\.json`, `vocab\.txt`, .*`spm\.model`"
    ):
        tokenise(make_split(), tmp_path, max_tokens=9, vocabulary=ENGLISH_VOCABULARY)


def test_a_damaged_tokenizer_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")

    with pytest.raises(EncoderError, match="can't be read"):
        load_tokenizer(tmp_path)


def test_what_was_tokenised_once_is_read_again(
    small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    first = tokenise_small(small_folder, cache)
    monkeypatch.setattr("setgf.data.tokens.encode", _refuse)

    again = tokenise_small(small_folder, cache)

    assert rows(again.ids) == rows(first.ids)
    assert again.facts == first.facts
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY broken", b"x" * 400])
def test_a_damaged_cache_is_made_again(small_folder: Path, tmp_path: Path, damage: bytes) -> None:
    cache = tmp_path / "cache"
    first = tokenise_small(small_folder, cache)
    next(cache.iterdir()).write_bytes(damage)

    assert rows(tokenise_small(small_folder, cache).ids) == rows(first.ids)
    assert len(next(cache.iterdir()).read_bytes()) > len(damage) or len(damage) == 400


def test_another_tokenizer_or_transcript_is_tokenised_anew(
    small_folder: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    tokenise_small(small_folder, cache)
    (small_folder / "vocab.txt").write_text("\n".join([*WORDS, "odd"]), encoding="utf-8")
    tokenise_small(small_folder, cache)
    split = replace(make_split(), transcripts=("odd", "odd", "very odd"))

    odd = tokenise(split, small_folder, max_tokens=9, vocabulary=ENGLISH_VOCABULARY, cache=cache)

    assert rows(odd.ids)[0] == [2, len(WORDS), 3]
    assert len(list(cache.iterdir())) == 3


def test_a_cache_that_cannot_be_written_is_done_without(small_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    tokens = tokenise_small(small_folder, tmp_path / "file" / "cache")

    assert len(tokens.ids) == 3


def test_what_is_cut_or_unknown_is_counted_and_told(small_folder: Path) -> None:
    split = replace(make_split(), transcripts=("good good strange", "very good .", "odd"))

    facts = tokenise(split, small_folder, max_tokens=4, vocabulary=CHINESE_VOCABULARY).facts

    assert (facts.source, facts.transcripts, facts.cut) == ("tokenizer", 3, 2)
    assert (facts.pieces, facts.unknown) == (11, 1)
    cut_off, unknown = facts.warnings("train", 4)
    assert "2 of 3 transcripts of train (66.7%) have more than 4 word pieces" in cut_off
    assert "1 of 11 word pieces of train (9.1%) are not in" in unknown


def test_little_loss_is_not_worth_a_warning() -> None:
    facts = tokenise(make_split(), None, max_tokens=50, vocabulary=ENGLISH_VOCABULARY).facts

    assert (facts.source, facts.cut, facts.unknown) == ("data", 0, 0)
    assert not list(facts.warnings("train", 50))


@needs_minilm
def test_a_vocabulary_is_known_by_both_kinds_of_files(tmp_path: Path) -> None:
    folder = installed_tokenizer()
    assert folder is not None
    whole = read_vocabulary(folder)
    words = sorted(whole.ids, key=lambda word: whole.ids[word])
    (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")

    again = read_vocabulary(tmp_path)

    assert whole.is_of(ENGLISH_VOCABULARY)
    assert again.is_of(ENGLISH_VOCABULARY)
    assert not again.is_of(CHINESE_VOCABULARY)
    assert again.unknown_id == whole.unknown_id == 100


def test_any_hugging_face_tokenizer_serves(tmp_path: Path) -> None:
    """A byte-pair one (RoBERTa's kind, nothing unknown) and a unigram one (XLM-R's kind)."""
    import tokenizers
    from tokenizers import models, pre_tokenizers, trainers

    for model, trainer, unknown in (
        (models.BPE(), trainers.BpeTrainer(vocab_size=300, show_progress=False), None),
        (
            models.Unigram(),
            trainers.UnigramTrainer(
                vocab_size=40, unk_token="<unk>", special_tokens=["<unk>"], show_progress=False
            ),
            0,
        ),
    ):
        tokenizer = tokenizers.Tokenizer(model)
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel() if unknown is None else None
        tokenizer.train_from_iterator(["it was very good", "it was bad"], trainer)
        folder = tmp_path / type(model).__name__
        folder.mkdir()
        tokenizer.save(str(folder / "tokenizer.json"))

        tokens = tokenise(make_split(), folder, max_tokens=50, vocabulary=ENGLISH_VOCABULARY)

        assert read_vocabulary(folder).unknown_id == unknown
        assert tokens.facts.source == "tokenizer"
        assert tokens.ids.row(0).tolist() == tokenizer.encode("It was good.").ids


def tokenise_small(folder: Path, cache: Path) -> Tokens:
    return tokenise(make_split(), folder, max_tokens=50, vocabulary=ENGLISH_VOCABULARY, cache=cache)


def _refuse(*_: object) -> Ragged:
    raise AssertionError("the transcripts are tokenised again")
