"""The vocabulary of a tokenizer folder, read without loading the tokenizer itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from setgf.data.sentencepiece_file import read_piece_model
from setgf.data.tokenizer_file import BYTE_PIECES, PIECE_MODEL, defining_bytes, tokenizer_file
from setgf.errors import EncoderError

ENGLISH_VOCABULARY = "bert-base-uncased"
CHINESE_VOCABULARY = "bert-base-chinese"
BERT_UNKNOWN_ID = 100
"""[UNK] of both BERT vocabularies."""
_KNOWN_IDS = {
    ENGLISH_VOCABULARY: {"[CLS]": 101, "[SEP]": 102, "the": 1996, "movie": 3185, "##s": 2015},
    CHINESE_VOCABULARY: {"[CLS]": 101, "[SEP]": 102, "的": 4638, "好": 1962, "我": 2769},
}
"""A few ids tell the vocabularies apart (bert-base files of google-research)."""
_UNKNOWN = "[UNK]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The pieces of a tokenizer."""

    ids: Mapping[str, int]
    unknown_id: int | None
    """What stands for a piece that is not in it; None where everything can be spelt."""
    sha256: str
    """Of the file that defines the tokenizer."""

    def is_of(self, name: str) -> bool:
        """Return whether the ids are those of a BERT vocabulary."""
        known = _KNOWN_IDS.get(name)
        return known is not None and all(self.ids.get(k) == v for k, v in known.items())


def read_vocabulary(folder: Path) -> Vocabulary:
    """Return the vocabulary of the tokenizer in `folder`.

    Raises:
        EncoderError: there is none, or it can't be read.
    """
    path = tokenizer_file(folder)
    try:
        return _read(path, path.stat().st_mtime_ns)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EncoderError(f"The tokenizer in {folder} can't be read: {error!r}.") from error


@lru_cache(maxsize=4)
def _read(path: Path, _changed_at: int) -> Vocabulary:
    content = path.read_bytes()
    sha256 = hashlib.sha256(defining_bytes(path)).hexdigest()
    if path.name == PIECE_MODEL:
        known = read_piece_model(path)
        ids = {text: place for place, (text, _) in enumerate(known.pieces)}
        return Vocabulary(ids=ids, unknown_id=known.unknown_id, sha256=sha256)
    if path.name == BYTE_PIECES:
        return Vocabulary(ids=json.loads(content), unknown_id=None, sha256=sha256)
    if path.suffix == ".txt":
        # As the tokenizers library reads it: one piece a line, whatever Unicode calls a line end.
        words = content.decode("utf-8").split("\n")
        ids = {word.rstrip("\r"): place for place, word in enumerate(words)}
        return Vocabulary(ids=ids, unknown_id=ids.get(_UNKNOWN), sha256=sha256)
    plain = json.loads(content)
    model: Mapping[str, Any] = plain["model"]
    ids = dict(_pieces(model["vocab"]))
    ids.update({added["content"]: added["id"] for added in plain.get("added_tokens") or ()})
    unknown = model.get("unk_id", ids.get(model.get("unk_token") or ""))
    return Vocabulary(ids=ids, unknown_id=unknown, sha256=sha256)


def _pieces(vocabulary: Any) -> Iterator[tuple[str, int]]:
    """Yield pieces with their ids: a dictionary, or a list of [piece, score] (Unigram)."""
    if isinstance(vocabulary, dict):
        yield from vocabulary.items()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    else:
        yield from ((str(entry[0]), place) for place, entry in enumerate(vocabulary))
