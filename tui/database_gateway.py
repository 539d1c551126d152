"""The gateway over the run database, the run folders and the feature stores.

How the database is opened is in `sources.access`; what is more than a few lines is in `sources`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.sources.queue import QueueAccess
from tui.sources.run_access import RunAccess
from tui.sources.run_doing import RunsAccess

if TYPE_CHECKING:
    from tui.compare_records import CompareBody
    from tui.records import StoreFacts


class DatabaseGateway(QueueAccess, RunsAccess, RunAccess):
    """Reads and acts through `db`; safe to be used from several threads."""

    def compare(self, choice: str, baseline: str | None) -> CompareBody:
        """Return the comparison for a feature store, or for all of them."""
        from tui.compare_source import compare_runs

        runs = self.list_runs()
        if baseline is None:
            pinned = self.remembered.settings.baseline
            baseline = next((run.variant for run in runs if run.id == pinned), "")
        return compare_runs(self.home, runs, choice, baseline)

    def list_stores(self) -> tuple[StoreFacts, ...]:
        """Return the feature stores of this machine."""
        from tui.store_source import read_stores

        return read_stores(self.home)
