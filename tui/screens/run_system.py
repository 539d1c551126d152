"""The system tab of the Run screen: what the run needed of the machine, beside its loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np
from textual.containers import Vertical
from textual.widget import Widget

from db.records import RunDetail
from tui.formatting import MISSING, Role, clock, duration, plural
from tui.gateway import Gateway
from tui.plotting.lines import Line
from tui.plotting.scale import AxisKind
from tui.run_records import AttemptUse, SystemPart
from tui.screens.run_tab import Nothing, RunTab
from tui.widgets.columns import Cell, Column
from tui.widgets.line_chart import STACKED_LABEL_WIDTH, ChartData, LineChart
from tui.widgets.table import Table

TIME = "time since the start"


class SystemTab(RunTab):
    """Loss, use and memory of the devices over one time axis; the attempts below."""

    NAME = "system"
    DEFAULT_CSS = """
    SystemTab Table { height: auto; min-height: 3; max-height: 6; }
    SystemTab #times { height: 1fr; }
    """

    def compose_content(self) -> Iterator[Widget]:
        """Yield three charts over the attempts."""
        names = ("loss", "use", "memory")
        charts = (LineChart(id=name, label_width=STACKED_LABEL_WIDTH) for name in names)
        yield Vertical(*charts, id="times")
        yield Table[AttemptUse](ATTEMPT_COLUMNS, lambda row: str(row.number))

    def read(self, gateway: Gateway, detail: RunDetail, choice: object) -> SystemPart:
        """Read samples, peaks and loss."""
        del choice
        return gateway.read_system(detail)

    def nothing(self, detail: RunDetail, part: SystemPart) -> Nothing | None:
        """Say that the run has not begun, or was made elsewhere."""
        if part.attempts or part.loss:
            return None
        if detail.run.state.is_finished:
            return ("Nothing is known of the machine this run was made on.", "")
        return ("The run has not begun.", "")

    def show(self, detail: RunDetail, part: SystemPart) -> None:
        """Draw the charts."""
        start, end = time_span(part, self.now)
        seconds = (0.0, max(end - start, 1.0))
        growing = detail.run.state.is_live
        lines = {
            "loss": loss_lines(part, start),
            "use": device_lines(part, start, memory=False),
            "memory": device_lines(part, start, memory=True),
        }
        titles = {
            "loss": "train.loss",
            "use": "use of the devices, %",
            "memory": "memory, GiB",
        }
        hints = {
            "loss": "No step is trained yet.",
            "use": "No samples: workers keep them for a day.",
            "memory": "No samples: workers keep them for a day.",
        }
        for name, title in titles.items():
            self.query_one(f"#{name}", LineChart).show(
                ChartData(
                    title=title,
                    lines=lines[name],
                    x_title=TIME,
                    x_kind=AxisKind.SECONDS,
                    x_range=seconds,
                    hint=hints[name],
                    is_growing=growing,
                )
            )
        cast("Table[AttemptUse]", self.query_one(Table)).show(part.attempts)

    def describe(self) -> str:
        """Return what the attempts held at most."""
        part = cast("SystemPart | None", self.part)
        if part is None:
            return ""
        memory = max((one.peak_memory_mib or 0 for one in part.attempts), default=0)
        gpu = max((one.peak_gpu_mib or 0 for one in part.attempts), default=0)
        said = [plural(len(part.attempts), "attempt"), plural(len(part.devices), "device")]
        said += [f"at most {_gib(memory)} of memory"] * bool(memory)
        said += [f"{_gib(gpu)} of a GPU"] * bool(gpu)
        return " · ".join(said)

    def focus_content(self) -> None:
        """Give the loss the keys."""
        self.query_one("#loss").focus()

    def on_line_chart_cursor_moved(self, message: LineChart.CursorMoved) -> None:
        """Put the cursors of the other charts at the same moment."""
        for chart in self.query(LineChart):
            if chart is not message.chart:
                chart.show_cursor(message.chart.cursor)

    def on_line_chart_looked(self, message: LineChart.Looked) -> None:
        """Stay with one's own points: they are all there."""
        message.stop()


def time_span(part: SystemPart, now: float) -> tuple[float, float]:
    """Return the first and the last moment of anything that is drawn."""
    starts = [one.started_at for one in part.attempts]
    ends = [one.ended_at or now for one in part.attempts]
    for curve in part.loss:
        starts += curve.times[:1].tolist()
        ends += curve.times[-1:].tolist()
    return min(starts, default=0.0), max(ends, default=0.0)


def loss_lines(part: SystemPart, start: float) -> tuple[Line, ...]:
    """Return the training loss over seconds since the start."""
    return tuple(
        Line(
            key=curve.series,
            label="loss",
            slot=0,
            x=np.maximum.accumulate(curve.times - start) if len(curve.times) else curve.times,
            y=curve.values,
            num_points=curve.num_points,
        )
        for curve in part.loss
    )


def device_lines(part: SystemPart, start: float, *, memory: bool) -> tuple[Line, ...]:
    """Return use in percent, or memory in GiB, a line a device."""
    return tuple(
        Line(
            key=device.name,
            label=device.name,
            slot=place,
            x=np.maximum.accumulate(device.times - start),
            y=device.memory_mib / 1024 if memory else device.utilisation,
        )
        for place, device in enumerate(part.devices, start=1)
    )


def _gib(mib: int | None) -> str:
    return MISSING if mib is None else f"{mib / 1024:.1f} GiB"


def _outcome(row: AttemptUse) -> Cell:
    if row.outcome is None:
        return Cell("runs", Role.LIVE)
    roles = {"succeeded": Role.GOOD, "failed": Role.BAD, "lost": Role.BAD}
    return Cell(row.outcome, roles.get(row.outcome, Role.PLAIN))


ATTEMPT_COLUMNS: tuple[Column[AttemptUse], ...] = (
    Column(key="number", title="try", width=3, cell=lambda r: Cell(str(r.number)), is_right=True),
    Column(key="outcome", title="outcome", width=10, cell=_outcome),
    Column(
        key="memory",
        title="memory",
        width=9,
        cell=lambda r: Cell(_gib(r.peak_memory_mib)),
        is_right=True,
    ),
    Column(
        key="gpu",
        title="of a GPU",
        width=9,
        cell=lambda r: Cell(_gib(r.peak_gpu_mib)),
        is_right=True,
    ),
    Column(
        key="started",
        title="began",
        width=8,
        cell=lambda r: Cell(clock(r.started_at), Role.DIM),
        rank=1,
    ),
    Column(
        key="took",
        title="took",
        width=6,
        cell=lambda r: Cell(duration(None if r.ended_at is None else r.ended_at - r.started_at)),
        is_right=True,
        rank=1,
    ),
    Column(key="host", title="host", width=12, cell=lambda r: Cell(r.host, Role.DIM), rank=2),
    Column(
        key="devices",
        title="devices",
        width=10,
        cell=lambda r: Cell(", ".join(r.devices), Role.DIM),
        grows=True,
        rank=2,
    ),
)
