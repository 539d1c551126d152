"""The charts tab of the Run screen: every series of the run."""

from __future__ import annotations

from collections.abc import Iterator

from textual.widget import Widget

from db.records import Curve, RunDetail
from tui.formatting import plural
from tui.gateway import Gateway
from tui.screens.curves import Cast, LineStore, Look, chart_data
from tui.screens.run_parts import chart_groups, short_name
from tui.screens.run_tab import Nothing, RunTab
from tui.widgets.chart_grid import ChartGrid
from tui.widgets.line_chart import ChartData


class ChartsTab(RunTab):
    """A grid of charts."""

    NAME = "charts"

    def __init__(self) -> None:
        super().__init__()
        self._lines = LineStore()
        self._look = Look()

    def compose_content(self) -> Iterator[Widget]:
        """Yield the grid."""
        yield ChartGrid()

    def read(self, gateway: Gateway, detail: RunDetail, choice: object) -> tuple[Curve, ...]:
        """Read every series."""
        del choice
        return gateway.read_run_curves(detail.run.id, tuple(detail.summaries))

    def nothing(self, detail: RunDetail, part: tuple[Curve, ...]) -> Nothing | None:
        """Say that there is no point."""
        del detail
        return None if part else ("No points yet: the run has not trained a step.", "")

    def show(self, detail: RunDetail, part: tuple[Curve, ...]) -> None:
        """Draw every chart that has points."""
        by_name = {curve.series: curve for curve in part}
        self._lines.keep(part)
        charts = [
            self._chart(detail, title, names, [by_name[name] for name in names])
            for title, names in chart_groups(by_name)
        ]
        self.query_one(ChartGrid).show(charts)

    def show_look(self, look: Look) -> None:
        """Draw the charts in another way."""
        self._look = look
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
            best_epochs={run.id: run.best_epoch},
        )
        growing = run.state.is_live
        return chart_data(title, curves, self._look, cast, self._lines, is_growing=growing)

    def describe(self) -> str:
        """Return how many series there are."""
        run = self.detail.run if self.detail else None
        if run is None:
            return ""
        series = f"{len(self.part or ()):,} series"
        kept = len(self.detail.checkpoints) if self.detail else 0
        return f"run {run.id} · attempt {run.attempt} · {series} · {plural(kept, 'checkpoint')}"

    def focus_content(self) -> None:
        """Give the first chart the keys."""
        self.query_one(ChartGrid).focus_first()
