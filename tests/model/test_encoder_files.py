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
