from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from setgf.config import LabelConfig, LabelMode
from setgf.data.batch import BatchLabels
from setgf.errors import ConfigError
from setgf.terms import MODALITIES, Branch, Modality
from setgf.training.labels import LabelGenerator, Samples, build_labels

GOLDEN = Path(os.environ.get("SETGF_GOLDEN", Path(__file__).parent.parent / "golden"))
LETTERS = {Branch.FUSION: "M", Branch.TEXT: "T", Branch.AUDIO: "A", Branch.VISION: "V"}
CASES = json.loads((GOLDEN / "unimodal_labels.json").read_text())


def make(
    mode: LabelMode, annotated: torch.Tensor, label_limit: float = 3.0, **settings
) -> LabelGenerator:
    config = replace(LabelConfig(mode=mode), **settings)
    return build_labels(config, tasks=MODALITIES, annotated=annotated, label_limit=label_limit)


def at(epoch: int, index: torch.Tensor, annotated: torch.Tensor) -> Samples:
    return Samples(epoch, index, BatchLabels(fusion=annotated[index]))


def features(num: int, *, seed: int = 0) -> dict[Branch, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    widths = {Branch.FUSION: 12, Branch.TEXT: 8, Branch.AUDIO: 5, Branch.VISION: 6}
    return {b: torch.rand((num, width), generator=generator) for b, width in widths.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"seed{case['seed']}")
def test_reference_mode_repeats_every_label_and_weight_of_the_public_implementation(case):
    arrays = np.load(GOLDEN / "unimodal_labels.npz")
    seed = case["seed"]
    annotated = torch.from_numpy(arrays[f"{seed}/label"])
    generator = make("reference", annotated, case["H"], exclude_zero=case["exclude_zero"])

    for step, epoch in enumerate(case["step_epochs"]):
        at = f"{seed}/{step}"
        index = torch.from_numpy(arrays[f"{at}/index"])
        batch = {b: torch.from_numpy(arrays[f"{at}/feature_{x}"]) for b, x in LETTERS.items()}
        samples = Samples(epoch, index, BatchLabels(fusion=annotated[index]))
        before = generator.targets(samples)
        generator.after_batch(samples, batch)

        state = generator.state_dict()
        for task in MODALITIES:
            expected = arrays[f"{at}/weight_before_{task}"]
            np.testing.assert_allclose(before[task].weight.numpy(), expected, atol=1e-5, rtol=0)
            after = arrays[f"{at}/label_after_{task}"]
            np.testing.assert_allclose(state[f"labels.{task}"].numpy(), after, atol=1e-5, rtol=0)


def test_fixed_labels_equal_the_annotation_with_weight_one_during_warmup():
    annotated = torch.linspace(-3, 3, 24)
    generator = make("fixed", annotated, warmup_epochs=2)
    index = torch.arange(5)
    labels = BatchLabels(fusion=annotated[index])

    assert generator.first_pass == 2
    for epoch in (1, 2):
        targets = generator.targets(Samples(epoch, index, labels))
        for target in targets.values():
            assert torch.equal(target.label, annotated[index])
            assert torch.equal(target.weight, torch.ones(5))


def test_fixed_labels_move_after_the_warmup_and_stay_in_the_range_of_the_data():
    annotated = torch.linspace(-1, 1, 40)
    generator = make("fixed", annotated, 1.0)
    separated = features(40)
    separated[Branch.TEXT] = separated[Branch.TEXT] + 5 * annotated[:, None]

    for epoch in (1, 2, 3):
        generator.after_epoch(epoch, separated)

    index = torch.arange(40)
    targets = generator.targets(Samples(4, index, BatchLabels(fusion=annotated)))
    for target in targets.values():
        assert not torch.equal(target.label, annotated)
        assert target.label.abs().max() <= 1.0
        assert target.weight.mean().item() == pytest.approx(1.0)


def test_fixed_labels_follow_the_formula_by_hand():
    annotated = torch.cat([torch.full((8,), -1.0), torch.full((8,), 2.0)])
    generator = make("fixed", annotated)
    line = torch.cat([torch.full((8, 1), -1.0), torch.full((8, 1), 1.0)])
    text = line.clone()
    text[8] = 0.0  # text sees the first positive sample in the middle; its centre moves to 7/8
    bank = dict.fromkeys(Branch, line) | {Branch.TEXT: text}

    generator.after_epoch(1, bank)

    delta_fusion = (2.0 - 0.0) / 1e-8
    delta_text = (1.0 - 7 / 8) / (7 / 8)
    ratio = min(max(delta_text / delta_fusion, 0.0), 2.0)
    new = max(-3.0, 0.5 * ratio * 2.0 + 0.5 * (2.0 + delta_text - delta_fusion))
    expected = 1 / 3 * 2.0 + 2 / 3 * new
    assert generator.state_dict()["labels.text"][8].item() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("mode", "form"), [("fixed", "ratio"), ("fixed", "standardised"), ("reference", "ratio")]
)
@pytest.mark.parametrize(
    "annotated",
    [torch.full((12,), 1.5), torch.full((12,), -0.2), torch.zeros(12), torch.tensor([2.0])],
    ids=["all positive", "all negative", "all zero", "one sample"],
)
@pytest.mark.parametrize("dead", [False, True], ids=["features", "dead features"])
def test_labels_stay_finite_when_a_class_is_empty(mode, form, annotated, dead):
    generator = make(mode, annotated, form=form, min_class_size=1)
    index = torch.arange(len(annotated))
    for epoch in (1, 2, 3):
        bank = features(len(annotated), seed=epoch)
        if dead:
            bank = {branch: torch.zeros_like(value) for branch, value in bank.items()}
        for row in index:
            generator.after_batch(
                at(epoch, row[None], annotated), {b: v[row][None] for b, v in bank.items()}
            )
        generator.after_epoch(epoch, bank)

    targets = generator.targets(Samples(4, index, BatchLabels(fusion=annotated)))
    for target in targets.values():
        assert torch.isfinite(target.label).all()
        assert torch.isfinite(target.weight).all()


def test_fixed_labels_stay_the_annotation_while_a_class_is_too_small():
    annotated = torch.cat([torch.full((7,), -1.0), torch.full((20,), 1.0)])
    generator = make("fixed", annotated)

    generator.after_epoch(1, features(27))

    for task in MODALITIES:
        assert torch.equal(generator.state_dict()[f"labels.{task}"], annotated)


@pytest.mark.parametrize("mode", ["fixed", "reference"])
def test_a_generator_goes_on_from_its_state_as_if_nothing_had_happened(mode):
    annotated = torch.linspace(-3, 3, 30)

    def advance(generator: LabelGenerator, epoch: int) -> None:
        bank = features(30, seed=epoch)
        for index in torch.randperm(30, generator=torch.Generator().manual_seed(epoch)).split(7):
            generator.after_batch(
                at(epoch, index, annotated), {b: v[index] for b, v in bank.items()}
            )
        generator.after_epoch(epoch, bank)
        generator.describe()

    straight, first, second = (make(mode, annotated) for _ in range(3))
    for epoch in (1, 2, 3, 4):
        advance(straight, epoch)
    for epoch in (1, 2):
        advance(first, epoch)
    second.load_state_dict({name: value.clone() for name, value in first.state_dict().items()})
    for epoch in (3, 4):
        advance(second, epoch)

    expected, found = straight.state_dict(), second.state_dict()
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert torch.equal(value, found[name]), name


def test_labels_describe_their_distance_to_the_annotation():
    annotated = torch.linspace(-3, 3, 30)
    generator = make("fixed", annotated)
    assert generator.describe()["labels.text.mean_shift"] == 0.0

    generator.after_epoch(1, features(30))
    values = generator.describe()

    assert values["labels.audio.mean_shift"] > 0
    assert values["labels.audio.mean_change"] == values["labels.audio.mean_shift"]
    assert -1 <= values["labels.vision.correlation"] <= 1


def test_standardised_labels_follow_the_formula_by_hand():
    annotated = torch.cat([torch.full((8,), -1.0), torch.full((8,), 2.0)])
    generator = make("fixed", annotated, form="standardised")
    bank = features(16)

    generator.after_epoch(1, bank)

    def offset(branch: Branch) -> np.ndarray:
        own = bank[branch].numpy().astype(np.float64)
        to_positive, to_negative = (
            np.linalg.norm(own - own[side].mean(0), axis=1) for side in (slice(8, 16), slice(0, 8))
        )
        found = (to_negative - to_positive) / to_positive
        return (found - found.mean()) / found.std()

    y = annotated.numpy()
    new = y + 0.5 * y.std() * (offset(Branch.AUDIO) - offset(Branch.FUSION))
    expected = 1 / 3 * y + 2 / 3 * np.clip(new, -3, 3)
    found = generator.state_dict()["labels.audio"].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_generated_labels_are_clipped_to_a_limit_of_ones_own():
    annotated = torch.linspace(-1, 1, 40)
    apart = features(40)
    apart[Branch.TEXT] = apart[Branch.TEXT] + 5 * annotated[:, None]
    most = {}
    for limit in (0.0, 0.5):
        generator = make("fixed", annotated, 1.0, limit=limit)
        for epoch in range(1, 40):
            generator.after_epoch(epoch, apart)
        most[limit] = float(generator.state_dict()["labels.text"].abs().max())

    assert most[0.5] < 0.6 < most[0.0] <= 1.0


def test_centres_of_the_reference_are_those_of_a_pass_over_the_whole_bank():
    annotated = torch.linspace(-3, 3, 31)
    generator = make("reference", annotated)
    bank = {branch: torch.zeros_like(value) for branch, value in features(31).items()}
    crossed = False
    for step in range(60):
        index = torch.randperm(31, generator=torch.Generator().manual_seed(step))[:4]
        batch = {branch: v[index] for branch, v in features(31, seed=step).items()}
        generator.after_batch(at(1 + step // 8, index, annotated), batch)

        state = generator.state_dict()
        for branch, value in batch.items():
            bank[branch][index] = value
            groups = annotated if branch is Branch.FUSION else state[f"labels.{branch}"]
            crossed |= bool(((groups > 0) != (annotated > 0)).any())
            assert torch.equal(state[f"positive.{branch}"], bank[branch][groups > 0].mean(0))
            assert torch.equal(state[f"negative.{branch}"], bank[branch][groups < 0].mean(0))
    assert crossed


@pytest.mark.parametrize(
    ("weighting", "expected"),
    [("uniform", [1.0, 1.0]), ("tanh", [0.0, 0.9640]), ("base_tanh", [0.5091, 1.4909])],
)
def test_samples_count_by_how_far_their_label_is_from_the_annotation(weighting, expected):
    annotated = torch.tensor([1.0, -1.0])
    human = {Modality.TEXT: torch.tensor([1.0, 1.0])}
    generator = build_labels(
        LabelConfig(mode="human"),
        tasks=[Modality.TEXT],
        annotated=annotated,
        label_limit=3.0,
        human=human,
        weighting=weighting,
    )
    labels = BatchLabels(fusion=annotated, text=human[Modality.TEXT])

    target = generator.targets(Samples(1, torch.arange(2), labels))[Modality.TEXT]

    assert target.weight.tolist() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("mode", ["fixed", "reference", "copy"])
def test_labels_are_compared_with_those_of_people_where_there_are_any(mode):
    annotated = torch.linspace(-1, 1, 30)
    human = {Modality.AUDIO: annotated**3}
    generator = build_labels(
        LabelConfig(mode=mode), tasks=MODALITIES, annotated=annotated, label_limit=1.0, human=human
    )

    values = generator.describe()

    expected = np.corrcoef(annotated, annotated**3)[0, 1]
    assert values["labels.audio.human_correlation"] == pytest.approx(expected)
    assert "labels.text.human_correlation" not in values


def test_copied_labels_are_the_annotation_and_none_has_no_task():
    annotated = torch.linspace(-3, 3, 6)
    labels = BatchLabels(fusion=annotated)
    index = torch.arange(6)

    copied = make("copy", annotated).targets(Samples(9, index, labels))

    assert set(copied) == set(MODALITIES)
    assert torch.equal(copied[Modality.AUDIO].label, annotated)
    assert not make("none", annotated).targets(Samples(9, index, labels))


def test_human_labels_are_taken_from_the_data():
    annotated = torch.tensor([0.5, -0.5])
    labels = BatchLabels(
        fusion=annotated,
        text=torch.tensor([1.0, 0.0]),
        audio=torch.tensor([0.0, -1.0]),
        vision=torch.tensor([0.2, 0.4]),
    )
    generator = build_labels(
        LabelConfig(mode="human"),
        tasks=MODALITIES,
        annotated=annotated,
        label_limit=1.0,
        human=dict.fromkeys(MODALITIES, annotated),
    )

    targets = generator.targets(Samples(1, torch.arange(2), labels))

    assert targets[Modality.AUDIO].label.tolist() == [0.0, -1.0]


def test_human_mode_without_human_labels_is_refused():
    with pytest.raises(ConfigError, match=r"`labels.mode` is `human`, but the data has no human"):
        make("human", torch.zeros(3))
