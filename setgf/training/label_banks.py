"""Label generators that compare each sample with the centres of the positive and the negative.

A branch s holds a bank of features F_s and two centres. With D+ and D- the distances of a sample's
feature to them, its offset is delta_s = (D- - D+) / D+: above 0 where the branch sees it nearer to
the positive. How far delta_s is from the fusion's delta_f moves the annotated label y_m to the
unimodal label y_s (`msa.md` 3.3).

Shapes: B batch, N samples of the train split, D_s width of the features of branch s.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from setgf.config import LabelConfig
from setgf.terms import Branch, Modality
from setgf.training.centres import EPSILON, Centres, Members, is_positive
from setgf.training.labels import LabelGenerator, Samples, Target, Teaching, correlation


class BankLabels(LabelGenerator):
    """What both generators with centres share: labels by row, centres by branch, their state."""

    def __init__(self, teaching: Teaching, config: LabelConfig, limit: float) -> None:
        super().__init__(teaching)
        annotated = teaching.annotated
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
            values[f"labels.{task}.correlation"] = correlation(labels, self.annotated)
            self.previous[task] = labels.clone()
        return values | self.compare_with_human(self.labels)

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

    def __init__(self, teaching: Teaching, config: LabelConfig, limit: float) -> None:
        super().__init__(teaching, config, limit)
        self.banks: dict[Branch, Tensor] = {}
        self._members: dict[Branch, tuple[Members, Members]] = {}

    def targets(self, samples: Samples) -> Mapping[Modality, Target]:
        """Return the current labels; as published, each weighted by tanh|y_s - y_m|."""
        return {
            task: self.weigh(held[samples.index], samples) for task, held in self.labels.items()
        }

    def after_batch(self, samples: Samples, features: Mapping[Branch, Tensor]) -> None:
        """Update the batch's labels (from epoch 2), store its features, recompute all centres."""
        self._open_banks(features)
        if samples.epoch > 1:
            self._update(samples.epoch, samples.index, features)
        for branch in self.branches:
            self.banks[branch][samples.index] = features[branch]
        for branch in self.branches:
            positive, negative = self._regroup(branch, samples.index)
            self.centres[branch].move(positive.values, negative.values, least=1)

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
        self._members = {}

    def _regroup(self, branch: Branch, index: Tensor) -> tuple[Members, Members]:
        """Return the positive and the negative of a branch after rows (B,) have changed."""
        bank, zero_out = self.banks[branch], self.config.exclude_zero
        groups = self.annotated if branch is Branch.FUSION else self.labels[Modality(branch)]
        if branch not in self._members:
            self._members[branch] = (
                Members(bank, is_positive(groups, exclude_zero=zero_out)),
                Members(bank, groups < 0),
            )
        else:
            positive, negative = self._members[branch]
            positive.update(bank, index, is_positive(groups[index], exclude_zero=zero_out))
            negative.update(bank, index, groups[index] < 0)
        return self._members[branch]

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
    offsets can neither explode nor change sign; or offsets are compared standardised, each against
    its own spread over the split (`labels.form`).
    """

    def targets(self, samples: Samples) -> Mapping[Modality, Target]:
        """Return the annotated label with weight 1 in the warm-up, then the generated one."""
        if samples.epoch <= self.config.warmup_epochs:
            return super().targets(samples)
        return {
            task: self.weigh(held[samples.index], samples) for task, held in self.labels.items()
        }

    @property
    def first_pass(self) -> int | None:
        """The last epoch of the warm-up."""
        return max(self.config.warmup_epochs, 1)

    def after_epoch(self, epoch: int, features: Mapping[Branch, Tensor]) -> None:
        """Recompute the centres, then move every label towards what they say."""
        for branch in self.branches:
            centres = self.centres.setdefault(branch, Centres.at_origin(features[branch]))
            positive = is_positive(self.annotated, exclude_zero=self.config.exclude_zero)
            centres.move(
                features[branch][positive],
                features[branch][self.annotated < 0],
                least=self.config.min_class_size,
            )
        num_updates = epoch - max(self.config.warmup_epochs, 1) + 1
        share = 2 / (num_updates + 2)  # 2/3, 1/2, 2/5: the reference's from its first update on
        fusion = self.centres[Branch.FUSION]
        delta_fusion = fusion.offset(features[Branch.FUSION])
        for task in self.tasks:
            centres = self.centres[Branch(task)]
            new = self._new(centres.offset(features[Branch(task)]), delta_fusion)
            moved = (1 - share) * self.labels[task] + share * new
            self.labels[task] = torch.where(centres.known & fusion.known, moved, self.labels[task])

    def _new(self, own: Tensor, fusion: Tensor) -> Tensor:
        """Return labels (N,) from offsets (N,), within the data's range."""
        if self.config.form == "standardised":
            spread = self.annotated.std(correction=0)
            new = self.annotated + 0.5 * spread * (_standardised(own) - _standardised(fusion))
        else:
            sign = torch.where(fusion < 0, -1.0, 1.0)
            divisor = sign * fusion.abs().clamp(min=self.config.min_offset)
            ratio = (own / divisor).clamp(0.0, self.config.max_ratio)
            new = 0.5 * ratio * self.annotated + 0.5 * (self.annotated + own - fusion)
        return new.clamp(-self.limit, self.limit)


def _standardised(offsets: Tensor) -> Tensor:
    """Return offsets (N,) with mean 0 and deviation 1; all 0 where they do not differ."""
    apart = offsets - offsets.mean()
    return apart / apart.std(correction=0).clamp(min=EPSILON)
