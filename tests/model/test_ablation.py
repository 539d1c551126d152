"""Every switch takes out the part it names, with its parameters, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from setgf.model.network import Network
from setgf.terms import Branch
from tests.model.builders import loss_of, make_batch, small_network

FUSION, TEXT, AUDIO, VISION = Branch
ONLY_FUSION = {FUSION}
EVERY = set(Branch)
URLM = ("text", "audio", "vision")
SWITCHES: dict[str, tuple[Any, tuple[str, ...], set[Branch]]] = {
    # setting: (value, parts without parameters, branches whose score changes)
    "ablation.text_guided_fusion": (False, ("fusion.",), ONLY_FUSION),
    "ablation.text_oriented_attention": (False, ("fusion.attention.",), ONLY_FUSION),
    "ablation.cross_modal_mappings": (
        False,
        ("fusion.mappings.", "fusion.merges.text.merge."),
        ONLY_FUSION,
    ),
    "ablation.text_mediation": (
        False,
        ("fusion.attention.audio_through_text.", "fusion.attention.vision_through_text."),
        ONLY_FUSION,
    ),
    "ablation.text_gate": (False, ("fusion.gates.",), ONLY_FUSION),
    "ablation.null_key": (False, ("null_key",), ONLY_FUSION),
    "ablation.unimodal_representation": (
        False,
        (
            "audio.temporal.",
            "vision.temporal.",
            *(f"{name}.{part}." for name in URLM for part in ("summarise", "integrate")),
        ),
        EVERY,
    ),
    "ablation.temporal_branch": (
        False,
        ("audio.temporal.", "vision.temporal."),
        {FUSION, AUDIO, VISION},
    ),
    "ablation.global_branch": (False, tuple(f"{name}.summarise." for name in URLM), EVERY),
    "ablation.integration": (False, tuple(f"{name}.integrate." for name in URLM), ONLY_FUSION),
    "ablation.text_as=query": (
        "query",
        ("fusion.mappings.mappings.audio_reads_text.", "fusion.mappings.mappings.vision_reads_"),
        ONLY_FUSION,
    ),
    "ablation.text_as=key": (
        "key",
        ("fusion.mappings.mappings.text_reads_", "fusion.merges.text.merge."),
        ONLY_FUSION,
    ),
    "loss.consistency_weight": (0, ("fusion.consistency.",), set()),
    "loss.tasks": ("text,vision", ("heads.heads.audio.",), set()),
    "loss.vision_weight": (0, ("heads.heads.vision.",), set()),
    "loss.unimodal_weight": (
        0,
        ("heads.heads.text.", "heads.heads.audio.", "heads.heads.vision."),
        set(),
    ),
    "labels.mode": (
        "none",
        ("heads.heads.text.", "heads.heads.audio.", "heads.heads.vision."),
        set(),
    ),
}
every_switch = pytest.mark.parametrize("switch", list(SWITCHES))


def ablated(switch: str) -> Network:
    return small_network({switch.split("=")[0]: SWITCHES[switch][0]})


@every_switch
def test_a_part_that_is_off_has_no_parameters_and_all_others_have_theirs(switch: str) -> None:
    whole = {name for name, _ in small_network().named_parameters()}

    left = {name for name, _ in ablated(switch).named_parameters()}

    parts = SWITCHES[switch][1]
    gone = {name for name in whole if name.startswith(parts) or name.endswith(parts)}
    assert gone
    assert whole - left == gone
    assert left - whole == set()


@every_switch
@torch.no_grad()
def test_a_switch_changes_the_scores_of_the_branches_it_concerns(switch: str) -> None:
    whole, less = small_network(), ablated(switch)
    # Where nothing changes its width, both have the same weights.
    shared = whole.state_dict()
    same = {
        name: shared[name]
        for name, value in less.state_dict().items()
        if shared[name].shape == value.shape
    }
    less.load_state_dict(same, strict=False)
    batch = make_batch()

    before, after = whole(batch).scores, less(batch).scores

    changed = {branch for branch in after if not before[branch].equal(after[branch])}
    assert changed == SWITCHES[switch][2]


@every_switch
def test_a_switch_leaves_a_network_that_trains_through_all_its_parts(switch: str) -> None:
    network = ablated(switch)
    batch = make_batch((5, 7, 2, 4, 9, 0), (9, 3, 0, 2, 8, 4), (5, 8, 1, 7, 0, 6))

    loss_of(network(batch)).backward()

    still = [
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.any() or not parameter.grad.isfinite().all()
    ]
    assert still == []


def test_all_switches_off_at_once_still_trains() -> None:
    settings = {switch: value for switch, (value, _, _) in SWITCHES.items() if value is False}
    network = small_network(settings)

    output = network(make_batch())
    loss_of(output).backward()

    assert output.consistency is None
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_without_attention_and_mappings_nothing_is_merged() -> None:
    network = small_network(
        {"ablation.text_oriented_attention": False, "ablation.cross_modal_mappings": False}
    )

    assert not any(
        ".merge." in name and name.startswith("fusion.") for name, _ in network.named_parameters()
    )
    assert network(make_batch()).scores[FUSION].isfinite().all()


def test_a_network_without_consistency_reports_none() -> None:
    assert ablated("loss.consistency_weight")(make_batch()).consistency is None
    assert ablated("ablation.text_guided_fusion")(make_batch()).consistency is None


def test_a_frozen_encoder_takes_no_part_out_and_is_all_that_does_not_train() -> None:
    whole, frozen = small_network(), small_network({"text.finetune": False})

    still = {name for name, parameter in frozen.named_parameters() if not parameter.requires_grad}

    names = [name for name, _ in whole.named_parameters()]
    assert [name for name, _ in frozen.named_parameters()] == names
    assert still == {name for name in names if name.startswith("text_encoder.")}
    with torch.no_grad():
        for branch, score in whole(make_batch()).scores.items():
            assert torch.allclose(frozen(make_batch()).scores[branch], score, atol=1e-5)


@pytest.mark.parametrize("kept", ["text", "audio,vision", "text,audio", "vision"])
def test_leaving_modalities_out_rewires_nothing_but_their_own_heads(kept: str) -> None:
    whole = {name for name, _ in small_network().named_parameters()}

    left = {name for name, _ in small_network({"data.modalities": kept}).named_parameters()}

    missing = {"text", "audio", "vision"} - set(kept.split(","))
    heads = tuple(f"heads.heads.{name}." for name in missing)
    assert whole - left == {name for name in whole if name.startswith(heads)}
    assert left <= whole


@pytest.mark.parametrize("branch", list(Branch))
def test_a_head_has_its_own_dropout_where_one_is_set(branch: Branch) -> None:
    network: Any = small_network({"model.head_dropout": 0.0, f"model.{branch}_head_dropout": 0.5})

    assert {name: head.dropout.p for name, head in network.heads.heads.items()} == {
        name: 0.5 if name == branch else 0.0 for name in map(str, Branch)
    }
