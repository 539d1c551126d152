from __future__ import annotations

from pathlib import Path

import pytest

from setgf.errors import EncoderError
from setgf.model.encoder_files import check_encoder_files


def test_a_whole_folder_is_taken(tiny_folder: Path) -> None:
    check_encoder_files(tiny_folder)


def test_a_folder_without_weights_is_refused(tiny_folder: Path) -> None:
    (tiny_folder / "model.safetensors").unlink()

    with pytest.raises(EncoderError, match=r"no weights: neither `model\.safetensors` nor"):
        check_encoder_files(tiny_folder)


@pytest.mark.parametrize("kept", [0, 7, 100, 5000])
def test_cut_weights_are_refused(tiny_folder: Path, kept: int) -> None:
    weights = tiny_folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])

    with pytest.raises(EncoderError, match=r"model\.safetensors` is damaged: it has \d+ bytes"):
        check_encoder_files(tiny_folder)


@pytest.mark.parametrize("text", ["", "{", "[1]"])
def test_settings_that_are_not_json_are_refused(tiny_folder: Path, text: str) -> None:
    (tiny_folder / "config.json").write_text(text)

    with pytest.raises(EncoderError, match=r"config\.json` is damaged: it is not JSON"):
        check_encoder_files(tiny_folder)


def test_google_s_own_checkpoint_is_named_with_the_way_to_convert_it(tmp_path: Path) -> None:
    for name in ("bert_config.json", "vocab.txt", "bert_model.ckpt.index", "bert_model.ckpt.meta"):
        (tmp_path / name).write_bytes(b"{}")

    with pytest.raises(
        EncoderError,
        match=r"original TensorFlow checkpoint \(`bert_model\.ckpt\.index`\).*"
        r"`bert-base-uncased`.*'transformers<5'.*from_tf=True.*save_pretrained",
    ):
        check_encoder_files(tmp_path)


@pytest.mark.parametrize("name", ["tf_model.h5", "flax_model.msgpack"])
def test_weights_of_other_frameworks_are_named_with_the_way_to_convert_them(
    tiny_folder: Path, name: str
) -> None:
    (tiny_folder / "model.safetensors").rename(tiny_folder / name)

    with pytest.raises(EncoderError, match=rf"weights only as `{name}`.*from_(tf|flax)=True"):
        check_encoder_files(tiny_folder)


def test_a_folder_that_has_pytorch_weights_too_is_taken(tiny_folder: Path) -> None:
    (tiny_folder / "tf_model.h5").write_bytes(b"")
    (tiny_folder / "bert_model.ckpt.index").write_bytes(b"")

    check_encoder_files(tiny_folder)
