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


class LabelGenerator:
    """Teaches every task the annotated label (mode `copy`; `none` has no task).

    The other modes change `targets`. Everything a generator learns is in its state.
    """

    def __init__(self, tasks: Sequence[Modality]) -> None:
        self.tasks = tuple(tasks)

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
        return {}

    def state_dict(self) -> dict[str, Tensor]:
        """Return everything learnt so far."""
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state_dict`."""


class HumanLabels(LabelGenerator):
    """Every modality is taught what a person heard, saw or read in it alone."""

    def targets(self, samples: Samples) -> Mapping[Modality, Target]:
        """Return the human label of every task with weight 1."""
        found: dict[Modality, Target] = {}
        for task in self.tasks:
            label = getattr(samples.labels, task.value)
            assert label is not None, "build_labels checked that the data has human labels"
            found[task] = Target(label, torch.ones_like(label))
        return found


def build_labels(
    config: LabelConfig,
    *,
    tasks: Sequence[Modality],
    annotated: Tensor,
    label_limit: float,
    has_human_labels: bool,
) -> LabelGenerator:
    """Return the label generator of a config.

    Args:
        config: mode and guards.
        tasks: modalities that have a head of their own.
        annotated: (N,) float32. Annotated labels of the train split, on the training device.
        label_limit: largest absolute label: generated labels are clipped to it.
        has_human_labels: the data holds a label for each modality.

    Raises:
        ConfigError: mode `human` on data without human labels.
    """
    from setgf.training.label_banks import FixedLabels, ReferenceLabels

    if config.mode == "none" or not tasks:
        return LabelGenerator(())
    if config.mode == "copy":
        return LabelGenerator(tasks)
    if config.mode == "human":
        if not has_human_labels:
            raise ConfigError(
                "`labels.mode` is `human`, but the data has no human label for each modality. "
                "Use `fixed`, `copy` or `none`; only CH-SIMS has human ones."
            )
        return HumanLabels(tasks)
    kind = ReferenceLabels if config.mode == "reference" else FixedLabels
    return kind(tasks, config, annotated, label_limit)
