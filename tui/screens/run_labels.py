"""The labels tab of the Run screen: generated unimodal labels against the annotation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, cast

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from db.records import RunDetail
from tui.formatting import plural
from tui.gateway import Gateway
from tui.run_records import LabelsPart
from tui.screens import run_label_parts as parts
from tui.screens.run_label_parts import LabelRow, Measure
from tui.screens.run_prediction_filter import words_in
from tui.screens.run_tab import CHOOSING, FINDING, Nothing, RunTab, stepped
from tui.widgets.dialogs import Choose
from tui.widgets.host import host
from tui.widgets.line_chart import ChartData, LineChart
from tui.widgets.search_line import SearchLine
from tui.widgets.table import Table

GENERATED = ("reference", "fixed")


class LabelsTab(RunTab):
    """The drift by epoch, the samples with their labels, and the path of the one chosen."""

    NAME = "labels"
    DEFAULT_CSS = """
    LabelsTab Horizontal { height: 2fr; }
    LabelsTab Table { height: 3fr; }
    LabelsTab.-series Horizontal { height: 1fr; }
    LabelsTab.-series Table, LabelsTab.-series #path { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *CHOOSING,
        FINDING[0],
        Binding("n", "next(1)", "next most moved", show=False),
        Binding("N", "next(-1)", "previous most moved", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._measure = Measure.SHIFT
        self._filter = ""
        self._rows: tuple[LabelRow, ...] = ()
        self._shifts: list[str] = []
        self._shown: tuple[str, LabelsPart, str] | None = None

    def compose_content(self) -> Iterator[Widget]:
        """Yield both charts over the table."""
        yield Horizontal(LineChart(id="drift"), LineChart(id="path"))
        yield Table[LabelRow]((), lambda row: row.sample_id, sorting=("shift", True))
        yield SearchLine("words of a transcript or an id")

    def read(self, gateway: Gateway, detail: RunDetail, choice: object) -> LabelsPart:
        """Read the history, or the series where none was kept."""
        del choice
        names = tuple(name for name in detail.summaries if name.startswith("labels."))
        return gateway.read_labels(detail.run, names)

    def nothing(self, detail: RunDetail, part: LabelsPart) -> Nothing | None:
        """Say why there are no labels."""
        if part.drift is not None or part.curves:
            return None
        labels = detail.run.config.get("labels")
        mode = cast("dict[str, object]", labels).get("mode") if isinstance(labels, dict) else None
        if mode is not None and mode not in GENERATED:
            modes = " or ".join(f"`{name}`" for name in GENERATED)
            return (
                "This run generates no labels.",
                f"\n`labels.mode` is `{mode}`; with {modes} each modality has labels of its own.",
            )
        return ("No labels yet.", "\nThey are stored at the end of every epoch.")

    def show(self, detail: RunDetail, part: LabelsPart) -> None:
        """Show the drift and the samples."""
        self.set_class(part.drift is None, "-series")
        self._show_drift(detail, part)
        state = (detail.run.id, part, self._filter)
        if part.drift is None or state == self._shown:
            return
        if self._shown is None or state[:2] != self._shown[:2]:
            drift = part.drift
            self._rows = parts.label_rows(drift)
            self._shifts = [
                f"{name} {parts.measured(drift, Measure.SHIFT, name)[-1]:.3f}"
                for name in drift.modalities
            ]
            self.table.columns = parts.label_columns(part.drift)
        self._shown = state
        self.table.show(
            row for row in self._rows if words_in(f"{row.sample_id} {row.transcript}", self._filter)
        )
        self._show_path()

    def _show_drift(self, detail: RunDetail, part: LabelsPart) -> None:
        if part.drift is not None:
            lines = parts.drift_lines(part.drift, self._measure)
        else:
            lines = parts.series_lines(part.curves, self._measure)
        self.query_one("#drift", LineChart).show(
            ChartData(
                title=self._measure.value,
                lines=lines,
                x_title="epoch",
                hint="No epoch is over yet.",
                is_growing=detail.run.state.is_live,
            )
        )

    def _show_path(self) -> None:
        part, row = cast("LabelsPart | None", self.part), self.table.cursor_row
        lines = ()
        if part is not None and part.drift is not None and row is not None:
            lines = parts.trajectory_lines(part.drift, row.place)
        title = f"labels of {row.sample_id}" if row else "labels of a sample"
        chart = ChartData(title=title, lines=lines, x_title="epoch", hint="No sample is chosen.")
        self.query_one("#path", LineChart).show(chart)

    @property
    def table(self) -> Table[LabelRow]:
        """The table."""
        return cast("Table[LabelRow]", self.query_one(Table))

    def on_table_highlighted(self) -> None:
        """Draw the path of the sample under the cursor."""
        self._show_path()

    def describe(self) -> str:
        """Return how far the labels are from the annotation, and of how many samples."""
        part = cast("LabelsPart | None", self.part)
        if part is None or part.drift is None:
            return "This run kept no labels by sample." if part else ""
        drift, shifts = part.drift, self._shifts
        number = plural(len(self.table.rows), "train sample")
        said = f" · filter `{self._filter}`" if self._filter else ""
        return f"epoch {drift.epochs[-1]}, mean shift {', '.join(shifts)} · {number}{said}"

    def focus_content(self) -> None:
        """Give the samples the keys, or the chart where there are none."""
        if self.has_class("-series"):
            self.query_one("#drift").focus()
        else:
            self.table.focus()

    # Keys

    def action_find(self) -> None:
        """Type which samples to show."""
        self.query_one(SearchLine).open(self._filter)

    def on_search_line_typed(self, message: SearchLine.Typed) -> None:
        """Show the samples that are asked for."""
        self._filter = message.text
        if message.is_final:
            self.focus_content()
        if self.detail is not None and self.part is not None:
            self.show(self.detail, self.part)
        self.post_message(self.Said())

    def action_next(self, direction: int) -> None:
        """Go to the sample that is moved next most."""
        rows = self.table.rows
        order = sorted(range(len(rows)), key=lambda n: -abs(rows[n].shift))
        current = self.table.cursor_row
        if current is not None:
            place = next((p for p, n in enumerate(order) if rows[n] is current), 0) + direction
            self.table.move_to(order[min(max(place, 0), len(order) - 1)])

    def action_step(self, steps: int) -> None:
        """Draw the next measure."""
        self._choose(stepped(self._measures(), self._measure.value, steps))

    def action_choose(self) -> None:
        """Offer the measures."""
        ask = Choose("drawn by epoch", self._measures(), self._measure.value)
        host(self).push_screen(ask, self._choose)

    def _measures(self) -> tuple[str, ...]:
        part = cast("LabelsPart | None", self.part)
        return tuple(one.value for one in parts.measures_of(part.drift if part else None))

    def _choose(self, name: str | None) -> None:
        if name is not None and self.detail is not None and self.part is not None:
            self._measure = Measure(name)
            self._show_drift(self.detail, self.part)
