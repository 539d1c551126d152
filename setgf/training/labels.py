"""Unimodal labels: what each modality alone is taught (`msa.md` 3.3 and 5.4).

A generator answers two questions of the training loop: what is the target of every modality for
these samples (`targets`), and what follows from the features just seen (`after_batch` during the
epoch, `after_epoch` at its end). Five of them:

    none        no unimodal task
    copy        the annotated label
    human       a person's label of the modality alone (SIMS)
    reference   Self-MM's generator as published, faults included
    fixed       the same idea, guarded

Shapes: B batch, N samples of the train split, D_s width of the features of branch s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from setgf.config import LabelConfig
from setgf.data.batch import BatchLabels
from setgf.errors import ConfigError
from setgf.terms import Branch, Modality


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of one micro-batch, as label generators see them."""

    epoch: int
    """Counted from 1."""
    index: Tensor
    """(B,) int64. Rows in the train split."""
    labels: BatchLabels
    """Annotated labels."""


@dataclass(frozen=True, slots=True)
class Target:
    """What one modality is taught about the samples of a batch."""

    label: Tensor
    """(B,) float32 on the label scale."""
    weight: Tensor
    """(B,) float32, 0 or more."""


Weighting = Literal["uniform", "tanh", "base_tanh"]
"""How much a sample counts by |y_s - y_m|, the distance of its unimodal label to the annotation."""

BASE_WEIGHT = 0.5
"""Weight where unimodal and annotated label are equal, before normalisation (`base_tanh`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Teaching:
    """What every label generator is made from."""

    tasks: tuple[Modality, ...]
    """Modalities that are taught."""
    annotated: Tensor
    """(N,) float32. Annotated labels of the train split, on the training device."""
    weighting: Weighting
    human: Mapping[Modality, Tensor]
    """(N,) float32. A person's label of each modality alone; empty where the data has none."""


class LabelGenerator:
    """Teaches every task the annotated label (mode `copy`; `none` has no task).

    The other modes change `targets`. Everything a generator learns is in its state.
    """

    def __init__(self, teaching: Teaching) -> None:
        self.teaching = teaching
        self.tasks = teaching.tasks

    @property
    def first_pass(self) -> int | None:
        """Epoch from which on `after_epoch` needs features of the whole split; None: never."""
        return None

    def targets(self, samples: Samples) -> Mapping[Modality, Target]:
        """Return the target of every task."""
        label = samples.labels.fusion
        return {task: Target(label, torch.ones_like(label)) for task in self.tasks}

    def after_batch(self, samples: Samples, features: Mapping[Branch, Tensor]) -> None:
        """Take the detached features (B, D_s) the batch was just trained with."""

    def after_epoch(self, epoch: int, features: Mapping[Branch, Tensor]) -> None:
        """Take features (N, D_s) of the whole train split, all from the weights of this moment."""

    def generated(self) -> Mapping[Modality, Tensor]:
        """Return the labels (N,) of every task now; empty where none are generated."""
        return {}

    def describe(self) -> Mapping[str, float]:
        """Return what is worth logging of the labels, by series name."""
        return self.compare_with_human(dict.fromkeys(self.tasks, self.teaching.annotated))

    def compare_with_human(self, labels: Mapping[Modality, Tensor]) -> dict[str, float]:
        """Return each task's correlation of labels (N,) with a person's, where there are any."""
        human = self.teaching.human
        return {
            f"labels.{task}.human_correlation": correlation(found, human[task])
            for task, found in labels.items()
            if task in human
        }

    def weigh(self, label: Tensor, samples: Samples) -> Target:
        """Return a target with labels (B,), each weighted by its distance to the annotation."""
        distance = torch.tanh((label - samples.labels.fusion).abs())
        if self.teaching.weighting == "uniform":
            return Target(label, torch.ones_like(label))
        if self.teaching.weighting == "tanh":
            return Target(label, distance)
        weight = BASE_WEIGHT + distance
        return Target(label, weight / weight.mean())

    def state_dict(self) -> dict[str, Tensor]:
        """Return everything learnt so far."""
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state_dict`."""


class HumanLabels(LabelGenerator):
    """Every modality is taught what a person heard, saw or read in it alone."""

    def targets(self, samples: Samples) -> Mapping[Modality, Target]:
        """Return the human label of every task; all weigh the same unless asked otherwise."""
        found: dict[Modality, Target] = {}
        for task in self.tasks:
            label = getattr(samples.labels, task.value)
            assert label is not None, "build_labels checked that the data has human labels"
            found[task] = self.weigh(label, samples)
        return found

    def describe(self) -> Mapping[str, float]:
        """Return nothing: the labels are the human ones."""
        return {}


def build_labels(
    config: LabelConfig,
    *,
    tasks: Sequence[Modality],
    annotated: Tensor,
    label_limit: float,
    human: Mapping[Modality, Tensor] | None = None,
    weighting: Literal["auto"] | Weighting = "auto",
) -> LabelGenerator:
    """Return the label generator of a config.

    Args:
        config: mode and guards.
        tasks: modalities that have a head of their own.
        annotated: (N,) float32. Annotated labels of the train split, on the training device.
        label_limit: largest absolute label: generated labels are clipped to it.
        human: (N,) float32 by modality, where people labelled each alone.
        weighting: how samples count; `auto` is what the mode was published or designed with.

    Raises:
        ConfigError: mode `human` on data without human labels.
    """
    from setgf.training.label_banks import FixedLabels, ReferenceLabels

    teaching = Teaching(
        tasks=() if config.mode == "none" else tuple(tasks),
        annotated=annotated,
        weighting=_PUBLISHED.get(config.mode, "uniform") if weighting == "auto" else weighting,
        human=human or {},
    )
    if config.mode in ("none", "copy") or not tasks:
        return LabelGenerator(teaching)
    if config.mode == "human":
        if not human:
            raise ConfigError(
                "`labels.mode` is `human`, but the data has no human label for each modality. "
                "Use `fixed`, `copy` or `none`; only CH-SIMS has human ones."
            )
        return HumanLabels(teaching)
    kind = ReferenceLabels if config.mode == "reference" else FixedLabels
    return kind(teaching, config, config.limit or label_limit)


_PUBLISHED: Mapping[str, Weighting] = {"reference": "tanh", "fixed": "base_tanh"}
"""Weighting by label mode; uniform in the others."""


def correlation(first: Tensor, second: Tensor) -> float:
    """Return Pearson's r of (N,) and (N,); NaN where one of them is constant."""
    first, second = first.double() - first.double().mean(), second.double() - second.double().mean()
    spread = first.norm() * second.norm()
    return float((first * second).sum() / spread) if float(spread) > 0 else float("nan")
