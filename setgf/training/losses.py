"""The joint loss of the four tasks.

    L = mean e(p_f, y) + u * sum over tasks of u_s * mean(w_s e(p_s, y_s)) + c * consistency
        + o * ordinal + sum of what else the network wants to be small

with e(p, y) = |p - y| for scores, and -log of the softmax of the class of y for logits: classes are
negative, neutral and positive, by the sign of the label.

Shapes: B batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from setgf.config import LossConfig
from setgf.model.heads import task_weight
from setgf.model.ordinal import OrdinalHead
from setgf.model.output import ModelOutput
from setgf.terms import Branch, Modality
from setgf.training.labels import Target


@dataclass(frozen=True, slots=True)
class JointLoss:
    """The loss and its parts, each () float32 and a mean over the samples of the micro-batch."""

    total: Tensor
    """What is minimised."""
    fusion: Tensor
    """Mean error of the fusion score: absolute, or the cross-entropy of classes."""
    tasks: Mapping[Modality, Tensor]
    """Weighted error of every unimodal task, before `unimodal_weight`."""
    consistency: Tensor | None
    """Before `consistency_weight`; None where the network has none."""
    ordinal: Tensor | None
    """Before `ordinal_weight`; None without an ordinal head."""
    others: Mapping[str, Tensor]
    """Further losses of the network by name, as they enter the sum."""

    def parts(self) -> dict[str, Tensor]:
        """Return everything by series name; `train.loss` is fusion's, as `valid.loss` is."""
        named = {"train.loss": self.fusion, "train.joint_loss": self.total}
        named.update({f"train.{task}.loss": loss for task, loss in self.tasks.items()})
        if self.consistency is not None:
            named["train.consistency"] = self.consistency
        if self.ordinal is not None:
            named["train.ordinal"] = self.ordinal
        named.update({f"train.{name}": loss for name, loss in self.others.items()})
        return named


def joint_loss(
    output: ModelOutput,
    label: Tensor,
    targets: Mapping[Modality, Target],
    config: LossConfig,
    *,
    head: OrdinalHead | None = None,
) -> JointLoss:
    """Return the loss of a micro-batch.

    Args:
        output: scores (B,) or logits (B, 3) by branch; a task without is refused by a KeyError.
        label: (B,) float32. Annotated label.
        targets: what every unimodal task is taught.
        config: weights of the parts; a part of weight 0 is computed, logged and not trained.
        head: the network's ordinal head; None where it has none.
    """
    fusion = errors(output.scores[Branch.FUSION], label).mean()
    tasks = {
        task: (target.weight * errors(output.scores[Branch(task)], target.label)).mean()
        for task, target in targets.items()
    }
    total = fusion
    for task, loss in tasks.items():
        total = total + config.unimodal_weight * task_weight(config, task) * loss
    if output.consistency is not None:
        total = total + config.consistency_weight * output.consistency.float()
    ordinal = None if head is None else head.loss(output, label)
    if ordinal is not None:
        total = total + config.ordinal_weight * ordinal
    for loss in output.losses.values():
        total = total + loss.float()
    return JointLoss(total, fusion, tasks, output.consistency, ordinal, output.losses)


def errors(score: Tensor, label: Tensor) -> Tensor:
    """Return the error of every sample, (B,) float32.

    Args:
        score: (B,), or logits (B, 3) of negative, neutral, positive.
        label: (B,) on the label scale; the sign is the class.
    """
    if score.ndim == 1:
        return (score.float() - label).abs()
    return F.cross_entropy(score.float(), label.sign().long() + 1, reduction="none")
