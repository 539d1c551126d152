"""The tabs of the Run screen that are one table: epochs, events, files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from textual.widget import Widget

from db.records import Curve, Event, RunDetail
from tui.formatting import plural, size
from tui.gateway import Gateway
from tui.screens import run_parts as parts
from tui.screens.run_parts import EpochRow, FileRow
from tui.screens.run_tab import Nothing, RunTab
from tui.widgets.table import Table


class EpochsTab(RunTab):
    """Every series with one value an epoch, as a table."""

    NAME = "epochs"

    def compose_content(self) -> Iterator[Widget]:
        """Yield the table."""
        yield Table[EpochRow]((), lambda row: str(row.epoch))

    def read(self, gateway: Gateway, detail: RunDetail, choice: object) -> tuple[Curve, ...]:
        """Read those series."""
        del choice
        return gateway.read_run_curves(detail.run.id, parts.epoch_series(detail))

    def nothing(self, detail: RunDetail, part: tuple[Curve, ...]) -> Nothing | None:
        """Say that no epoch is over."""
        del detail
        return None if part else ("No epoch is over yet.", "")

    def show(self, detail: RunDetail, part: tuple[Curve, ...]) -> None:
        """Show one row an epoch."""
        table = cast("Table[EpochRow]", self.query_one(Table))
        table.columns = parts.epoch_columns([curve.series for curve in part])
        table.show(parts.epoch_rows(part, detail))

    def describe(self) -> str:
        """Return how many epochs and series there are."""
        rows = cast("Table[EpochRow]", self.query_one(Table)).rows
        kept = "; ◇ marks epochs with a checkpoint" if self.detail else ""
        series = plural(len(self.part or ()), "series").removesuffix("s")
        return f"{plural(len(rows), 'epoch')}, {series}{kept}"


class EventsTab(RunTab):
    """What happened to the run and its job."""

    NAME = "events"

    def compose_content(self) -> Iterator[Widget]:
        """Yield the table."""
        yield Table[Event](parts.EVENT_COLUMNS, lambda e: str(e.id), sorting=("at", True))

    def read(self, gateway: Gateway, detail: RunDetail, choice: object) -> tuple[Event, ...]:
        """Read the events."""
        del choice
        return gateway.list_events(detail.run.id)

    def nothing(self, detail: RunDetail, part: tuple[Event, ...]) -> Nothing | None:
        """Say that nothing has happened."""
        del detail
        return None if part else ("Nothing has happened to this run yet.", "")

    def show(self, detail: RunDetail, part: tuple[Event, ...]) -> None:
        """Show the newest first."""
        del detail
        cast("Table[Event]", self.query_one(Table)).show(part)

    def describe(self) -> str:
        """Return how many there are."""
        return f"{plural(len(self.part or ()), 'event')}, newest first"


class FilesTab(RunTab):
    """Checkpoints, and the other files the run left."""

    NAME = "files"

    def compose_content(self) -> Iterator[Widget]:
        """Yield the table."""
        yield Table[FileRow](parts.FILE_COLUMNS, lambda row: row.path)

    def read(self, gateway: Gateway, detail: RunDetail, choice: object) -> tuple[FileRow, ...]:
        """Take them from what is read anyway."""
        del gateway, choice
        return parts.file_rows(detail)

    def nothing(self, detail: RunDetail, part: tuple[FileRow, ...]) -> Nothing | None:
        """Say that there is no checkpoint."""
        if part:
            return None
        return ("No checkpoint yet.", f"\nThe run's folder is {detail.run.folder}")

    def show(self, detail: RunDetail, part: tuple[FileRow, ...]) -> None:
        """Show all files."""
        del detail
        cast("Table[FileRow]", self.query_one(Table)).show(part)

    def describe(self) -> str:
        """Return how much there is, and where."""
        rows = cast("tuple[FileRow, ...]", self.part or ())
        folder = self.detail.run.folder if self.detail else ""
        return f"{plural(len(rows), 'file')}, {size(sum(row.size for row in rows))} in {folder}"
