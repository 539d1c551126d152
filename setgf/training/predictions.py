"""Scores of samples whose labels nobody knows.

Shapes: N samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from setgf.metrics import class_counts, class_names, classify, probabilities
from setgf.terms import BRANCHES, MODALITIES, Branch, Dataset, Modality


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """What a model makes of N samples."""

    dataset: Dataset
    """Family of the training data: decides the scale and the classes."""
    ids: tuple[str, ...]
    transcripts: tuple[str, ...]
    scores: Mapping[Branch, NDArray[np.float32]]
    """(N,) on the label scale, by branch; of classes, `setgf.metrics.class_scores`."""
    present: Mapping[Modality, NDArray[np.bool_]]
    """(N,) by modality: whether the model was given it."""
    calibrated: NDArray[np.float32] | None = None
    """(N,). The score on the scale that was fitted on validation; None where none was."""
    logits: Mapping[Branch, NDArray[np.float32]] = field(
        default_factory=dict[Branch, NDArray[np.float32]]
    )
    """(N, 3) by branch where the model predicts classes; else empty."""
    warnings: tuple[str, ...] = ()
    """Sentences a person should read."""

    def __len__(self) -> int:
        """Return N."""
        return len(self.ids)

    @property
    def fusion(self) -> NDArray[np.float32]:
        """(N,). The score."""
        return self.scores[Branch.FUSION]

    @property
    def class_counts(self) -> tuple[int, ...]:
        """Numbers of classes a score is read as."""
        return (3,) if self.logits else class_counts(self.dataset)

    def probabilities(self) -> dict[Branch, NDArray[np.float64]]:
        """Return the probability of negative, neutral and positive, (N, 3), by branch.

        Empty where the model predicts a score.
        """
        return {branch: probabilities(logits) for branch, logits in self.logits.items()}

    def classes(self, num_classes: int) -> tuple[str, ...]:
        """Return the name of every sample's class.

        Raises:
            MetricError: the data set has no such number of classes.
        """
        names = class_names(self.dataset, num_classes)
        return tuple(names[place] for place in classify(self.dataset, num_classes, self.fusion))

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield plain data of every sample, ready for JSON."""
        named = {count: self.classes(count) for count in self.class_counts}
        shares = self.probabilities()
        for place, sample_id in enumerate(self.ids):
            yield {
                "id": sample_id,
                "transcript": self.transcripts[place],
                "score": float(self.fusion[place]),
                **(
                    {} if self.calibrated is None else {"calibrated": float(self.calibrated[place])}
                ),
                "branches": {
                    branch.value: float(self.scores[branch][place])
                    for branch in BRANCHES
                    if branch in self.scores
                },
                **(
                    {}
                    if not shares
                    else {
                        "probabilities": {
                            branch.value: dict(
                                zip(
                                    class_names(self.dataset, 3), found[place].tolist(), strict=True
                                )
                            )
                            for branch, found in shares.items()
                        }
                    }
                ),
                "classes": {str(count): names[place] for count, names in named.items()},
                "modalities": [
                    str(modality) for modality in MODALITIES if self.present[modality][place]
                ],
            }
