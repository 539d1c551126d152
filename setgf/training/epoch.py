"""One epoch: micro-batches in, optimizer steps out.

The host never waits for the device inside a step. On a GPU the numbers of a step are fetched some
steps later, and always before a checkpoint, so that one never holds weights that are not finite.

Shapes: B samples of all micro-batches of a step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from setgf.config import OptimConfig
from setgf.data.batch import BatchLabels, BatchSource
from setgf.data.prefetch import BatchFeed
from setgf.data.sampler import epoch_order
from setgf.errors import DivergedError
from setgf.model.output import ModelOutput
from setgf.terms import Branch, Split
from setgf.training.evaluate import name_samples
from setgf.training.labels import Samples
from setgf.training.losses import JointLoss, joint_loss
from setgf.training.optim import (
    clip_gradients,
    learning_rates,
    set_learning_rates,
    stack,
    to_mean,
    trainable,
)
from setgf.training.recorder import Recorder
from setgf.training.session import Session

Rows = NDArray[np.int64]
GRADIENT_NORM, LOSS_SCALE = "train.gradient_norm", "train.loss_scale"
MERGED_SAMPLES = 128
"""Most samples of one forward pass that is made of several micro-batches."""
PENDING_ON_GPU = 16
"""Steps whose numbers may wait on the device."""


@dataclass(frozen=True, slots=True)
class StepNumbers:
    """What one optimizer step leaves to be logged."""

    step: int
    epoch: int
    names: tuple[str, ...]
    values: Tensor
    """(n,) float32 by name, on the device."""
    rates: dict[str, float]
    rows: Rows
    """(B,). Samples of the step."""
    scores: Tensor
    """(B,) or (B, 3) float32. Fusion scores or logits, on the device."""


class StepLog:
    """Hands the numbers of steps to the recorder, in order, and notices divergence."""

    def __init__(self, session: Session, recorder: Recorder, ids: Sequence[str]) -> None:
        self._session = session
        self._recorder = recorder
        self._ids = ids
        self._pending: list[StepNumbers] = []
        self.last_loss = math.nan

    def add(self, numbers: StepNumbers) -> None:
        """Take the numbers of a step; fetch them now or later."""
        self._pending.append(numbers)
        if self._session.device.type == "cpu" or len(self._pending) >= PENDING_ON_GPU:
            self.flush()

    def flush(self) -> None:
        """Record everything that is waiting.

        Raises:
            DivergedError: a loss or a gradient norm is not finite; names samples.
        """
        pending, self._pending = self._pending, []
        for numbers in pending:
            values = dict(zip(numbers.names, numbers.values.tolist(), strict=True))
            self._leave_out_overflow(values)
            self._check(numbers, values)
            self._recorder.log(numbers.step, values | numbers.rates)
            self.last_loss = values["train.loss"]
            self._session.position.loss_sum += self.last_loss * len(numbers.rows)
            self._session.position.samples += len(numbers.rows)

    def _leave_out_overflow(self, values: dict[str, float]) -> None:
        """Forget the norm of gradients that overflowed float16: the scaler skipped that step.

        Only while the scale has room to fall: it halves until the gradients fit.
        """
        if values.get(LOSS_SCALE, 0.0) >= 1 and not math.isfinite(values[GRADIENT_NORM]):
            del values[GRADIENT_NORM]

    def _check(self, numbers: StepNumbers, values: dict[str, float]) -> None:
        wrong = [name for name, value in values.items() if not math.isfinite(value)]
        if not wrong:
            return
        finite = torch.isfinite(numbers.scores.reshape(len(numbers.rows), -1))
        finite = finite.all(1).cpu().numpy()
        rows = numbers.rows if finite.all() else numbers.rows[~finite]
        ids = [self._ids[int(row)] for row in rows]
        raise DivergedError(
            f"Training diverged at step {numbers.step} (epoch {numbers.epoch}): `{wrong[0]}` is "
            f"{values[wrong[0]]}. Samples of the step: {name_samples(ids)}. "
            "Lower `optim.lr` or `optim.lr_text`, or set `data.normalise=true`."
        )


def train_epoch(
    session: Session, source: BatchSource, *, log: StepLog, after_step: Callable[[], None]
) -> float:
    """Train from the session's position to the end of its epoch.

    Args:
        session: moved in place.
        source: the train split.
        log: takes the numbers of every step.
        after_step: called at the border of two steps: the moment to checkpoint or leave.

    Returns:
        The seconds in which training waited for its batches.

    Raises:
        DivergedError: the loss is not finite.
    """
    position = session.position
    batches = epoch_batches(session, source)[position.batches :]
    groups = list(_groups(batches, session.config.optim.accumulation_steps))
    order = [np.concatenate(merged) for group in groups for merged in merge(session, group)]
    with BatchFeed(source, order) as feed:
        for group in groups:
            # After every interruption, by an evaluation or a checkpoint, the mode is set anew.
            session.network.train()
            session.network.text_encoder.use_cache(Split.TRAIN.value)
            if is_dropped(group, session.config.optim):
                run_group(session, feed, group, learns=False)
                position.batches += len(group)
            else:
                numbers = train_step(session, feed, group)
                position.batches += len(group)
                position.step += 1
                log.add(numbers)
            after_step()
    log.flush()
    return feed.waited


def epoch_batches(session: Session, source: BatchSource) -> list[Rows]:
    """Return the micro-batches of the session's epoch, in order; the same at every call."""
    return epoch_order(
        source.lengths,
        batch_size=session.config.optim.batch_size,
        seed=session.config.seed,
        epoch=session.position.epoch,
        group_by_length=session.config.train.group_by_length,
        shuffle=True,
    )


def num_steps(num_samples: int, config: OptimConfig) -> int:
    """Return the optimizer steps of one epoch, partial groups included."""
    num_batches = math.ceil(num_samples / config.batch_size)
    if config.accumulation == "reference":
        return num_batches // config.accumulation_steps
    return math.ceil(num_batches / config.accumulation_steps)


def is_dropped(group: Sequence[Rows], config: OptimConfig) -> bool:
    """True for a partial group in Self-MM's accumulation: it moves labels, but no weight."""
    return config.accumulation == "reference" and len(group) < config.accumulation_steps


def train_step(session: Session, feed: BatchFeed, group: Sequence[Rows]) -> StepNumbers:
    """Make one optimizer step of the next micro-batches.

    Args:
        session: moved in place.
        feed: gives the micro-batches of `group` next.
        group: their rows.
    """
    step = session.position.step + 1
    optimizer, optim = session.optimizer, session.config.optim
    set_learning_rates(optimizer, optim, step=step, total_steps=session.total_steps)
    optimizer.zero_grad(set_to_none=True)
    parts, scores = run_group(session, feed, group, learns=True)
    session.scaler.unscale_(optimizer)
    parts[GRADIENT_NORM] = clip_gradients(trainable(optimizer), optim.clip_norm)
    session.scaler.step(optimizer)
    if session.scaler.is_enabled():
        parts[LOSS_SCALE] = session.scaler.scale(torch.ones((), device=session.device))
        session.scaler.update()
    if session.average is not None:
        session.average.update()
    return StepNumbers(
        step=step,
        epoch=session.position.epoch,
        names=tuple(parts),
        values=stack(parts.values()),
        rates=learning_rates(optimizer),
        rows=np.concatenate(group),
        scores=scores,
    )


def run_group(
    session: Session, feed: BatchFeed, group: Sequence[Rows], *, learns: bool
) -> tuple[dict[str, Tensor], Tensor]:
    """Run the next micro-batches forward and, where it learns, backward.

    Their gradients make the mean over their samples; in Self-MM's accumulation, the sum of the
    means over each (`msa.md` 3.6, fault 1). Weights stay as they are within a group, so several
    micro-batches may go through the network at once; labels are still updated one by one.

    Returns:
        The parts of the loss by series name, means over all samples; and scores (B,) or (B, 3) of
        fusion.
    """
    total = sum(map(len, group))
    is_summed = session.config.optim.accumulation == "reference"
    parts: dict[str, Tensor] = {}
    scores: list[Tensor] = []
    for merged in merge(session, group):
        batch, labels = next(feed)
        with session.precision():
            output = session.network(batch)
        shares: list[Tensor] = []
        for place in _places(merged):
            loss = _judge(session, output.part(place), batch.index[place], labels.part(place))
            size = place.stop - place.start
            shares.append(loss.total if is_summed else to_mean(loss.total, size, total))
            for name, part in loss.parts().items():
                share = to_mean(part.detach(), size, total)
                parts[name] = parts[name] + share if name in parts else share
        if learns:
            session.scaler.scale(torch.stack(shares).sum()).backward()
        scores.append(output.scores[Branch.FUSION].detach())
        session.tell_batch()
    return parts, torch.cat(scores)


def merge(session: Session, group: Sequence[Rows]) -> list[Sequence[Rows]]:
    """Return the micro-batches of a group by forward pass, in order.

    On a GPU each has its own: accumulation is there for what its memory does not hold. So do
    micro-batches of unequal size whose means are summed: the mean over all is not theirs.
    """
    is_summed = session.config.optim.accumulation == "reference"
    is_uneven = len({len(rows) for rows in group}) > 1
    if (
        session.device.type != "cpu"
        or session.network.compares_samples
        or (is_summed and is_uneven)
    ):
        return [[rows] for rows in group]
    size = max(1, MERGED_SAMPLES // max(map(len, group)))
    return list(_groups(group, size))


def _judge(session: Session, output: ModelOutput, index: Tensor, labels: BatchLabels) -> JointLoss:
    """Return the loss of a micro-batch and let the labels learn from it."""
    samples = Samples(session.position.epoch, index, labels)
    targets = session.labels.targets(samples)
    head, weights = session.network.ordinal, session.config.loss
    loss = joint_loss(output, labels.fusion, targets, weights, head=head)
    features = {branch: value.detach() for branch, value in output.features.items()}
    session.labels.after_batch(samples, features)
    return loss


def _places(merged: Sequence[Rows]) -> Iterator[slice]:
    """Yield where each micro-batch stands among those it is merged with."""
    start = 0
    for rows in merged:
        yield slice(start, start + len(rows))
        start += len(rows)


def _groups(batches: Sequence[Rows], size: int) -> Iterator[Sequence[Rows]]:
    """Yield `size` micro-batches at a time; what is left at the end makes a step of its own."""
    for start in range(0, len(batches), size):
        yield batches[start : start + size]
