"""What every network must do, whatever it computes: run for every name of the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import pytest
import torch

from setgf.config import ModelName, OptimConfig
from setgf.data.batch import Batch, DataFacts
from setgf.errors import ConfigError
from setgf.model.base import Network
from setgf.model.network import build_network
from setgf.model.output import ModelOutput
from setgf.model.registry import model_names, network_class, network_names
from setgf.terms import Branch, Modality
from setgf.training.parameters import parameter_groups
from tests.model.builders import (
    FACTS,
    loss_of,
    make_batch,
    small_config,
    small_network,
    take,
    with_garbage,
)

every_model = pytest.mark.parametrize("model", network_names())
TOLERANCE = 1e-5
MIXED = make_batch((4, 0, 2, 7), (9, 3, 0, 6), (0, 8, 1, 5))
NOTHING = make_batch((0, 0), (0, 0), (0, 0))


def network_of(model: str, settings: Mapping[str, Any] | None = None, *, seed: int = 3) -> Network:
    return small_network({"model.name": model, **(settings or {})}, seed=seed)


def assert_close(one: ModelOutput, other: ModelOutput, rows: list[int] | None = None) -> None:
    for kind in ("scores", "features"):
        expected = getattr(other, kind)
        for branch, values in getattr(one, kind).items():
            chosen = expected[branch] if rows is None else expected[branch][rows]
            torch.testing.assert_close(values, chosen, atol=TOLERANCE, rtol=0)


def test_every_name_a_config_may_have_is_a_model_and_the_other_way_round() -> None:
    assert model_names() == get_args(ModelName)


@every_model
@torch.no_grad()
def test_padding_does_not_change_a_score(model: str) -> None:
    network = network_of(model)

    plain, padded = network(MIXED), network(with_garbage(MIXED, 6))

    assert_close(padded, plain)
    if plain.consistency is not None:
        torch.testing.assert_close(padded.consistency, plain.consistency)


@every_model
@torch.no_grad()
def test_the_company_of_a_sample_does_not_change_its_score(model: str) -> None:
    network = network_of(model)
    together = network(MIXED)

    for rows in ([0], [1], [2], [3], [3, 1], [2, 0, 3]):
        assert_close(network(take(MIXED, rows)), together, rows)


@every_model
def test_a_batch_of_one_trains(model: str) -> None:
    network = network_of(model).train()

    output = network(make_batch((3,), (2,), (1,)))
    loss_of(output).backward()

    assert all(score.shape == (1,) for score in output.scores.values())
    assert all(score.dtype == torch.float32 for score in output.scores.values())


@every_model
@pytest.mark.parametrize(
    "batch",
    [
        make_batch((0, 0), (3, 4), (5, 2)),
        make_batch((3, 4), (0, 0), (5, 2)),
        make_batch((3, 4), (5, 2), (0, 0)),
        NOTHING,
    ],
    ids=["no text", "no audio", "no vision", "nothing at all"],
)
def test_a_modality_without_steps_leaves_everything_finite(model: str, batch: Batch) -> None:
    network = network_of(model).train()

    output = network(batch)
    loss_of(output).backward()

    assert all(score.isfinite().all() for score in output.scores.values())
    grads = [p.grad for p in network.parameters() if p.grad is not None]
    assert grads
    assert all(grad.isfinite().all() for grad in grads)


@every_model
def test_tensors_without_a_single_step_are_read_as_nothing(model: str) -> None:
    network = network_of(model)
    empty = Batch(
        index=torch.arange(2),
        tokens=torch.zeros(2, 0, dtype=torch.int64),
        segments=torch.zeros(2, 0, dtype=torch.int64),
        text_lengths=torch.zeros(2, dtype=torch.int64),
        audio=torch.zeros(2, 0, FACTS.audio_width),
        audio_lengths=torch.zeros(2, dtype=torch.int64),
        vision=torch.zeros(2, 0, FACTS.vision_width),
        vision_lengths=torch.zeros(2, dtype=torch.int64),
    )

    assert_close(network(empty), network(NOTHING))


@every_model
def test_a_gradient_reaches_every_trainable_parameter(model: str) -> None:
    network = network_of(model)
    batch = make_batch((5, 7, 2, 4, 9, 3), (9, 3, 6, 2, 8, 4), (5, 8, 1, 7, 3, 6))

    loss_of(network(batch)).backward()

    still = [
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    assert still == []


@every_model
def test_the_same_random_state_gives_the_same_weights(model: str) -> None:
    first, again, other = (network_of(model, seed=seed).state_dict() for seed in (5, 5, 6))

    assert all(first[name].equal(again[name]) for name in first)
    assert any(not first[name].equal(other[name]) for name in first)


@every_model
def test_training_twice_from_one_random_state_repeats_to_the_bit(model: str) -> None:
    losses: list[float] = []
    for _ in range(2):
        network = network_of(model).train()
        torch.manual_seed(11)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
        for _ in range(3):
            optimizer.zero_grad()
            loss = loss_of(network(MIXED))
            loss.backward()
            optimizer.step()
        losses.append(loss_of(network.eval()(MIXED)).item())

    assert losses[0] == losses[1]


@every_model
def test_half_precision_products_still_give_float32_scores(model: str) -> None:
    network = network_of(model).train()

    with torch.autocast("cpu", torch.bfloat16):
        output = network(MIXED)
    loss_of(output).backward()

    assert all(score.dtype == torch.float32 for score in output.scores.values())
    assert all(feature.dtype == torch.float32 for feature in output.features.values())
    assert all(score.isfinite().all() for score in output.scores.values())


@every_model
@pytest.mark.parametrize(("audio", "vision", "dataset"), [(74, 35, "mosei"), (33, 709, "sims")])
def test_every_data_set_shape_is_taken(model: str, audio: int, vision: int, dataset: str) -> None:
    facts = DataFacts(
        dataset=dataset, audio_width=audio, vision_width=vision, label_limit=1.0, num_train=9
    )
    network = build_network(small_config({"model.name": model}), facts)
    batch = make_batch((3, 5), (4, 2), (6, 1))
    shaped = Batch(
        index=batch.index,
        tokens=batch.tokens,
        segments=batch.segments,
        text_lengths=batch.text_lengths,
        audio=torch.randn(2, 4, audio),
        audio_lengths=batch.audio_lengths,
        vision=torch.randn(2, 6, vision),
        vision_lengths=batch.vision_lengths,
    )

    assert network(shaped).scores[Branch.FUSION].shape == (2,)


@every_model
def test_every_trainable_parameter_is_in_exactly_one_group(model: str) -> None:
    network = network_of(model)

    groups = parameter_groups(network, OptimConfig())

    grouped = [id(p) for group in groups for p in group.parameters]
    assert sorted(grouped) == sorted(id(p) for p in network.parameters())
    names = {id(p): name for name, p in network.named_parameters()}
    for group in groups:
        for parameter in group.parameters:
            name = names[id(parameter)]
            assert (group.part == "text") == name.startswith("text_encoder.")
            is_plain = parameter.ndim > 1 and not name.startswith("heads.")
            assert (group.weight_decay > 0) == is_plain, name


@every_model
def test_a_frozen_network_loads_its_own_state_without_the_encoder(model: str) -> None:
    network = network_of(model, {"text.finetune": False})
    other = network_of(model, {"text.finetune": False}, seed=8)

    state = network.state_dict()
    other.load_state_dict(state)

    assert not any(name.startswith("text_encoder.") for name in state)
    with torch.no_grad():
        assert other(MIXED).scores[Branch.FUSION].equal(network(MIXED).scores[Branch.FUSION])


@every_model
def test_eight_samples_are_learnt_by_heart(model: str) -> None:
    network = network_of(model)
    lengths = (5, 7, 2, 4, 9, 3, 6, 8)
    batch, labels = make_batch(lengths, lengths[::-1], lengths), torch.linspace(-2.4, 2.4, 8)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.0)
    errors: list[float] = []
    while not errors or (len(errors) < 300 and errors[-1] > 0.3):
        optimizer.zero_grad()
        output = network(batch)
        loss = (output.scores[Branch.FUSION] - labels).abs().mean()
        (loss + sum(output.losses.values())).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        errors.append(loss.item())

    assert errors[0] > 1.0  # the labels' mean absolute deviation is 1.37
    assert errors[-1] <= 0.3


@every_model
def test_a_modality_a_network_needs_is_refused_by_name_where_it_is_left_out(model: str) -> None:
    for modality in Modality:
        others = [other for other in Modality if other is not modality]
        config = small_config({"model.name": model, "data.modalities": ",".join(others)})
        if modality in network_class(model).needs:
            with pytest.raises(
                ConfigError, match=f"`{model}`.*leaves {modality} out.*Add `{modality}`"
            ):
                build_network(config, FACTS)
        else:
            assert build_network(config, FACTS)(MIXED).scores[Branch.FUSION].isfinite().all()


@every_model
def test_a_network_says_whether_it_has_heads_for_single_modalities(model: str) -> None:
    scores = network_of(model)(MIXED).scores

    assert set(scores) == (
        set(Branch) if network_class(model).has_unimodal_tasks else {Branch.FUSION}
    )
