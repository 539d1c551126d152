from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest
from tokenizers import ByteLevelBPETokenizer

from setgf.data.sentencepiece_file import read_piece_model
from setgf.data.tokenizer_file import defining_bytes, tokenizer_file
from setgf.data.tokens import load_tokenizer
from setgf.data.vocabulary import read_vocabulary
from setgf.errors import EncoderError

NORMAL, UNKNOWN, CONTROL, USER_DEFINED = 1, 2, 3, 4
PIECES = [
    ("[PAD]", 0.0, CONTROL),
    ("[CLS]", 0.0, CONTROL),
    ("[SEP]", 0.0, CONTROL),
    ("[UNK]", 0.0, UNKNOWN),
    ("▁good", -1.0, NORMAL),
    ("▁go", -2.0, NORMAL),
    ("od", -2.5, NORMAL),
    ("▁", -3.0, NORMAL),
    ("▁mov", -4.0, NORMAL),
    ("ie", -4.0, NORMAL),
    ("<laugh>", 0.0, USER_DEFINED),
]
GOOD_MOVIE = [1, 4, 8, 9, 2]


def field(number: int, value: bytes | int | float) -> bytes:
    """A field of a protocol buffer."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def write_model(
    folder: Path, pieces: Sequence[tuple[str, float, int]] = PIECES, *, kind: int = 1
) -> Path:
    content = b"".join(
        field(1, field(1, text.encode()) + field(2, score) + field(3, role))
        for text, score, role in pieces
    )
    content += field(2, field(3, kind)) + field(3, field(1, b"identity")) + field(4, b"\xff\xff")
    (folder / "spm.model").write_bytes(content)
    return folder


def test_a_sentencepiece_model_cuts_into_its_most_probable_pieces(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(write_model(tmp_path))

    assert tokenizer.encode("good movie").ids == GOOD_MOVIE
    assert tokenizer.encode("  good   movie ").ids == GOOD_MOVIE
    assert tokenizer.encode("good <laugh>").ids == [1, 4, 10, 2]
    assert tokenizer.encode("goX").ids == [1, 5, 3, 2]
    assert tokenizer.encode("").ids == [1, 2]


def test_a_sentencepiece_model_tells_its_vocabulary(tmp_path: Path) -> None:
    vocabulary = read_vocabulary(write_model(tmp_path))

    assert vocabulary.unknown_id == 3
    assert vocabulary.ids["▁good"] == 4
    assert len(vocabulary.ids) == len(PIECES)
    assert read_piece_model(tmp_path / "spm.model").user_defined == ("<laugh>",)


def test_capitals_are_kept_unless_the_folder_says_otherwise(tmp_path: Path) -> None:
    before = read_vocabulary(write_model(tmp_path)).sha256
    kept = load_tokenizer(tmp_path).encode("GOOD movie").ids
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True}))

    assert 3 in kept
    assert load_tokenizer(tmp_path).encode("GOOD movie").ids == GOOD_MOVIE
    assert defining_bytes(tmp_path / "spm.model") != (tmp_path / "spm.model").read_bytes()
    (tmp_path / "spm.model").touch()
    assert read_vocabulary(tmp_path).sha256 != before


def test_a_folder_s_word_on_capitals_is_believed_for_word_pieces_too(tmp_path: Path) -> None:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good"]
    (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n")
    guessed = load_tokenizer(tmp_path).encode("Good").ids
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))

    assert guessed == [2, 5, 3]
    assert load_tokenizer(tmp_path).encode("Good").ids == [2, 1, 3]


@pytest.mark.parametrize("damage", ["torn", "not unigram", "nothing unknown"])
def test_a_sentencepiece_model_that_can_not_be_read_is_named(tmp_path: Path, damage: str) -> None:
    write_model(tmp_path, kind=2 if damage == "not unigram" else 1)
    if damage == "torn":
        content = (tmp_path / "spm.model").read_bytes()
        (tmp_path / "spm.model").write_bytes(content[:50])
    elif damage == "nothing unknown":
        write_model(tmp_path, [piece for piece in PIECES if piece[2] != UNKNOWN])

    with pytest.raises(EncoderError, match=r"The tokenizer in .* can't be read"):
        load_tokenizer(tmp_path)
    with pytest.raises(EncoderError, match=r"The tokenizer in .* can't be read"):
        read_vocabulary(tmp_path)


@pytest.mark.parametrize(
    ("frame", "family"), [(("<s>", "</s>"), "roberta"), (("[CLS]", "[SEP]"), "deberta")]
)
def test_byte_pieces_cut_as_transformers_has_it(
    tmp_path: Path, frame: tuple[str, str], family: str
) -> None:
    from transformers import AutoTokenizer

    special = ["<pad>", "<unk>", "<mask>", *frame]
    if family == "deberta":
        special = ["[PAD]", "[UNK]", "[MASK]", *frame]
    trained = ByteLevelBPETokenizer()
    texts = ["it was very good", "it was bad, I'd say"] * 3
    trained.train_from_iterator(texts, vocab_size=300, special_tokens=special, show_progress=False)
    trained.save_model(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": family}))
    reference = AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)

    tokenizer = load_tokenizer(tmp_path)

    for text in ("it was very good", " It's   bad!", "我 fine", ""):
        assert tokenizer.encode(text).ids == reference(text)["input_ids"]
    assert read_vocabulary(tmp_path).unknown_id is None
    assert read_vocabulary(tmp_path).ids[frame[0]] == tokenizer.encode("").ids[0]


def test_half_a_tokenizer_of_byte_pieces_is_none(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text("{}")

    with pytest.raises(EncoderError, match=r"`vocab\.json` with `merges\.txt`"):
        tokenizer_file(tmp_path)


@pytest.mark.parametrize("name", ["sentencepiece.bpe.model", "spiece.model", "bpe.codes"])
def test_a_form_that_is_not_read_is_named_with_the_way_to_make_one_that_is(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(b"")
    (tmp_path / "vocab.txt").write_text("a dictionary of another kind 1\n")

    with pytest.raises(EncoderError, match=rf"only there as `{name}`.*save_pretrained"):
        tokenizer_file(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    assert tokenizer_file(tmp_path).name == "tokenizer.json"
