"""The file that defines an encoder's tokenizer, in any of the forms encoders come with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setgf.data.sentencepiece_file import read_piece_model
from setgf.errors import EncoderError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BYTE_PIECES, PIECE_MODEL = "vocab.json", "spm.model"
_MERGES = "merges.txt"
_FORMS = ("tokenizer.json", "vocab.txt", BYTE_PIECES, PIECE_MODEL)
"""`tokenizers`' own, BERT's, GPT-2's (RoBERTa, DeBERTa) and SentencePiece's (DeBERTa-v2, -v3)."""
_SWITCHES = ("do_lower_case", "split_by_punct")
"""Switches of `tokenizer_config.json` that the forms but the first need."""


def tokenizer_file(folder: Path) -> Path:
    """Return the file that defines the tokenizer of `folder`.

    Raises:
        EncoderError: there is none of a known form.
    """
    own = folder / _FORMS[0]
    if own.is_file():
        return own
    unread = [*folder.glob("bpe.codes"), *folder.glob("sentencepiece*.model"),
              *folder.glob("spiece.model")]  # fmt: skip
    if unread:
        raise EncoderError(
            f"The tokenizer in {folder} is only there as `{unread[0].name}`, which can't be read. "
            "Make its `tokenizer.json` once, with `pip install sentencepiece protobuf` and in "
            f"Python `from transformers import AutoTokenizer; AutoTokenizer.from_pretrained("
            f"'{folder}').save_pretrained('{folder}')`."
        )
    for name in _FORMS:
        is_whole = name != BYTE_PIECES or (folder / _MERGES).is_file()
        if is_whole and (folder / name).is_file():
            return folder / name
    raise EncoderError(
        f"No tokenizer in {folder}: it needs `tokenizer.json`, `vocab.txt`, `vocab.json` with "
        "`merges.txt`, or `spm.model`. "
        "Give the folder of a complete text encoder with `text.encoder`."
    )


def build_tokenizer(path: Path) -> Tokenizer:
    """Return the tokenizer that a file of `tokenizer_file` defines."""
    from tokenizers import Tokenizer

    if path.name == BYTE_PIECES:
        return _byte_pieces(path)
    if path.name == PIECE_MODEL:
        return _sentence_pieces(path)
    return _word_pieces(path) if path.suffix == ".txt" else Tokenizer.from_file(str(path))


def defining_bytes(path: Path) -> bytes:
    """Return what decides how the tokenizer of a file cuts texts: equal bytes, equal pieces."""
    content = path.read_bytes()
    if path.name == _FORMS[0]:
        return content
    if path.name == BYTE_PIECES:
        content += path.with_name(_MERGES).read_bytes()
    switches = {name: _setting(path.parent, name) for name in _SWITCHES}
    told = {name: value for name, value in switches.items() if value is not None}
    return content + (json.dumps(told).encode() if told else b"")


def _word_pieces(path: Path) -> Tokenizer:
    from tokenizers import BertWordPieceTokenizer, Tokenizer

    lowercase = _setting(path.parent, "do_lower_case")
    wrapper: Any = BertWordPieceTokenizer(
        str(path), lowercase=_is_lowercase(path) if lowercase is None else lowercase
    )
    return Tokenizer.from_str(wrapper.to_str())


def _byte_pieces(path: Path) -> Tokenizer:
    from tokenizers import ByteLevelBPETokenizer, Tokenizer

    wrapper: Any = ByteLevelBPETokenizer(str(path), str(path.with_name(_MERGES)))
    tokenizer = Tokenizer.from_str(wrapper.to_str())
    is_bert = tokenizer.token_to_id("[CLS]") is not None
    _frame(tokenizer, ("[CLS]", "[SEP]") if is_bert else ("<s>", "</s>"))
    return tokenizer


def _sentence_pieces(path: Path) -> Tokenizer:
    from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

    model = read_piece_model(path)
    tokenizer = Tokenizer(models.Unigram(list(model.pieces), model.unknown_id))
    steps: list[Any] = [normalizers.Lowercase()] if _setting(path.parent, "do_lower_case") else []
    steps.append(normalizers.Strip())
    if model.character_map:
        steps.append(normalizers.Precompiled(model.character_map))
    steps.append(normalizers.Replace(Regex(" {2,}"), " "))
    cut: list[Any] = []
    if _setting(path.parent, "split_by_punct"):
        cut.append(pre_tokenizers.Punctuation("isolated"))
    cut.append(pre_tokenizers.Metaspace(prepend_scheme="always"))
    changed: Any = tokenizer
    changed.normalizer = normalizers.Sequence(steps)
    changed.pre_tokenizer = pre_tokenizers.Sequence(cut)
    changed.add_tokens([AddedToken(text, normalized=False) for text in model.user_defined])
    _frame(tokenizer, ("[CLS]", "[SEP]"))
    return tokenizer


def _frame(tokenizer: Tokenizer, frame: tuple[str, str]) -> None:
    """Let every text begin and end with these pieces."""
    from tokenizers import processors

    first, last = frame
    changed: Any = tokenizer
    changed.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        special_tokens=[(piece, tokenizer.token_to_id(piece)) for piece in frame],
    )


def _setting(folder: Path, name: str) -> bool | None:
    """Return a switch of `tokenizer_config.json`; None where it does not say."""
    try:
        plain: Any = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        value: object = plain.get(name)
    except (OSError, ValueError, AttributeError):
        return None
    return value if isinstance(value, bool) else None


def _is_lowercase(vocabulary: Path) -> bool:
    """Return whether no word of a vocabulary has an upper-case letter."""
    with vocabulary.open(encoding="utf-8") as file:
        words = (line.strip() for line in file)
        return all(word.islower() for word in words if word.isascii() and word.isalpha())
