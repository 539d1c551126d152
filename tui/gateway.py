"""The dashboard's only door to the world: frozen records in and out, from any thread.

Everything may raise `GatewayError`; its text is shown as it is. Reads may block and are called from
thread workers only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from db.records import Event, Job, Points, Prediction, Run, RunDetail, Worker
from tui.records import CompareBody, Counts, LogText, StoreFacts


class GatewayError(Exception):
    """What can't be read or done, in sentences for the screen."""


class MissingError(GatewayError):
    """There is no run database yet: nothing is wrong, there is only nothing to show."""


class FilterProblem(GatewayError):  # noqa: N818 - it is the user's text that is shown
    """The filter can't be read."""


class Gateway(Protocol):
    """What the screens may ask."""

    @property
    def place(self) -> str:
        """Where the run database is, for the eyes."""
        ...

    @property
    def read_only(self) -> bool:
        """True where every action is refused."""
        ...

    def version(self) -> int:
        """Return a number that changes whenever anything stored changed; cheap."""
        ...

    def counts(self) -> Counts:
        """Return the counts of the header."""
        ...

    def list_runs(self, where: str = "") -> tuple[Run, ...]:
        """Return the runs that match a filter expression, newest first.

        Raises:
            FilterProblem: the expression can't be read.
        """
        ...

    def run_detail(self, run_id: str) -> RunDetail | None:
        """Return a run with all stored of it; None when there is no such run."""
        ...

    def list_series(self, run_ids: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the series that any of the runs has, sorted."""
        ...

    def read_points(
        self, run_ids: Sequence[str], series: str, max_points: int
    ) -> tuple[Points, ...]:
        """Return a series of several runs, extremes kept; runs without it are left out."""
        ...

    def list_jobs(self) -> tuple[Job, ...]:
        """Return all jobs."""
        ...

    def list_workers(self) -> tuple[Worker, ...]:
        """Return workers that are alive or were lately, with their devices."""
        ...

    def list_events(self, run_id: str) -> tuple[Event, ...]:
        """Return what happened to a run and its job, oldest first."""
        ...

    def read_log(self, run_id: str, max_bytes: int) -> LogText:
        """Return the end of the newest attempt's log."""
        ...

    def list_predictions(self, run_id: str, split: str) -> tuple[Prediction, ...]:
        """Return the stored predictions of a split; empty before the end of the run."""
        ...

    def list_transcripts(self, data_name: str, split: str) -> dict[str, str]:
        """Return transcripts by sample id; empty when the feature store is not here."""
        ...

    def compare(self, choice: str) -> CompareBody:
        """Return the comparison for a feature store; an unknown choice shows the newest."""
        ...

    def list_stores(self) -> tuple[StoreFacts, ...]:
        """Return the feature stores of this machine."""
        ...

    def cancel_jobs(self, job_ids: Sequence[int]) -> str:
        """Cancel jobs; return what was done in a sentence."""
        ...

    def retry_jobs(self, job_ids: Sequence[int]) -> str:
        """Queue failed, cancelled or lost jobs again; return what was done."""
        ...

    def hold_jobs(self, job_ids: Sequence[int]) -> str:
        """Keep queued jobs from starting; return what was done."""
        ...

    def release_jobs(self, job_ids: Sequence[int]) -> str:
        """Let held jobs start; return what was done."""
        ...

    def archive_runs(self, run_ids: Sequence[str], *, archived: bool) -> str:
        """Put runs away, or take them back; return what was done."""
        ...

    def tag_runs(self, run_ids: Sequence[str], tag: str, *, present: bool) -> str:
        """Add or remove a tag; return what was done."""
        ...
