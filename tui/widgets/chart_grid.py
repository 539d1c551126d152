"""Charts in as many columns as there is room for, in pages; one of them can fill the screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Vertical
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui.formatting import Role, plural
from tui.widgets.filter_line import has_words
from tui.widgets.line_chart import STACKED_LABEL_WIDTH, ChartData, LineChart
from tui.widgets.search_line import SearchLine
from tui.widgets.styles import is_dark, role_style

MIN_CHART_WIDTH = 52
MIN_CHART_HEIGHT = 8
MAX_COLUMNS = 3


class PageLine(Widget):
    """Says which charts are shown, and which are not."""

    DEFAULT_CSS = "PageLine { height: 1; background: $background; }"

    text: reactive[str] = reactive("")

    def render_line(self, y: int) -> Strip:
        """Return the text."""
        style = self.rich_style + role_style(Role.DIM, dark=is_dark(self))
        strip = Strip([Segment(f" {self.text}" if y == 0 else "", style)])
        return strip.adjust_cell_length(self.size.width, self.rich_style)


class ChartGrid(Vertical, can_focus=False):
    """A page of charts; their cursors stand at the same x."""

    DEFAULT_CSS = """
    ChartGrid { height: 1fr; }
    ChartGrid Grid { height: 1fr; grid-gutter: 1 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter charts", key_display="/"),
        Binding("pagedown", "page(1)", "next page", show=False),
        Binding("pageup", "page(-1)", "previous page", show=False),
        Binding("j,down", "step(1)", "next chart", show=False),
        Binding("k,up", "step(-1)", "previous chart", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the toolkit's word
        super().__init__(id=id)
        self._charts: list[LineChart] = []
        self._filter = ""
        self._page = 0
        self._arranged: object = None
        self._wants_keys = False

    def compose(self) -> ComposeResult:
        """Yield the charts' grid, and the lines below it."""
        yield Grid()
        yield PageLine()
        yield SearchLine("filter charts: words of the title or of a line")

    def show(self, charts: Sequence[ChartData]) -> None:
        """Show these charts; charts that were there before keep zoom and cursor."""
        missing = len(charts) - len(self._charts)
        fresh = [LineChart(label_width=STACKED_LABEL_WIDTH) for _ in range(missing)]
        if fresh:
            for chart in fresh:
                chart.display = False  # until there is a place for it
            self._charts += fresh
            self.query_one(Grid).mount(*fresh)
        for chart in self._charts[len(charts) :]:
            chart.remove()
        del self._charts[len(charts) :]
        for chart, data in zip(self._charts, charts, strict=True):
            chart.show(data)
        self._arrange()

    def on_resize(self) -> None:
        """Use the new room."""
        self._arrange()

    @property
    def matching(self) -> list[LineChart]:
        """The charts the filter lets through, on whatever page."""
        return [chart for chart in self._charts if has_words(self._filter, _words(chart.data))]

    @property
    def shown(self) -> list[LineChart]:
        """The charts of this page."""
        return [chart for chart in self._charts if chart.display]

    def _arrange(self) -> None:
        """Give the charts of the page the room there is, and hide the others."""
        width, height = self.size
        if not width or not height:
            return
        matching = self.matching
        columns = max(min(width // MIN_CHART_WIDTH, MAX_COLUMNS, len(matching)), 1)
        most = max(height // (MIN_CHART_HEIGHT + 1), 1)
        pages = max(-(-len(matching) // (columns * most)), 1)
        self._page = min(self._page, pages - 1)
        first = self._page * columns * most
        page = matching[first : first + columns * most]
        line = self._described(first, len(page), len(matching), pages)
        rows = most if pages > 1 else max(-(-len(page) // columns), 1)
        state = (tuple(map(id, page)), columns, rows, self.size, line)
        if state == self._arranged:
            return
        self._arranged = state
        chosen = {id(chart) for chart in page}
        for chart in self._charts:
            chart.display = id(chart) in chosen
        grid = self.query_one(Grid)
        grid.styles.grid_size_columns = columns
        grid.styles.grid_size_rows = rows
        grid.styles.grid_rows = "1fr"
        lines = self.query_one(PageLine)
        lines.display, lines.text = bool(line), line
        if self._wants_keys and page:
            self.focus_first()

    def _described(self, first: int, on_page: int, matching: int, pages: int) -> str:
        """Return which charts are shown; empty where that is all of them."""
        parts: list[str] = []
        if pages > 1:
            parts.append(f"charts {first + 1}-{first + on_page} of {matching}")
            parts.append("pgdn for more" if first + on_page < matching else "pgup for those before")
        if self._filter:
            total = plural(len(self._charts), "chart")
            parts.append(f"filter: {self._filter} ({matching} of {total})")
        return "  ".join(parts)

    # Keys

    def action_page(self, direction: int) -> None:
        """Show the next page, or the one before."""
        self._page = max(self._page + direction, 0)
        self._arrange()
        self.focus_first()

    def action_step(self, direction: int) -> None:
        """Focus another chart, on another page if need be."""
        matching = self.matching
        focused = self.screen.focused
        if not isinstance(focused, LineChart) or focused not in matching:
            return
        place = min(max(matching.index(focused) + direction, 0), len(matching) - 1)
        if not matching[place].display:
            self._page = max(self._page + direction, 0)
            self._arrange()
        if self.screen.maximized is focused:
            self.screen.minimize()
            self.screen.maximize(matching[place], container=False)
        matching[place].focus()

    def action_filter(self) -> None:
        """Let the user type which charts to show."""
        self.query_one(SearchLine).open(self._filter)

    def on_search_line_typed(self, message: SearchLine.Typed) -> None:
        """Show the charts that have the words."""
        message.stop()
        self._filter, self._page = message.text, 0
        self._arrange()
        if message.is_final:
            self.focus_first()

    def on_line_chart_cursor_moved(self, message: LineChart.CursorMoved) -> None:
        """Put the cursors of the other charts at the same x."""
        for chart in self._charts:
            if chart is not message.chart and chart.data.x_title == message.chart.data.x_title:
                chart.show_cursor(message.chart.cursor)

    def focus_first(self) -> None:
        """Give the first chart of the page the keys, as soon as there is one."""
        self._wants_keys = not self.shown
        for chart in self.shown[:1]:
            chart.focus()


def _words(data: ChartData) -> str:
    """Return the words by which a chart is found."""
    return " ".join([data.title, *(f"{line.key} {line.label}" for line in data.lines)])
