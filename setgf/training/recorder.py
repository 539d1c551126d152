"""What training tells the world: the `Recorder` protocol. Training knows no files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from setgf.terms import Split


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplePrediction:
    """Scores of every branch for one sample; None where the model has no such branch."""

    sample_id: str
    label: float
    fusion: float
    text: float | None = None
    audio: float | None = None
    vision: float | None = None


class Recorder(Protocol):
    """Takes what a run produces. `log` returns only when the points are safe from a SIGKILL."""

    @property
    def checkpoints(self) -> Path:
        """Folder of this attempt's checkpoints."""
        ...

    def begin_epoch(self, epoch: int) -> None:
        """Give all points from here on this epoch, counted from 1."""
        ...

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Store values by series name (`train.loss`, `valid.text.mae`) at an optimizer step."""
        ...

    def event(self, kind: str, **fields: Any) -> None:
        """Store that something happened (plain JSON data); kinds in `setgf.runs.folder`."""
        ...

    def save_predictions(self, split: Split, rows: Sequence[SamplePrediction]) -> None:
        """Store the predictions of the best epoch on a split."""
        ...

    def save_labels(
        self,
        epoch: int,
        labels: Mapping[str, NDArray[np.float32]],
        *,
        annotated: NDArray[np.float32],
        sample_ids: Sequence[str],
    ) -> None:
        """Store the unimodal labels (N,) of every train sample, by modality, after an epoch.

        `annotated` are the labels (N,) they began with; epochs come in order.
        """
        ...

    def stop_requested(self) -> bool:
        """Return True when the run should checkpoint and leave."""
        ...


class NullRecorder:
    """Forgets everything: for tests and for evaluation."""

    def __init__(self, checkpoints: Path) -> None:
        self._checkpoints = checkpoints

    @property
    def checkpoints(self) -> Path:
        """Folder of this attempt's checkpoints."""
        return self._checkpoints

    def begin_epoch(self, epoch: int) -> None:
        """Do nothing."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Do nothing."""

    def event(self, kind: str, **fields: Any) -> None:
        """Do nothing."""

    def save_predictions(self, split: Split, rows: Sequence[SamplePrediction]) -> None:
        """Do nothing."""

    def save_labels(
        self,
        epoch: int,
        labels: Mapping[str, NDArray[np.float32]],
        *,
        annotated: NDArray[np.float32],
        sample_ids: Sequence[str],
    ) -> None:
        """Do nothing."""

    def stop_requested(self) -> bool:
        """Never ask to stop."""
        return False
