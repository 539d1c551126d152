from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from setgf.config import AblationConfig
from setgf.model.sequence import as_sequence, masked_mean
from setgf.model.unimodal import GlobalBranch, Integration, TemporalBranch, UnimodalRepresentation

FEATURES = torch.randn(3, 6, 5, generator=torch.Generator().manual_seed(1))
LENGTHS = torch.tensor([6, 2, 0])
WHOLE = AblationConfig()


def urlm(ablation: AblationConfig = WHOLE, *, is_contextual: bool = False):
    return UnimodalRepresentation(5, 8, ablation, is_contextual=is_contextual).eval()


@torch.no_grad()
def test_the_temporal_branch_reads_real_steps_in_both_directions() -> None:
    branch = TemporalBranch(5)
    sequence = as_sequence(FEATURES, LENGTHS)

    read = branch(sequence)

    alone, _ = branch.lstm(FEATURES[1:2, :2])
    torch.testing.assert_close(read.states[1, :2], FEATURES[1, :2] + alone[0, :, :5])
    assert read.states[1, 2:].eq(0).all()
    assert read.states[2].eq(0).all()


@torch.no_grad()
def test_the_global_branch_is_bounded_and_sees_every_real_step() -> None:
    branch = GlobalBranch(5)
    before = branch(as_sequence(FEATURES * 100, LENGTHS))
    changed = FEATURES.clone()
    changed[1, 1] += 1
    changed[1, 4] += 1

    after = branch(as_sequence(changed * 100, LENGTHS))

    assert before.abs().max() <= 1
    assert before[0].equal(after[0])
    assert not before[1].equal(after[1])


@torch.no_grad()
def test_integration_gates_the_summary_into_every_step() -> None:
    part = Integration(5)
    sequence = as_sequence(FEATURES, LENGTHS)
    summary = torch.randn(3, 5)

    states = part(sequence, summary).states

    step = FEATURES[1, 1]
    gate = torch.sigmoid(part.gate_states(step) + part.gate_summary(summary[1]))
    torch.testing.assert_close(states[1, 1], part.norm(step + gate * part.project(summary[1])))
    assert states[1, 2:].eq(0).all()


@torch.no_grad()
def test_without_the_module_features_are_projected_and_averaged() -> None:
    module = urlm(replace(WHOLE, unimodal_representation=False))

    states = module(as_sequence(FEATURES, LENGTHS))

    projected = module.norm(module.project(FEATURES[0]))
    torch.testing.assert_close(states.sequence.states[0], projected)
    torch.testing.assert_close(states.summary[0], projected.mean(0))
    assert {name.split(".")[0] for name in module.state_dict()} == {"project", "norm"}


@torch.no_grad()
def test_without_the_global_branch_the_mean_flows_back() -> None:
    module = urlm(replace(WHOLE, global_branch=False))
    sequence = as_sequence(FEATURES, LENGTHS)

    states = module(sequence)

    assert module.temporal is not None
    assert module.integrate is not None
    read = module.temporal(sequence.with_states(module.norm(module.project(sequence.states))))
    torch.testing.assert_close(states.summary, masked_mean(read))
    expected = module.integrate(read, states.summary).states
    torch.testing.assert_close(states.sequence.states, expected)


def test_text_has_no_temporal_branch_of_its_own() -> None:
    assert urlm(is_contextual=True).temporal is None


@pytest.mark.parametrize("is_contextual", [True, False])
@torch.no_grad()
def test_more_padding_changes_nothing(is_contextual: bool) -> None:
    module = urlm(is_contextual=is_contextual)
    tight = module(as_sequence(FEATURES, LENGTHS))

    wide = module(as_sequence(F.pad(FEATURES, (0, 0, 0, 4), value=50.0), LENGTHS))

    torch.testing.assert_close(wide.summary, tight.summary, atol=1e-6, rtol=0)
    torch.testing.assert_close(
        wide.sequence.states[:, :6], tight.sequence.states, atol=1e-6, rtol=0
    )
    assert wide.sequence.states[:, 6:].eq(0).all()


def test_an_odd_width_works() -> None:
    module = UnimodalRepresentation(5, 7, WHOLE, is_contextual=False)

    assert module(as_sequence(FEATURES, LENGTHS)).sequence.states.shape == (3, 6, 7)
