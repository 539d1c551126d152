"""The predictions tab of the Run screen: every sample with label, scores, error and transcript."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import ClassVar, cast

from textual.binding import Binding, BindingType
from textual.widget import Widget

from db.records import RunDetail
from tui.formatting import Role, plural
from tui.gateway import Gateway
from tui.run_records import SPLITS, Sample, SamplesPart
from tui.screens.run_confusion import no_predictions
from tui.screens.run_prediction_filter import HINT, find_samples
from tui.screens.run_tab import CHOOSING, FINDING, Nothing, RunTab, stepped
from tui.widgets.columns import Cell, Column
from tui.widgets.dialogs import Choose
from tui.widgets.host import host
from tui.widgets.sample_view import SampleView
from tui.widgets.search_line import SearchLine
from tui.widgets.table import Table

WARN_ERROR, BAD_ERROR = 1 / 6, 1 / 3
"""Share of the scale from end to end from which an error is marked."""


class PredictionsTab(RunTab):
    """A table of the samples of a split, the worst first, and the one under the cursor in full."""

    NAME = "predictions"
    DEFAULT_CSS = "PredictionsTab Table { height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        *CHOOSING,
        FINDING[0],
        Binding("n", "next(1)", "next worst"),
        Binding("N", "next(-1)", "previous worst", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._split = SPLITS[0]
        self._filter = ""
        self._limit = 3.0
        self._mean_error = ""
        self._worst: list[str] = []
        """Ids of the shown samples, the worst first."""
        self._ranks: dict[str, int] = {}
        self._shown: object = None

    def compose_content(self) -> Iterator[Widget]:
        """Yield the table, the sample and the filter."""
        yield Table[Sample](
            prediction_columns(3.0), lambda row: row.prediction.sample_id, sorting=("error", True)
        )
        yield SearchLine(HINT)
        yield SampleView()

    def choice(self) -> str:
        """Return the split."""
        return self._split

    def read(self, gateway: Gateway, detail: RunDetail, choice: str) -> SamplesPart:
        """Read the predictions on it."""
        return gateway.read_samples(detail.run, choice)

    def nothing(self, detail: RunDetail, part: SamplesPart) -> Nothing | None:
        """Say that there are no predictions."""
        return None if part.samples else no_predictions(detail, part.split)

    def show(self, detail: RunDetail, part: SamplesPart) -> None:
        """Show the samples that the filter lets through."""
        state = (detail.run.id, part, self._filter)
        if state == self._shown:
            return
        self._shown = state
        self._limit = 1.0 if detail.run.dataset.startswith("sims") else 3.0
        self.table.columns = prediction_columns(self._limit)
        found = find_samples(part.samples, self._filter)
        self._mean_error = _mean_error(found)
        self._worst = [row.prediction.sample_id for row in sorted(found, key=_badness)]
        self._ranks = {name: place for place, name in enumerate(self._worst)}
        self.table.show(found)
        self._show_sample()

    @property
    def table(self) -> Table[Sample]:
        """The table."""
        return cast("Table[Sample]", self.query_one(Table))

    def on_table_highlighted(self) -> None:
        """Show the sample under the cursor in full."""
        self._show_sample()

    def _show_sample(self) -> None:
        self.query_one(SampleView).show(self.table.cursor_row, self._limit)

    def describe(self) -> str:
        """Return how many of how many are shown, and how wrong they are on average."""
        part = cast("SamplesPart | None", self.part)
        if part is None or not part.samples:
            return ""
        shown, number = f"{len(self.table.rows):,}", plural(len(part.samples), "prediction")
        said = f"{shown} of {number} on {part.split}{self._mean_error}"
        if self._filter:
            return f"{said} · filter `{self._filter}`"
        return f"{said} · ▼ label, F fusion, t text, a audio, v vision"

    # Keys

    def action_find(self) -> None:
        """Type which samples to show."""
        self.query_one(SearchLine).open(self._filter)

    def on_search_line_typed(self, message: SearchLine.Typed) -> None:
        """Show the samples that are asked for."""
        self._filter = message.text
        if message.is_final:
            self.table.focus()
        if self.detail is not None and self.part is not None:
            self.show(self.detail, self.part)
        self.post_message(self.Said())

    def action_next(self, direction: int) -> None:
        """Go to the sample with the next smaller error, or the next larger one."""
        place = self._ranks.get(self.table.cursor_key or "")
        if place is not None:
            place = min(max(place + direction, 0), len(self._worst) - 1)
            self.table.move_to_key(self._worst[place])

    def action_step(self, steps: int) -> None:
        """Show the other split."""
        self._choose(stepped(SPLITS, self._split, steps))

    def action_choose(self) -> None:
        """Offer the splits."""
        host(self).push_screen(Choose("split", SPLITS, self._split), self._choose)

    def _choose(self, split: str | None) -> None:
        if split is not None and split != self._split:
            self._split = split
            self.post_message(self.Wanted())


def _badness(sample: Sample) -> float:
    """Return what is smallest for the worst; a score that is no number comes last."""
    return -abs(sample.error) if math.isfinite(sample.error) else 1.0


def _mean_error(samples: Sequence[Sample]) -> str:
    errors = [size for row in samples if math.isfinite(size := abs(row.error))]
    return f" · MAE {sum(errors) / len(errors):.3f}" if errors else ""


def prediction_columns(limit: float) -> tuple[Column[Sample], ...]:
    """Return the columns for labels from -limit to limit."""
    return (
        Column(
            key="id",
            title="sample",
            width=14,
            cell=lambda r: Cell(r.prediction.sample_id, Role.DIM),
            sort=lambda r: r.prediction.sample_id,
            cuts_middle=True,
            rank=3,
        ),
        Column(
            key="label",
            title="label",
            width=6,
            cell=lambda r: Cell(f"{r.prediction.label:.2f}"),
            sort=lambda r: r.prediction.label,
            is_right=True,
        ),
        Column(
            key="fusion",
            title="score",
            width=6,
            cell=lambda r: Cell(f"{r.prediction.fusion:.2f}", Role.STRONG),
            sort=lambda r: r.prediction.fusion,
            is_right=True,
        ),
        Column(
            key="error",
            title="error",
            width=6,
            cell=lambda r: _error_cell(r, limit),
            sort=lambda r: abs(r.error),
            is_right=True,
        ),
        *(_score(name) for name in ("text", "audio", "vision")),
        *_TEXT_COLUMNS,
    )


def _score(name: str) -> Column[Sample]:
    def value(row: Sample) -> float | None:
        return getattr(row.prediction, name)

    def cell(row: Sample) -> Cell:
        found = value(row)
        return Cell("" if found is None else f"{found:.2f}", Role.DIM)

    return Column(key=name, title=name, width=7, cell=cell, sort=value, is_right=True, rank=4)


def _error_cell(row: Sample, limit: float) -> Cell:
    share = abs(row.error) / (2 * limit)
    role = Role.BAD if share >= BAD_ERROR else Role.WARN if share >= WARN_ERROR else Role.PLAIN
    return Cell(f"{row.error:+.2f}" if math.isfinite(row.error) else "NaN", role)


def _class_cell(row: Sample) -> Cell:
    if row.label_class == row.score_class:
        return Cell(row.label_class, Role.DIM)
    return Cell(f"{row.label_class} → {row.score_class}", Role.WARN)


_TEXT_COLUMNS: tuple[Column[Sample], ...] = (
    Column(
        key="class",
        title="class → said",
        width=14,
        cell=_class_cell,
        sort=lambda r: (r.label_class, r.score_class),
        rank=2,
    ),
    Column(
        key="transcript",
        title="transcript",
        width=20,
        cell=lambda r: Cell(r.transcript),
        sort=lambda r: r.transcript,
        grows=True,
        rank=1,
    ),
)
