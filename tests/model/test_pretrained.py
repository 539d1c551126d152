from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from setgf.config import TextConfig
from setgf.errors import EncoderError
from setgf.model.text_encoder import load_text_encoder
from tests.model.builders import make_batch

SMALL: dict[str, Any] = {
    "vocab_size": 40000,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
}
BATCH = make_batch((4, 7, 2))


def pooled(folder: Path) -> torch.Tensor:
    encoder = load_text_encoder(TextConfig(encoder=str(folder)), seed=0).eval()
    with torch.no_grad():
        return encoder(BATCH.tokens, BATCH.segments, BATCH.text_lengths).pooled


def test_a_folder_gives_the_weights_it_holds(tiny_folder: Path) -> None:
    plain = transformers.BertModel.from_pretrained(tiny_folder, dtype=torch.float32).eval()

    with torch.no_grad():
        expected = plain(BATCH.tokens[1:2]).last_hidden_state[:, 0]

    torch.testing.assert_close(pooled(tiny_folder)[1:2], expected)


def test_half_precision_weights_are_read_as_float32(tmp_path: Path) -> None:
    transformers.BertModel(transformers.BertConfig(**SMALL)).half().save_pretrained(tmp_path)

    encoder = load_text_encoder(TextConfig(encoder=str(tmp_path)), seed=0)

    assert {parameter.dtype for parameter in encoder.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("Roberta", SMALL),
        ("Electra", {**SMALL, "embedding_size": 16}),
        ("Albert", {**SMALL, "embedding_size": 16}),
        (
            "DistilBert",
            {"vocab_size": 40000, "dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 32},
        ),
    ],
)
def test_other_families_like_bert_work_and_all_their_weights_learn(
    tmp_path: Path, family: str, settings: dict[str, Any]
) -> None:
    config = getattr(transformers, f"{family}Config")(**settings)
    getattr(transformers, f"{family}Model")(config).save_pretrained(tmp_path)
    encoder = load_text_encoder(TextConfig(encoder=str(tmp_path), pooling="mean"), seed=0).eval()

    states = encoder(BATCH.tokens, BATCH.segments, BATCH.text_lengths)
    states.pooled.square().sum().backward()

    assert states.pooled.shape == (3, 16)
    assert all(parameter.grad is not None for parameter in encoder.parameters())


def test_a_family_that_counts_positions_from_its_padding_reads_fewer_pieces(tmp_path: Path) -> None:
    transformers.RobertaModel(transformers.RobertaConfig(**SMALL)).save_pretrained(tmp_path)
    encoder = load_text_encoder(TextConfig(encoder=str(tmp_path)), seed=0)
    tokens = torch.full((1, 38), 7)

    encoder(tokens, torch.zeros_like(tokens), torch.tensor([38]))

    assert encoder.max_tokens == 38


def test_damaged_weights_are_named_with_what_to_do(tiny_folder: Path) -> None:
    weights = tiny_folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])

    with pytest.raises(EncoderError, match=r"is damaged: .*\. Copy or download its folder"):
        pooled(tiny_folder)


def test_absent_weights_are_named_with_what_to_do(tiny_folder: Path) -> None:
    (tiny_folder / "model.safetensors").unlink()

    with pytest.raises(EncoderError, match=r"no weights: .*model\.safetensors.*Give a folder"):
        pooled(tiny_folder)


def test_weights_that_would_be_random_are_refused(tmp_path: Path) -> None:
    model = transformers.BertModel(transformers.BertConfig(**SMALL))
    model.save_pretrained(tmp_path)
    settings = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**settings, "num_hidden_layers": 2}))

    with pytest.raises(EncoderError, match=r"lacks \d+ weights, the first is `encoder\.layer\.1"):
        pooled(tmp_path)


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    model = transformers.BertModel(transformers.BertConfig(**SMALL))
    model.save_pretrained(tmp_path)
    settings = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**settings, "intermediate_size": 48}))

    with pytest.raises(EncoderError, match=r"can't be loaded"):
        pooled(tmp_path)


def test_a_weight_file_that_runs_code_is_refused_before_it_runs(
    tiny_folder: Path, tmp_path: Path
) -> None:
    (tiny_folder / "model.safetensors").unlink()
    trace = tmp_path / "ran"
    torch.save({"weight": _Touch(trace)}, tiny_folder / "pytorch_model.bin")

    with pytest.raises(EncoderError, match=r"can't be loaded"):
        pooled(tiny_folder)

    assert not trace.exists()


class _Touch:
    """Makes a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)
