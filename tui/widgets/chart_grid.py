"""Charts in as many columns as there is room for; one of them can fill the screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Grid, VerticalScroll

from tui.widgets.line_chart import ChartData, LineChart

MIN_CHART_WIDTH = 52
MIN_CHART_HEIGHT = 9


class ChartGrid(VerticalScroll, can_focus=False):
    """A page of charts that scrolls."""

    DEFAULT_CSS = """
    ChartGrid { height: 1fr; scrollbar-size-vertical: 1; }
    ChartGrid Grid { height: auto; grid-gutter: 1 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "fill", "full screen"),
        Binding("j,down", "step(1)", "next chart", show=False),
        Binding("k,up", "step(-1)", "previous chart", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the toolkit's word
        super().__init__(Grid(), id=id)
        self._charts: list[LineChart] = []

    def show(self, charts: Sequence[ChartData]) -> None:
        """Show these charts; charts that were there before keep zoom and cursor."""
        grid = self.query_one(Grid)
        fresh = [LineChart() for _ in range(len(charts) - len(self._charts))]
        if fresh:
            self._charts += fresh
            grid.mount(*fresh)
        for chart in self._charts[len(charts) :]:
            chart.remove()
        del self._charts[len(charts) :]
        for chart, data in zip(self._charts, charts, strict=True):
            chart.show(data)
        if fresh or not charts:
            self._arrange()

    def on_resize(self) -> None:
        """Use the new room."""
        self._arrange()

    def _arrange(self) -> None:
        width, height = self.size
        if not width or not self._charts:
            return
        columns = max(min(width // MIN_CHART_WIDTH, 3, len(self._charts)), 1)
        rows = -(-len(self._charts) // columns)
        each = max((height - rows + 1) // rows, MIN_CHART_HEIGHT)
        if rows * (each + 1) - 1 > height:
            fitting = max(height // (MIN_CHART_HEIGHT + 1), 1)
            each = max((height - fitting + 1) // fitting, MIN_CHART_HEIGHT)
        grid = self.query_one(Grid)
        grid.styles.grid_size_columns = columns
        grid.styles.grid_rows = str(each)

    def action_fill(self) -> None:
        """Let the focused chart fill the screen; esc brings the others back."""
        focused = self.screen.focused
        if isinstance(focused, LineChart):
            self.screen.maximize(focused, container=False)

    def action_step(self, direction: int) -> None:
        """Focus another chart."""
        focused = self.screen.focused
        if isinstance(focused, LineChart) and focused in self._charts:
            place = self._charts.index(focused) + direction
            self._charts[min(max(place, 0), len(self._charts) - 1)].focus()

    def focus_first(self) -> None:
        """Give the first chart the keys."""
        if self._charts:
            self._charts[0].focus()
