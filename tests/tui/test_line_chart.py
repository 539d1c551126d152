"""Charts under keys and mouse, in an app of their own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from textual.app import App, ComposeResult
from textual.events import MouseScrollUp
from textual.geometry import Region
from textual.message import Message
from textual.pilot import Pilot
from textual.widgets import Input

from tui.plotting.glyphs import ASCII, UNICODE
from tui.plotting.lines import Line
from tui.plotting.smoothing import smooth
from tui.widgets.chart_grid import ChartGrid, PageLine
from tui.widgets.chart_strips import ChartData
from tui.widgets.line_chart import LineChart


def line(slot: int = 0, points: int = 200, **changes: Any) -> Line:
    x = np.arange(1, points + 1, dtype=np.float64)
    y = 2.0 + slot + np.sin(x / 9 + slot)
    return replace(Line(f"run{slot}", f"seed {slot}", slot, x, y, smooth(y, 0.9)), **changes)


def data(*lines: Line, **changes: Any) -> ChartData:
    return replace(ChartData(title="train.loss", lines=lines), **changes)


class Charts(App[None]):
    """A grid of charts and nothing else."""

    DEFAULT_CSS = "Charts LineChart { width: 11fr; border-left: solid white; }"

    def __init__(self, charts: list[ChartData]) -> None:
        super().__init__()
        self.charts = charts
        self.glyphs = UNICODE

    def compose(self) -> ComposeResult:
        yield ChartGrid()

    def on_mount(self) -> None:
        grid = self.query_one(ChartGrid)
        grid.show(self.charts)
        self.call_after_refresh(grid.focus_first)


@asynccontextmanager
async def shown(
    *charts: ChartData, size: tuple[int, int] = (100, 30), **options: Any
) -> AsyncGenerator[Pilot[Any]]:
    app = Charts(list(charts))
    async with app.run_test(size=size, **options) as pilot:
        await pilot.pause()
        await pilot.pause()
        yield pilot


def chart(pilot: Pilot[Any], place: int = 0) -> LineChart:
    return list(pilot.app.query(LineChart))[place]


def text(one: LineChart) -> str:
    return "\n".join(one.render_line(y).text for y in range(one.size.height))


def watch_refreshes(one: LineChart, monkeypatch: pytest.MonkeyPatch) -> list[Region]:
    """Return a list that fills with the regions that are sent."""
    sent: list[Region] = []
    refresh = one.refresh

    def noted(*regions: Region, **options: Any) -> LineChart:
        sent.extend(regions or [one.size.region])
        return refresh(*regions, **options)

    monkeypatch.setattr(one, "refresh", noted)
    return sent


async def test_equal_data_send_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with shown(data(line())) as pilot:
        sent = watch_refreshes(chart(pilot), monkeypatch)

        chart(pilot).show(data(line()))

        assert sent == []


async def test_a_growing_curve_sends_few_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    async with shown(data(line(points=120), is_growing=True)) as pilot:
        one = chart(pilot)
        before = [one.render_line(y) for y in range(one.size.height)]
        sent = watch_refreshes(one, monkeypatch)

        one.show(data(line(points=122), is_growing=True))

        after = [one.render_line(y) for y in range(one.size.height)]
        rows = {region.y for region in sent}
        assert rows == {y for y in range(len(after)) if after[y] != before[y]}
        assert 0 < sum(region.width for region in sent) < 0.1 * one.size.area
        assert sum(a is b for a, b in zip(after[3:], before[3:], strict=True)) > 10


async def test_keys_zoom_pan_lock_and_leave() -> None:
    seen: list[Message] = []
    async with shown(data(line()), message_hook=seen.append) as pilot:
        one = chart(pilot)
        await pilot.press("plus", "plus")
        low, high = one.window or (0.0, 0.0)
        assert high - low == pytest.approx(199 / 4)
        assert any(isinstance(message, LineChart.Looked) for message in seen)

        await pilot.press("right_curly_bracket")
        assert (one.window or (0.0, 0.0))[0] > low

        await pilot.press("Y", "0")
        assert one.window is None and one.y_span is None

        await pilot.press("Y")
        locked = one.y_span
        assert locked is not None and "y locked" in text(one)
        await pilot.press("plus", "plus")
        assert one.y_span == locked

        await pilot.press("escape")
        assert one.window is None and one.y_span is None


async def test_outliers_are_left_out_on_request_and_counted() -> None:
    y = np.full(300, 1.0) + np.arange(300) % 5 * 0.01
    y[7] = 1e4
    async with shown(data(line(points=300, y=y, smooth=None))) as pilot:
        assert "clipped" not in text(chart(pilot))

        await pilot.press("percent_sign")

        assert "1 point clipped" in text(chart(pilot))


async def test_the_cursor_shows_values_of_all_lines_and_stands_in_every_chart() -> None:
    async with shown(data(line(), line(1)), data(line(2), title="valid.mae")) as pilot:
        await pilot.press("v", "h", "H")

        first, second = chart(pilot), chart(pilot, 1)
        assert first.cursor is not None and first.cursor == second.cursor
        assert text(first).count("~") == 2
        assert "│" in text(second).splitlines()[8]

        await pilot.press("escape")
        assert first.cursor is None and second.cursor is None


async def test_the_wheel_zooms_around_the_mouse_and_dragging_pans() -> None:
    async with shown(data(line())) as pilot:
        one = chart(pilot)
        await pilot._post_mouse_events([MouseScrollUp], LineChart, offset=(50, 10))
        await pilot.pause()
        zoomed = one.window
        assert zoomed is not None and zoomed[1] - zoomed[0] < 199

        await pilot.mouse_down(LineChart, offset=(50, 10))
        await pilot.hover(LineChart, offset=(40, 10))
        await pilot.mouse_up(LineChart, offset=(40, 10))
        assert (one.window or (0.0, 0.0))[0] > zoomed[0]
        assert one.cursor is None

        await pilot.click(LineChart, offset=(30, 10))
        assert one.cursor is not None


async def test_the_baseline_gives_every_line_its_distance() -> None:
    flat = line(smooth=None, y=np.full(200, 2.0), is_baseline=True)
    lines = (flat, line(1, smooth=None, y=np.full(200, 2.5)))
    async with shown(data(*lines)) as pilot:
        assert "2.500 (+0.500)" in text(chart(pilot))


async def test_each_series_is_held_against_its_own_baseline() -> None:
    base = line(0, y=np.full(200, 2.0), smooth=None, is_baseline=True)
    lines = (
        replace(base, key="baseline a", baseline_of="a"),
        replace(base, key="baseline b", baseline_of="b", y=np.full(200, 4.0)),
        line(0, key="a", y=np.full(200, 1.0), smooth=None),
        line(1, key="b", y=np.full(200, 4.0), smooth=None),
    )
    async with shown(data(*lines)) as pilot:
        drawn = text(chart(pilot))

    assert "1.000 (-1.00)" in drawn and "4.000 (same)" in drawn
    assert drawn.count("seed 0") == 1


async def test_the_title_tells_how_faithful_the_picture_is() -> None:
    thinned = line(num_points=1_000_000)
    async with shown(data(thinned), data(line(1))) as pilot:
        assert "1,000,000 points, envelope exact" in text(chart(pilot))
        assert "200 points, all drawn" in text(chart(pilot, 1))


async def test_values_that_are_not_finite_are_told_in_the_legend() -> None:
    y = np.full(200, 1.0)
    y[[5, 6]] = np.nan
    async with shown(data(line(y=y, smooth=None))) as pilot:
        assert "1.000 ✕2" in text(chart(pilot))


async def test_charts_come_in_pages_and_keys_go_through_them() -> None:
    charts = [data(line(n), title=f"metric {n}") for n in range(7)]
    async with shown(*charts, size=(110, 22)) as pilot:
        grid = pilot.app.query_one(ChartGrid)
        assert [one.data.title for one in grid.shown] == [f"metric {n}" for n in range(4)]
        assert "charts 1-4 of 7" in pilot.app.query_one(PageLine).text

        await pilot.press("pagedown")
        assert [one.data.title for one in grid.shown] == ["metric 4", "metric 5", "metric 6"]

        await pilot.press("k")
        assert pilot.app.focused is chart(pilot, 3)
        assert chart(pilot, 3).display


async def test_a_filter_shows_the_charts_that_have_its_words() -> None:
    charts = [
        data(line(n), title=title) for n, title in enumerate(["loss", "MAE", "learning rate"])
    ]
    async with shown(*charts) as pilot:
        grid = pilot.app.query_one(ChartGrid)
        await pilot.press("slash", *"mae", "enter")

        assert [one.data.title for one in grid.shown] == ["MAE"]
        assert pilot.app.focused is grid.shown[0]
        assert "1 of 3 charts" in pilot.app.query_one(PageLine).text

        await pilot.press("slash")
        assert isinstance(pilot.app.focused, Input)
        await pilot.press("escape")
        assert len(grid.shown) == 3


async def test_a_chart_fills_the_screen_and_gives_it_back() -> None:
    async with shown(data(line()), data(line(1))) as pilot:
        await pilot.press("enter")
        assert pilot.app.screen.maximized is chart(pilot)
        assert chart(pilot).size == pilot.app.size

        await pilot.press("escape")
        assert pilot.app.screen.maximized is None


async def test_without_unicode_a_chart_is_ascii() -> None:
    app = Charts([data(line(), line(1))])
    app.glyphs = ASCII
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.pause()
        drawn = text(chart(pilot))

    assert drawn.isascii()
    assert "o seed 0" in drawn and "x seed 1" in drawn


async def test_charts_out_of_sight_are_not_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    charts = [data(line(n), title=f"metric {n}") for n in range(7)]
    async with shown(*charts, size=(110, 22)) as pilot:
        painted: list[str] = []
        paint = LineChart._paint

        def noted(self: LineChart, width: int, height: int) -> Any:
            painted.append(self.data.title)
            return paint(self, width, height)

        monkeypatch.setattr(LineChart, "_paint", noted)
        pilot.app.query_one(ChartGrid).show(
            [data(line(n, points=210), title=f"metric {n}") for n in range(7)]
        )
        await pilot.pause()

        assert sorted(painted) == [f"metric {n}" for n in range(4)]
