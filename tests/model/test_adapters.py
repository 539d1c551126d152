from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch

from setgf.config import TextConfig
from setgf.errors import ConfigError, EncoderError
from setgf.model.text_encoder import TextEncoder, load_text_encoder
from setgf.training.parameters import parameter_groups
from tests.model.builders import loss_of, make_batch, small_config, small_network, take
from tests.model.test_encoder_families import DEBERTA_V3, FAMILIES, SMALL, save

BATCH = make_batch((4, 7, 2))
needs_peft = pytest.mark.skipif(
    importlib.util.find_spec("peft") is None, reason="the package peft is not installed"
)
PARTS = [
    pytest.param({"train_layers": 1}, id="last layer"),
    pytest.param({"lora_rank": 4}, id="adapters", marks=needs_peft),
    pytest.param({"train_layers": 1, "lora_rank": 4}, id="adapters in the last", marks=needs_peft),
]


def load(folder: Path | str = "tiny", *, seed: int = 0, **options: Any) -> TextEncoder:
    return load_text_encoder(TextConfig(encoder=str(folder), **options), seed=seed)


def encode(encoder: TextEncoder) -> torch.Tensor:
    return encoder(BATCH.tokens, BATCH.segments, BATCH.text_lengths).hidden


def trained(encoder: TextEncoder) -> set[str]:
    return {name for name, weight in encoder.named_parameters() if weight.requires_grad}


def layers_of(names: Iterable[str]) -> set[str]:
    return {".".join(name.split(".")[:4]) for name in names}


def test_the_last_layers_are_trained_and_no_others() -> None:
    encoder = load(train_layers=1)

    encode(encoder).square().sum().backward()

    assert layers_of(trained(encoder)) == {"transformer.encoder.layer.1"}
    moved = {name for name, weight in encoder.named_parameters() if weight.grad is not None}
    assert moved == trained(encoder)
    assert len(moved) == 16  # weight and bias of 6 matrices and 2 norms


def test_all_layers_but_not_the_embeddings_are_trained_when_so_many_are_named() -> None:
    assert layers_of(trained(load(train_layers=2))) == {
        "transformer.encoder.layer.0",
        "transformer.encoder.layer.1",
    }


@needs_peft
def test_adapters_change_nothing_until_they_are_trained_and_then_every_matrix() -> None:
    plain, encoder = load().eval(), load(lora_rank=4).eval()
    with torch.no_grad():
        assert encode(encoder).equal(encode(plain))

    optimizer = torch.optim.SGD([p for p in encoder.parameters() if p.requires_grad], lr=0.1)
    encode(encoder).square().sum().backward()
    optimizer.step()

    assert not encode(encoder).equal(encode(plain))
    names = trained(encoder)
    assert all(".lora_" in name for name in names)
    assert len(names) == 2 * 2 * 6  # two thin matrices for each of 6 in each of 2 layers


@needs_peft
def test_adapters_of_the_last_layers_are_in_those_alone_and_of_the_rank_and_scale_asked() -> None:
    encoder = load(train_layers=1, lora_rank=4, lora_alpha=8)
    module: Any = encoder.transformer.get_submodule("encoder.layer.1.attention.self.query")

    assert layers_of(trained(encoder)) == {"transformer.encoder.layer.1"}
    assert module.lora_A["default"].weight.shape == (4, 64)
    assert module.scaling == {"default": 2.0}


@needs_peft
def test_adapters_begin_as_their_seed_says() -> None:
    one, again, other = (load(lora_rank=2, seed=seed).state_dict() for seed in (1, 1, 2))

    assert all(one[name].equal(again[name]) for name in one)
    assert any(not one[name].equal(other[name]) for name in one)


@pytest.mark.parametrize("part", PARTS)
def test_a_state_holds_trained_weights_only_and_brings_them_back(part: dict[str, Any]) -> None:
    encoder = load(**part)
    with torch.no_grad():
        for weight in encoder.parameters():
            if weight.requires_grad:
                weight.add_(0.1)
    state = encoder.state_dict()
    fresh = load(**part)

    fresh.load_state_dict(state)

    assert set(state) == trained(encoder)
    with torch.no_grad():
        assert encode(fresh.eval()).equal(encode(encoder.eval()))


@pytest.mark.parametrize("part", PARTS)
def test_a_state_that_lacks_a_trained_weight_is_refused(part: dict[str, Any]) -> None:
    encoder = load(**part)
    state = encoder.state_dict()
    lost = next(iter(state))
    del state[lost]

    with pytest.raises(RuntimeError, match=f"Missing key.*{lost}"):
        encoder.load_state_dict(state)


@pytest.mark.parametrize("part", PARTS)
def test_the_optimizer_gets_trained_weights_only_and_gradients_reach_them_all(
    part: dict[str, Any],
) -> None:
    network = small_network({f"text.{name}": value for name, value in part.items()})

    loss_of(network(BATCH)).backward()

    groups = parameter_groups(network, small_config().optim)
    given = {id(weight): weight for group in groups for weight in group.parameters}
    text = [p for p in network.text_encoder.parameters() if p.requires_grad]
    assert text
    assert all(id(weight) in given for weight in text)
    assert all(p.requires_grad and p.grad is not None for p in given.values())


def test_what_comes_before_the_trained_layers_has_no_dropout() -> None:
    encoder = load(train_layers=1).train()
    seen: list[torch.Tensor] = []
    below: Any = encoder.transformer.get_submodule("encoder.layer.0")
    below.register_forward_hook(lambda _module, _inputs, states: seen.append(states))

    first, second = encode(encoder), encode(encoder)

    if seen:  # an encoder that runs without padding calls the parts of its layers
        assert seen[0].equal(seen[1])
    assert not any(module.training for module in below.modules())
    assert not first.equal(second)
    assert not any(module.training for module in encoder.eval().modules())


def test_states_below_the_trained_layers_are_made_once_and_change_nothing() -> None:
    plain, encoder = load(train_layers=1).eval(), load(train_layers=1).eval()
    runs: list[int] = []
    bert: Any = encoder.transformer
    bert.encoder.layer[0].intermediate.register_forward_hook(lambda *_: runs.append(1))
    encoder.use_cache("train")

    for rows in ([0, 1, 2], [2, 0], [1]):
        some = take(BATCH, rows)
        found, expected = (
            each(some.tokens, some.segments, some.text_lengths, index=some.index)
            for each in (encoder, plain)
        )
        torch.testing.assert_close(found.hidden, expected.hidden, atol=1e-5, rtol=0)
        torch.testing.assert_close(found.pooled, expected.pooled, atol=1e-5, rtol=0)
        for states in (found, expected):
            states.hidden.square().sum().backward()

    assert len(runs) == 3  # once a transcript
    for weight, like in zip(encoder.parameters(), plain.parameters(), strict=True):
        if weight.requires_grad:
            torch.testing.assert_close(weight.grad, like.grad, atol=1e-4, rtol=1e-4)


def test_runs_share_the_states_below_the_trained_layers(tmp_path: Path) -> None:
    folder = save("Bert", SMALL, tmp_path / "bert")
    whole = load(folder, finetune=False)
    whole.keep_states(tmp_path / "states")
    whole.use_cache("train")
    encode_rows(whole)
    first = load(folder, train_layers=1).eval()
    first.keep_states(tmp_path / "states")
    first.use_cache("train")
    expected = encode_rows(first)
    second = load(folder, train_layers=1).eval()
    second.keep_states(tmp_path / "states")
    second.use_cache("valid")
    bert: Any = second.transformer
    bert.embeddings.register_forward_hook(lambda *_: pytest.fail("it was encoded again"))

    found = encode_rows(second)

    assert found.equal(expected)
    assert len(list((tmp_path / "states").iterdir())) == 2  # of one layer, and of both


def encode_rows(encoder: TextEncoder) -> torch.Tensor:
    with torch.no_grad():
        return encoder(
            BATCH.tokens, BATCH.segments, BATCH.text_lengths, index=torch.arange(3)
        ).hidden


@pytest.mark.parametrize("family", ["Roberta", "DebertaV2", "Electra", "DistilBert", "ModernBert"])
@pytest.mark.parametrize("part", PARTS[1:])
def test_every_family_with_layers_can_have_a_part_trained(
    tmp_path: Path, family: str, part: dict[str, Any]
) -> None:
    encoder = load(save(family, FAMILIES[family], tmp_path), **part)

    encode(encoder).square().sum().backward()

    assert trained(encoder)
    assert all(w.grad is not None for w in encoder.parameters() if w.requires_grad)


def test_more_layers_than_there_are_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"`text\.train_layers` is 3, but .*`tiny` has 2 layers"):
        load(train_layers=3)


def test_an_encoder_whose_layers_share_weights_has_no_last_ones(tmp_path: Path) -> None:
    folder = save("Albert", {**SMALL, "embedding_size": 8}, tmp_path)

    with pytest.raises(ConfigError, match=r"is a `albert`, whose 2 layers share weights"):
        load(folder, train_layers=1)


def test_adapters_without_their_package_say_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("setgf.model.adapters.find_spec", lambda _name: None)

    with pytest.raises(EncoderError, match=r"`text\.lora_rank` is 8, but the package `peft` is no"):
        load(lora_rank=8)


def test_the_relative_positions_of_deberta_stay_frozen_with_its_lower_layers(
    tmp_path: Path,
) -> None:
    encoder = load(save("DebertaV2", DEBERTA_V3, tmp_path), train_layers=1)

    assert layers_of(trained(encoder)) == {"transformer.encoder.layer.1"}
