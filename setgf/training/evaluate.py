"""Scores of a network on a whole split, and what they are worth.

Shapes: B batch, N samples of the split, D_s width of the features of branch s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from setgf.data.batch import BatchLabels, BatchSource
from setgf.data.prefetch import BatchFeed
from setgf.data.sampler import epoch_order
from setgf.errors import DivergedError
from setgf.metrics import class_labels, class_scores, cross_entropy, score, score_classes
from setgf.model.network import Network
from setgf.model.output import ModelOutput
from setgf.terms import Branch, Dataset, Split
from setgf.training.recorder import SamplePrediction

BATCH_SIZE = 128
"""Samples of one forward pass without gradients."""
MAX_NAMED = 8
"""Sample ids an error names."""


class Scorer(Protocol):
    """What can score a split: a run in training (`Session`), or a model that was saved."""

    @property
    def network(self) -> Network:
        """What scores."""
        ...

    def precision(self) -> torch.autocast:
        """Return the number format of matrix products, as a context."""
        ...

    def tell_batch(self) -> None:
        """Take the news that a batch is done."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Scores of every branch on a split, in the order of the store."""

    dataset: Dataset
    ids: tuple[str, ...]
    labels: NDArray[np.float32]
    """(N,)."""
    scores: Mapping[Branch, NDArray[np.float32]]
    """(N,) by branch; of classes, `setgf.metrics.class_scores`."""
    logits: Mapping[Branch, NDArray[np.float32]] = field(
        default_factory=dict[Branch, NDArray[np.float32]]
    )
    """(N, 3) by branch where classes are predicted; else empty."""

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        ids: tuple[str, ...],
        labels: NDArray[np.float32],
        outputs: Mapping[Branch, NDArray[np.float32]],
    ) -> Evaluation:
        """Return the evaluation of a network's outputs: scores (N,), or logits (N, 3)."""
        logits = {branch: values for branch, values in outputs.items() if values.ndim > 1}
        return cls(
            dataset=dataset,
            ids=ids,
            labels=labels,
            scores={**outputs, **{b: class_scores(values) for b, values in logits.items()}},
            logits=logits,
        )

    @property
    def loss(self) -> float:
        """Mean over samples, not over batches, of the fusion score's absolute error.

        Where classes are predicted: of its cross-entropy.
        """
        if self.logits:
            return cross_entropy(self.logits[Branch.FUSION], class_labels(self.labels))
        errors = self.scores[Branch.FUSION].astype(np.float64) - self.labels
        return float(np.abs(errors).mean())

    def metrics(self, branch: Branch = Branch.FUSION) -> dict[str, float]:
        """Return every metric of the data set's protocol for a branch; NaN where undefined."""
        if self.logits:
            return score_classes(self.logits[branch], class_labels(self.labels))
        return dict(score(self.dataset, self.scores[branch], self.labels, sample_ids=self.ids))

    def named_metrics(
        self, split: Split, *, only: frozenset[str] | None = None
    ) -> dict[str, float]:
        """Return metrics by series name: `valid.mae`, `valid.text.mae`.

        Args:
            split: what was evaluated.
            only: metrics of the unimodal branches to take; None takes all.
        """
        named = {f"{split}.loss": self.loss}
        for branch in self.scores:
            prefix = f"{split}." if branch is Branch.FUSION else f"{split}.{branch}."
            for name, value in self.metrics(branch).items():
                if branch is Branch.FUSION or only is None or name in only:
                    named[prefix + name] = value
        return named

    def predictions(self) -> list[SamplePrediction]:
        """Return one row a sample; where classes are predicted, its label is -1, 0 or 1."""
        labels = np.sign(self.labels) if self.logits else self.labels
        columns = {branch.value: values.tolist() for branch, values in self.scores.items()}
        return [
            SamplePrediction(
                sample_id=sample_id,
                label=label,
                **{name: values[row] for name, values in columns.items()},
            )
            for row, (sample_id, label) in enumerate(zip(self.ids, labels.tolist(), strict=True))
        ]


def evaluate(
    session: Scorer, source: BatchSource, split: Split, *, keep_states: bool = True
) -> Evaluation:
    """Score a whole split.

    Args:
        session: what scores.
        source: the split.
        split: its name, for errors.
        keep_states: a frozen text encoder keeps its states by the split's name and row; false where
            another source of that name may follow.

    Raises:
        DivergedError: a score is not finite; names the samples.
    """
    scores: dict[Branch, Tensor] = {}
    labels = torch.zeros(source.size)
    for index, output, batch_labels in _forward_all(
        session, source, split.value if keep_states else None
    ):
        labels[index] = batch_labels.fusion.cpu()
        for branch, values in output.scores.items():
            shape = (source.size, *values.shape[1:])
            held = scores.setdefault(branch, torch.zeros(shape, device=values.device))
            held[index.to(values.device)] = values.float()
    found = {branch: values.cpu().numpy() for branch, values in scores.items()}
    for branch, values in found.items():
        _check_finite(values, branch, split, source.ids)
    return Evaluation.of(Dataset(source.facts.dataset), source.ids, labels.numpy(), found)


def collect_features(session: Scorer, source: BatchSource) -> dict[Branch, Tensor]:
    """Return the features (N, D_s) of the whole train split by branch, without dropout."""
    features: dict[Branch, Tensor] = {}
    for index, output, _ in _forward_all(session, source, Split.TRAIN.value):
        for branch, values in output.features.items():
            shape = (source.size, values.shape[-1])
            held = features.setdefault(branch, torch.zeros(shape, device=values.device))
            held[index.to(values.device)] = values.float()
    return features


def name_samples(ids: Sequence[str]) -> str:
    """Return sample ids for an error: the first ones, and how many more."""
    named = ", ".join(ids[:MAX_NAMED])
    return named if len(ids) <= MAX_NAMED else f"{named} and {len(ids) - MAX_NAMED} more"


def _forward_all(
    session: Scorer, source: BatchSource, cache: str | None
) -> Iterator[tuple[Tensor, ModelOutput, BatchLabels]]:
    """Yield rows (B,), outputs and labels of a split in evaluation mode, short samples together."""
    order = epoch_order(
        source.lengths, batch_size=BATCH_SIZE, seed=0, epoch=1, group_by_length=True, shuffle=False
    )
    session.network.eval()
    session.network.text_encoder.use_cache(cache)
    with torch.no_grad(), session.precision(), BatchFeed(source, order) as feed:
        for batch, labels in feed:
            yield batch.index.cpu(), session.network(batch), labels
            session.tell_batch()


def _check_finite(
    values: NDArray[np.float32], branch: Branch, split: Split, ids: tuple[str, ...]
) -> None:
    wrong = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))
    if len(wrong):
        raise DivergedError(
            f"The {branch} score of {len(wrong)} of {len(ids)} {split} samples is not finite: "
            f"{name_samples([ids[row] for row in wrong])}. "
            "Lower `optim.lr` or `optim.lr_text`, or set `data.normalise=true`."
        )
