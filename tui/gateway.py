"""The dashboard's only door to the world: frozen records in and out, from any thread.

Everything may raise `GatewayError`; its text is shown as it is. Reads may block and are called from
thread workers only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from tui.gateway_queue import QueueGateway
from tui.gateway_run import RunGateway
from tui.gateway_runs import RunsGateway

if TYPE_CHECKING:
    from db.records import Curve, Points, Worker
    from tui.compare_records import CompareBody
    from tui.records import Counts, StoreFacts


class GatewayError(Exception):
    """What can't be read or done, in sentences for the screen."""


class MissingError(GatewayError):
    """There is no run database yet: nothing is wrong, there is only nothing to show."""


class FilterProblem(GatewayError):  # noqa: N818 - it is the user's text that is shown
    """The filter can't be read."""


class Gateway(QueueGateway, RunsGateway, RunGateway, Protocol):
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

    def list_series(self, run_ids: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the series that any of the runs has, sorted."""
        ...

    def read_points(
        self, run_ids: Sequence[str], series: str, max_points: int
    ) -> tuple[Points, ...]:
        """Return a series of several runs, extremes kept; runs without it are left out."""
        ...

    def read_curves(
        self,
        run_ids: Sequence[str],
        series: str,
        windows: Mapping[str, tuple[int, int]] | None = None,
    ) -> tuple[Curve, ...]:
        """Return a series of several runs to be drawn; long ones thinned, exact between `windows`.

        `windows` are first and last step by run, to be read more finely than the rest.
        """
        ...

    def list_workers(self) -> tuple[Worker, ...]:
        """Return workers that are alive or were lately, with their devices."""
        ...

    def compare(self, choice: str, baseline: str | None) -> CompareBody:
        """Return the comparison for a feature store; an unknown choice shows the newest.

        `baseline` is the key of the row the others are tested against: empty for none, None for
        that of the pinned run.
        """
        ...

    def list_stores(self) -> tuple[StoreFacts, ...]:
        """Return the feature stores of this machine."""
        ...
