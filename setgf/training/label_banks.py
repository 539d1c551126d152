"""Label generators that compare each sample with the centres of the positive and the negative.

A branch s holds a bank of features F_s and two centres. With D+ and D- the distances of a sample's
feature to them, its offset is delta_s = (D- - D+) / D+: above 0 where the branch sees it nearer to
the positive. How far delta_s is from the fusion's delta_f moves the annotated label y_m to the
unimodal label y_s (`msa.md` 3.3).

Shapes: B batch, N samples of the train split, D_s width of the features of branch s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from setgf.config import LabelConfig
from setgf.terms import Branch, Modality
from setgf.training.labels import LabelGenerator, Samples, Target

EPSILON = 1e-8
"""Added to distances and ratios by the reference."""

BASE_WEIGHT = 0.5
"""Weight where unimodal and annotated label are equal, before normalisation (fixed mode)."""


@dataclass(slots=True)
class Centres:
    """Centres of the positive and of the negative samples of one branch."""

    positive: Tensor
    """(D_s,) float32."""
    negative: Tensor
    """(D_s,) float32."""
    known: Tensor
    """() bool. Both have been computed from enough samples."""

    @classmethod
    def at_origin(cls, like: Tensor) -> Centres:
        """Return centres nothing is known of, for features (.., D_s)."""
        zero = like.new_zeros(like.shape[-1])
        return cls(zero, zero.clone(), torch.zeros((), dtype=torch.bool, device=like.device))

    def offset(self, features: Tensor) -> Tensor:
        """Return delta_s: (B, D_s) -> (B,)."""
        to_positive = torch.linalg.vector_norm(features - self.positive, dim=-1)
        to_negative = torch.linalg.vector_norm(features - self.negative, dim=-1)
        return (to_negative - to_positive) / (to_positive + EPSILON)

    def move(self, features: Tensor, labels: Tensor, *, exclude_zero: bool, least: int) -> None:
        """Recompute both from a bank (N, D_s) grouped by labels (N,); a group too small stays put.

        A mean over nobody is NaN in the reference, for ever after (`msa.md` 3.6, 6): here the old
        centre stays in every mode. The mean is taken over the selected rows, as there: any other
        order of adding changes the last bits, which a ratio near 0 / 0 makes large.
        """
        positive = features[labels > 0 if exclude_zero else labels >= 0]
        negative = features[labels < 0]
        if len(positive) >= least:
            self.positive = positive.mean(dim=0)
        if len(negative) >= least:
            self.negative = negative.mean(dim=0)
        if min(len(positive), len(negative)) >= least:
            self.known = torch.ones_like(self.known)


class BankLabels(LabelGenerator):
    """What both generators with centres share: labels by row, centres by branch, their state."""

    def __init__(
        self, tasks: Sequence[Modality], config: LabelConfig, annotated: Tensor, limit: float
    ) -> None:
        super().__init__(tasks)
        self.config = config
        self.annotated = annotated
        self.limit = limit
        self.labels = {task: annotated.clone() for task in self.tasks}
        self.previous = {task: annotated.clone() for task in self.tasks}
        self.centres: dict[Branch, Centres] = {}

    @property
    def branches(self) -> tuple[Branch, ...]:
        """Branches whose features are compared: fusion and every task."""
        return (Branch.FUSION, *(Branch(task) for task in self.tasks))

    def generated(self) -> Mapping[Modality, Tensor]:
        """Return the labels (N,) of every task now."""
        return self.labels

    def describe(self) -> Mapping[str, float]:
        """Return distance to and correlation with the annotation, and the last change, by task."""
        values: dict[str, float] = {}
        for task, labels in self.labels.items():
            shift = (labels - self.annotated).abs().mean()
            change = (labels - self.previous[task]).abs().mean()
            values[f"labels.{task}.mean_shift"] = float(shift)
            values[f"labels.{task}.mean_change"] = float(change)
            values[f"labels.{task}.correlation"] = _correlation(labels, self.annotated)
            self.previous[task] = labels.clone()
        return values

    def state_dict(self) -> dict[str, Tensor]:
        """Return labels, the last logged labels and centres."""
        state: dict[str, Tensor] = {}
        for task in self.tasks:
            state[f"labels.{task}"] = self.labels[task]
            state[f"previous.{task}"] = self.previous[task]
        for branch, centres in self.centres.items():
            state[f"positive.{branch}"] = centres.positive
            state[f"negative.{branch}"] = centres.negative
            state[f"known.{branch}"] = centres.known
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state_dict`."""
        device = self.annotated.device
        held = {name: value.to(device) for name, value in state.items()}
        for task in self.tasks:
            self.labels[task] = held[f"labels.{task}"]
            self.previous[task] = held[f"previous.{task}"]
        self.centres = {
            branch: Centres(
                held[f"positive.{branch}"], held[f"negative.{branch}"], held[f"known.{branch}"]
            )
            for branch in self.branches
            if f"positive.{branch}" in held
        }


class ReferenceLabels(BankLabels):
    """Self-MM's generator in MMSA's order: update, store, recompute, after every micro-batch."""

    def __init__(
        self, tasks: Sequence[Modality], config: LabelConfig, annotated: Tensor, limit: float
    ) -> None:
        super().__init__(tasks, config, annotated, limit)
        self.banks: dict[Branch, Tensor] = {}

    def targets(self, samples: Samples) -> Mapping[Modality, Target]:
        """Return the current labels, weighted by tanh|y_s - y_m|."""
        found: dict[Modality, Target] = {}
        for task, held in self.labels.items():
            label = held[samples.index]
            found[task] = Target(label, torch.tanh((label - samples.labels.fusion).abs()))
        return found

    def after_batch(self, samples: Samples, features: Mapping[Branch, Tensor]) -> None:
        """Update the batch's labels (from epoch 2), store its features, recompute all centres."""
        self._open_banks(features)
        if samples.epoch > 1:
            self._update(samples.epoch, samples.index, features)
        for branch in self.branches:
            self.banks[branch][samples.index] = features[branch]
        for branch in self.branches:
            groups = self.annotated if branch is Branch.FUSION else self.labels[Modality(branch)]
            self.centres[branch].move(
                self.banks[branch], groups, exclude_zero=self.config.exclude_zero, least=1
            )

    def state_dict(self) -> dict[str, Tensor]:
        """Return labels, centres and banks."""
        banks = {f"bank.{branch}": bank for branch, bank in self.banks.items()}
        return super().state_dict() | banks

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state_dict`."""
        super().load_state_dict(state)
        self.banks = {
            branch: state[f"bank.{branch}"].to(self.annotated.device)
            for branch in self.branches
            if f"bank.{branch}" in state
        }

    def _open_banks(self, features: Mapping[Branch, Tensor]) -> None:
        if self.banks:
            return
        for branch in self.branches:
            width = features[branch].shape[-1]
            self.banks[branch] = features[branch].new_zeros((len(self.annotated), width))
            self.centres[branch] = Centres.at_origin(features[branch])

    def _update(self, epoch: int, index: Tensor, features: Mapping[Branch, Tensor]) -> None:
        annotated = self.annotated[index]
        fusion = self.centres[Branch.FUSION].offset(features[Branch.FUSION])
        for task in self.tasks:
            own = self.centres[Branch(task)].offset(features[Branch(task)])
            ratio = own / (fusion + EPSILON)
            new = 0.5 * ratio * annotated + 0.5 * (annotated + own - fusion)
            new = new.clamp(-self.limit, self.limit)
            old = self.labels[task][index]
            self.labels[task][index] = (epoch - 1) / (epoch + 1) * old + 2 / (epoch + 1) * new


class FixedLabels(BankLabels):
    """The guarded generator.

    All labels move at once at the end of an epoch, from features of one forward pass in evaluation
    mode. Training features cost nothing, but mix dropout noise and the weights of a whole epoch,
    which is widest where it matters most, in the first ones; the pass makes labels independent of
    batch order and costs about a third of an epoch (measured: SETGF with MiniLM, 268 samples).
    Centres are grouped by the annotated label, need `min_class_size` members, and the ratio of
    offsets can neither explode nor change sign.
    """

    def targets(self, samples: Samples) -> Mapping[Modality, Target]:
        """Return the annotated label with weight 1 in the warm-up, then the generated one."""
        if samples.epoch <= self.config.warmup_epochs:
            return super().targets(samples)
        found: dict[Modality, Target] = {}
        for task, held in self.labels.items():
            label = held[samples.index]
            weight = BASE_WEIGHT + torch.tanh((label - samples.labels.fusion).abs())
            found[task] = Target(label, weight / weight.mean())
        return found

    @property
    def first_pass(self) -> int | None:
        """The last epoch of the warm-up."""
        return max(self.config.warmup_epochs, 1)

    def after_epoch(self, epoch: int, features: Mapping[Branch, Tensor]) -> None:
        """Recompute the centres, then move every label towards what they say."""
        for branch in self.branches:
            centres = self.centres.setdefault(branch, Centres.at_origin(features[branch]))
            centres.move(
                features[branch],
                self.annotated,
                exclude_zero=self.config.exclude_zero,
                least=self.config.min_class_size,
            )
        num_updates = epoch - max(self.config.warmup_epochs, 1) + 1
        share = 2 / (num_updates + 2)  # 2/3, 1/2, 2/5: the reference's from its first update on
        fusion = self.centres[Branch.FUSION]
        delta_fusion = fusion.offset(features[Branch.FUSION])
        for task in self.tasks:
            centres = self.centres[Branch(task)]
            new = self._guarded(centres.offset(features[Branch(task)]), delta_fusion)
            moved = (1 - share) * self.labels[task] + share * new
            self.labels[task] = torch.where(centres.known & fusion.known, moved, self.labels[task])

    def _guarded(self, own: Tensor, fusion: Tensor) -> Tensor:
        """Return labels (N,) from offsets (N,), within the data's range."""
        sign = torch.where(fusion < 0, -1.0, 1.0)
        divisor = sign * fusion.abs().clamp(min=self.config.min_offset)
        ratio = (own / divisor).clamp(0.0, self.config.max_ratio)
        new = 0.5 * ratio * self.annotated + 0.5 * (self.annotated + own - fusion)
        return new.clamp(-self.limit, self.limit)


def _correlation(first: Tensor, second: Tensor) -> float:
    """Return Pearson's r of (N,) and (N,); NaN where one of them is constant."""
    first, second = first.double() - first.double().mean(), second.double() - second.double().mean()
    spread = first.norm() * second.norm()
    return float((first * second).sum() / spread) if float(spread) > 0 else float("nan")
