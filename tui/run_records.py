"""Frozen values of the Run screen that are no records of the run database.

Shapes: E epochs, M modalities, N samples of the train split, S samples of a device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from db.records import Curve, Prediction, RunDetail

BRANCHES = ("fusion", "text", "audio", "vision")
SPLITS = ("test", "valid")
MODALITIES = ("text", "audio", "vision")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBody:
    """The Run screen; only the part of the open tab is read."""

    detail: RunDetail | None = None
    tab: str = ""
    """The tab `part` is of."""
    part: object = None
    """The tab's own frozen value; None when it could not be read."""
    problem: str = ""
    """Why the part could not be read; empty when it could."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfusionMatrix:
    """How many samples of each true class got each class."""

    names: tuple[str, ...]
    """Classes, the most negative first."""
    counts: tuple[tuple[int, ...], ...]
    """Rows: class of the label; columns: class of the score."""

    @property
    def total(self) -> int:
        """Samples."""
        return sum(map(sum, self.counts))

    @property
    def right(self) -> int:
        """Samples that got their own class."""
        return sum(row[place] for place, row in enumerate(self.counts))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfusionPart:
    """The matrices of one branch on one split, the fewest classes first."""

    split: str
    branch: str
    branches: tuple[str, ...] = BRANCHES
    """Branches the model has."""
    matrices: tuple[ConfusionMatrix, ...] = ()
    left_out: int = 0
    """Samples whose score is not finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A prediction with what is known of its sample."""

    prediction: Prediction
    transcript: str = ""
    label_class: str = ""
    score_class: str = ""
    """Class of label and score with as many classes as the protocol has."""

    @property
    def error(self) -> float:
        """Score less label."""
        return self.prediction.fusion - self.prediction.label


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplesPart:
    """The predictions on one split."""

    split: str
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelDrift:
    """Generated unimodal labels against the annotation, after every epoch."""

    modalities: tuple[str, ...]
    sample_ids: tuple[str, ...]
    epochs: tuple[int, ...]
    annotated: NDArray[np.float32]
    """(N,)."""
    labels: NDArray[np.float32]
    """(E, M, N)."""
    human: Mapping[str, NDArray[np.float32]] = field(
        default_factory=dict[str, "NDArray[np.float32]"]
    )
    """By modality (N,): what people saw, heard or read in it alone; empty where nobody was asked.
    NaN for samples that are not in the feature store."""
    transcripts: Mapping[str, str] = field(default_factory=dict[str, str])

    def __eq__(self, other: object) -> bool:
        """Return whether both are the same history."""
        if not isinstance(other, LabelDrift):
            return False
        same = (self.modalities, self.sample_ids, self.epochs) == (
            other.modalities,
            other.sample_ids,
            other.epochs,
        )
        return same and bool((self.labels == other.labels).all())

    def __hash__(self) -> int:
        """Return a number that equal histories share."""
        return hash((self.modalities, self.epochs))


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsPart:
    """What the labels tab shows."""

    drift: LabelDrift | None = None
    """None where the run kept no history by sample."""
    curves: tuple[Curve, ...] = ()
    """Series `labels.*` where there is no history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptUse:
    """What an attempt has needed."""

    number: int
    host: str
    devices: tuple[str, ...]
    started_at: float
    ended_at: float | None
    outcome: str | None
    peak_memory_mib: int | None
    """Most memory of the machine its processes held."""
    peak_gpu_mib: int | None
    """Most memory of one GPU its processes held."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DeviceUse:
    """Use of a device while attempts held it."""

    name: str
    times: NDArray[np.float64]
    """(S,) seconds since the epoch."""
    utilisation: NDArray[np.float64]
    """(S,) percent."""
    memory_mib: NDArray[np.float64]
    """(S,)."""

    def __eq__(self, other: object) -> bool:
        """Return whether both hold the same samples: they are only ever added."""
        if not isinstance(other, DeviceUse):
            return False
        return (self.name, len(self.times), self.times[-1:].tolist()) == (
            other.name,
            len(other.times),
            other.times[-1:].tolist(),
        )

    def __hash__(self) -> int:
        """Return a number that equal ones share."""
        return hash((self.name, len(self.times)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemPart:
    """What the system tab shows."""

    attempts: tuple[AttemptUse, ...] = ()
    devices: tuple[DeviceUse, ...] = ()
    loss: tuple[Curve, ...] = ()
    """`train.loss`; empty before the first step."""
