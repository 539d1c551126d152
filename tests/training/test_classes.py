"""Classification mode: three logits, cross-entropy, the 3-class protocol, exact resume."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from setgf.config import ExperimentConfig, LossConfig, override
from setgf.data.synthetic import synthesise
from setgf.errors import ConfigError, StoppedError
from setgf.home import Home
from setgf.metrics import class_labels, logits_of_scores, score_classes
from setgf.model.output import ModelOutput
from setgf.model.registry import network_class, network_names
from setgf.terms import Branch, Dataset, Modality, Split, metric_names
from setgf.terms import Task as Aim
from setgf.training.evaluate import Evaluation
from setgf.training.fit import fit
from setgf.training.floor import fit_floor
from setgf.training.labels import Target
from setgf.training.losses import joint_loss
from tests.model.builders import make_batch, small_network
from tests.training.conftest import MemoryRecorder, tiny_config

CLASSES = {"train.task": "classification", "train.monitor": "acc3", "labels.mode": "copy"}


def classes_config(**settings):
    return override(tiny_config(**settings), CLASSES)


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    sizes = {Split.TRAIN: 120, Split.VALID: 60, Split.TEST: 12}
    home = Home(tmp_path_factory.mktemp("classes"))
    return synthesise(home, "made_up", Dataset.SIMS, sizes=sizes, seed=3)


@pytest.mark.parametrize("model", network_names())
def test_every_network_gives_three_logits_for_every_branch(model):
    network = small_network({**CLASSES, "model.name": model})

    output = network.eval()(make_batch((4, 0), (9, 3), (0, 8)))

    assert {tuple(scores.shape) for scores in output.scores.values()} == {(2, 3)}
    assert len(output.scores) == (4 if network.has_unimodal_tasks else 1)


def test_networks_with_unimodal_tasks_are_those_the_checks_know():
    from setgf.config.checks import MODELS_WITH_TASKS

    found = [name for name in network_names() if network_class(name).has_unimodal_tasks]
    assert tuple(found) == MODELS_WITH_TASKS


def test_the_loss_is_the_cross_entropy_of_the_labels_sign():
    logits = torch.tensor([[0.0, 0.0, math.log(2)], [math.log(6), 0.0, 0.0]])
    output = ModelOutput(scores={Branch.FUSION: logits, Branch.TEXT: torch.zeros(2, 3)})
    target = Target(label=torch.tensor([0.4, -1.0]), weight=torch.tensor([1.0, 2.0]))

    loss = joint_loss(
        output,
        torch.tensor([2.6, 0.0]),
        {Modality.TEXT: target},
        LossConfig(),
    )

    assert loss.fusion.item() == pytest.approx((math.log(2) + math.log(8)) / 2)
    assert loss.tasks[Modality.TEXT].item() == pytest.approx(1.5 * math.log(3))
    assert loss.total.item() == pytest.approx((loss.fusion + loss.tasks[Modality.TEXT]).item())


def test_stored_scores_tell_what_the_logits_told():
    logits = np.random.default_rng(3).normal(size=(200, 3)).astype(np.float32)
    labels = np.tile(np.array([-2.2, 0.0, 0.4, 3.0], np.float32), 50)
    evaluation = Evaluation.of(
        Dataset.MOSI, tuple(map(str, range(200))), labels, {Branch.FUSION: logits}
    )

    rows = evaluation.predictions()
    kept = score_classes(
        logits_of_scores([row.fusion for row in rows]), class_labels([row.label for row in rows])
    )

    assert kept == evaluation.metrics()
    assert set(kept) == set(metric_names(Dataset.MOSI, Aim.CLASSIFICATION))
    assert {row.label for row in rows} == {-1.0, 0.0, 1.0}
    assert max(abs(row.fusion) for row in rows) <= 1


class Goal(MemoryRecorder):
    """Asks to stop as soon as the classes are told apart."""

    def stop_requested(self) -> bool:
        return max(self.series("valid.acc3").values(), default=0.0) > self.goal

    goal = 1.0


def test_setgf_learns_the_classes_of_made_up_data(made_up, recorder, tmp_path):
    floor = fit_floor(classes_config(model__name="majority"), made_up, recorder("floor"))
    most = np.bincount(class_labels(made_up.split(Split.TRAIN).labels)).argmax()
    share = float((class_labels(made_up.split(Split.VALID).labels) == most).mean())
    assert floor.metrics["valid.acc3"] == pytest.approx(share)

    goal = Goal(tmp_path / "checkpoints")
    goal.goal = share + 0.15
    config = classes_config(
        max_epochs=12, patience=0, lr=3e-3, lr_text=3e-3, schedule="constant", batch_size=16,
        head_dropout=0.0,
    )  # fmt: skip
    with pytest.raises(StoppedError):
        fit(config, made_up, goal)
    assert {f"valid.{branch}.acc3" for branch in Modality} <= {name for name, _ in goal.points}


def test_classes_go_on_to_the_bit(tmp_path_factory, recorder):
    sizes = {Split.TRAIN: 12, Split.VALID: 3, Split.TEST: 3}
    few = synthesise(Home(tmp_path_factory.mktemp("few")), "few", Dataset.MOSI, sizes=sizes, seed=3)
    config = classes_config(batch_size=4, max_epochs=2, patience=0)
    straight = fit(config, few, recorder("straight"))

    first = recorder("a1", stop_at=4)
    with pytest.raises(StoppedError):
        fit(config, few, first)
    result = fit(config, few, recorder("a2"), resume_from=first.checkpoints)

    assert result.weights_sha256 == straight.weights_sha256
    assert result.metrics == pytest.approx(dict(straight.metrics), abs=0, nan_ok=True)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"labels.mode": "fixed"}, "`labels.mode=copy` .*`human` .*or `none`"),
        ({"labels.mode": "reference"}, "generated labels are scores"),
        ({"train.monitor": "mae"}, "judged by loss, acc3, f1"),
        ({"train.calibrate": True}, "only scores have a slope"),
        ({"loss.ordinal_weight": 0.1}, "ordinal head"),
        ({"loss.task_weighting": "base_tanh"}, "no distance"),
        ({"model.name": "ridge"}, "The floor of classes is `majority`"),
    ],
)
def test_what_only_scores_can_have_is_refused(changed, told):
    with pytest.raises(ConfigError, match=told):
        override(ExperimentConfig(), {**CLASSES, **changed})


def test_a_network_without_unimodal_tasks_needs_no_label_mode():
    config = override(
        ExperimentConfig(), {**CLASSES, "labels.mode": "fixed", "model.name": "text_only"}
    )

    assert config.train.task == "classification"
    assert config.fingerprint != override(config, {"train.monitor": "f1"}).fingerprint
