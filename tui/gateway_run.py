"""What the Run screen may ask of one run: a part of the gateway."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from db.records import Curve, Event, Run, RunDetail
    from tui.records import LogText
    from tui.run_records import ConfusionPart, LabelsPart, SamplesPart, SystemPart


class RunGateway(Protocol):
    """Reads all that is stored of a run; raises `GatewayError` as every gateway does."""

    def run_detail(self, run_id: str) -> RunDetail | None:
        """Return a run with all stored of it; None when there is no such run."""
        ...

    def read_run_curves(self, run_id: str, names: Sequence[str]) -> tuple[Curve, ...]:
        """Return several series of one run to be drawn; those it does not have are left out."""
        ...

    def list_events(self, run_id: str) -> tuple[Event, ...]:
        """Return what happened to a run and its job, oldest first."""
        ...

    def read_log(self, run_id: str, max_bytes: int) -> LogText:
        """Return the end of the newest attempt's log."""
        ...

    def read_samples(self, run: Run, split: str) -> SamplesPart:
        """Return the predictions on a split with transcripts; none before the end of the run."""
        ...

    def read_confusion(self, run: Run, split: str, branch: str) -> ConfusionPart:
        """Return the confusion matrices of a branch on a split; none before the end of the run."""
        ...

    def read_labels(self, run: Run, names: Sequence[str]) -> LabelsPart:
        """Return how the unimodal labels drifted; `names` are the series `labels.*` of the run."""
        ...

    def read_system(self, detail: RunDetail) -> SystemPart:
        """Return what the run's attempts needed of their devices, and its loss beside it."""
        ...
