"""The charts tab of the Run screen: every series of the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from textual.widget import Widget

from db.records import Curve, RunDetail
from tui.formatting import plural
from tui.gateway import Gateway
from tui.screens.curves import Cast, LineStore, Look, chart_data, marks_of, step_windows
from tui.screens.run_parts import chart_groups, short_name
from tui.screens.run_tab import Nothing, RunTab
from tui.widgets.chart_grid import ChartGrid
from tui.widgets.line_chart import ChartData, LineChart


@dataclass(frozen=True, slots=True)
class ChartsChoice:
    """What the charts depend on besides the run."""

    baseline: str = ""
    windows: tuple[tuple[str, tuple[int, int]], ...] = ()
    """By run: steps looked at closely."""


class ChartsTab(RunTab):
    """A grid of charts."""

    NAME = "charts"

    def __init__(self) -> None:
        super().__init__()
        self._lines = LineStore()
        self._look = Look()
        self._windows: dict[str, tuple[int, int]] = {}
        self.baseline = ""
        """Run whose curves are drawn behind, dashed; empty for none."""

    def compose_content(self) -> Iterator[Widget]:
        """Yield the grid."""
        yield ChartGrid()

    def choice(self) -> ChartsChoice:
        """Return the baseline, and the steps one looks at."""
        return ChartsChoice(self.baseline, tuple(sorted(self._windows.items())))

    def read(self, gateway: Gateway, detail: RunDetail, choice: ChartsChoice) -> tuple[Curve, ...]:
        """Read every series of the run, and the baseline's of the same names."""
        ids = tuple(dict.fromkeys((detail.run.id, choice.baseline or detail.run.id)))
        windows = dict(choice.windows)
        read = (gateway.read_curves(ids, name, windows) for name in detail.summaries)
        return tuple(curve for curves in read for curve in curves)

    def on_line_chart_looked(self, message: LineChart.Looked) -> None:
        """Read the range one looks at more finely."""
        message.stop()
        found = [curve for curve in self.part or () if curve.buckets is not None]
        self._windows = step_windows(found, self._look.x_axis, message.chart.window)
        self.post_message(self.Wanted())

    def nothing(self, detail: RunDetail, part: tuple[Curve, ...]) -> Nothing | None:
        """Say that there is no point."""
        del detail
        return None if part else ("No points yet: the run has not trained a step.", "")

    def show(self, detail: RunDetail, part: tuple[Curve, ...]) -> None:
        """Draw every chart that has points."""
        own = {curve.series: curve for curve in part if curve.run_id == detail.run.id}
        others = {curve.series: curve for curve in part if curve.run_id != detail.run.id}
        self._lines.keep(part)
        charts = [
            self._chart(
                detail,
                title,
                names,
                [of[name] for of in (others, own) for name in names if name in of],
            )
            for title, names in chart_groups(own)
        ]
        self.query_one(ChartGrid).show(over_one_x(charts))

    def show_look(self, look: Look, baseline: str) -> None:
        """Draw the charts in another way, or against another run."""
        self._look, self.baseline = look, baseline
        if self.detail is not None and self.is_shown:
            self.show(self.detail, self.part)

    def _chart(
        self, detail: RunDetail, title: str, names: tuple[str, ...], curves: list[Curve]
    ) -> ChartData:
        run = detail.run
        cast = Cast(
            labels={name: short_name(name, names) for name in names},
            slots={name: place for place, name in enumerate(names)},
            by_series=True,
            baseline=self.baseline if self.baseline != run.id else "",
        )
        marks = marks_of(
            [curve for curve in curves if curve.run_id == run.id],
            self._look.x_axis,
            best_epoch=run.best_epoch,
            checkpoints=detail.checkpoints,
        )
        growing = run.state.is_live
        return chart_data(
            title, curves, self._look, cast, self._lines, marks=marks, is_growing=growing
        )

    def describe(self) -> str:
        """Return how many series there are."""
        run = self.detail.run if self.detail else None
        if run is None:
            return ""
        own = [curve for curve in self.part or () if curve.run_id == run.id]
        series = f"{len(own):,} series"
        kept = len(self.detail.checkpoints) if self.detail else 0
        return f"run {run.id} · attempt {run.attempt} · {series} · {plural(kept, 'checkpoint')}"

    def focus_content(self) -> None:
        """Give the first chart the keys."""
        self.query_one(ChartGrid).focus_first()


def over_one_x(charts: Sequence[ChartData]) -> list[ChartData]:
    """Return the charts over the range of x of all of them: what is below is at the same time."""
    from tui.plotting.chart import roomy_end, x_extent

    extent = x_extent([line for chart in charts for line in chart.lines])
    if extent is None:
        return list(charts)
    low, high = extent
    if any(chart.is_growing for chart in charts):
        high = roomy_end(low, high)  # moves in strides, so that most cells stay as they are
    return [replace(chart, x_range=(low, high)) for chart in charts]
