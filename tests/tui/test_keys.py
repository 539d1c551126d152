"""What keys do, on every screen. Messages and records first, the picture last."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from textual.message import Message
from textual.pilot import Pilot
from textual.widgets import OptionList

from db.records import JobState
from tests.tui.conftest import Driver, driven
from tests.tui.fake_gateway import NOW, FakeGateway, job, normal_gateway, run
from tui.app import Dashboard
from tui.messages import FrameRead, NothingChanged, OpenRun
from tui.plotting.lines import XAxis
from tui.screens.curves import CurvesScreen
from tui.screens.run import RunScreen
from tui.screenshot import screen_text, settle
from tui.widgets.chart_grid import ChartGrid
from tui.widgets.filter_line import FilterLine
from tui.widgets.line_chart import LineChart
from tui.widgets.log_tail import LogTail
from tui.widgets.run_table import RunTable
from tui.widgets.table import Table


def table(driver: Driver) -> Table[Any]:
    return cast("Table[Any]", driver.app.screen.query_one("#table", Table))


def chart(driver: Driver) -> LineChart:
    return driver.app.screen.query_one("#chart", LineChart)


# Between screens


@pytest.mark.parametrize(
    ("key", "name"),
    [("1", "runs"), ("2", "queue"), ("3", "run"), ("4", "compare"), ("5", "data"), ("6", "events")],
)
async def test_digits_open_the_screens(key: str, name: str) -> None:
    async with driven(normal_gateway(), first="data" if key != "5" else "runs") as driver:
        await driver.press(key)

        assert driver.app.screen.name == name


async def test_a_click_on_a_name_in_the_header_opens_that_screen() -> None:
    async with driven(normal_gateway()) as driver:
        await driver.pilot.click("Header", offset=(12, 0))
        await settle(driver.pilot)

        assert driver.app.screen.name == "queue"


async def test_enter_opens_the_run_and_escape_comes_back() -> None:
    seen: list[Message] = []
    app = Dashboard(normal_gateway(), time=lambda: NOW)
    async with app.run_test(size=(120, 40), message_hook=seen.append) as pilot:
        await settle(pilot)
        await pilot.press("j", "enter")
        await settle(pilot)

        assert [m.run_id for m in seen if isinstance(m, OpenRun)][:1] == ["run00001"]
        assert app.screen.name == "run"
        assert "self_mm-mosi-s1111" in screen_text(app)

        await pilot.press("escape")
        await settle(pilot)
        assert app.screen.name == "runs"
        assert app.screen.query_one(RunTable).cursor_key == "run00001"


async def test_enter_on_a_job_opens_its_run() -> None:
    async with driven(normal_gateway(), first="queue") as driver:
        await driver.press("j", "enter")

        assert driver.app.screen.name == "run"
        assert "self_mm-mosi-s1111" in screen_text(driver.app)


async def test_q_leaves() -> None:
    async with driven(normal_gateway()) as driver:
        await driver.pilot.press("q")

        assert driver.app.return_code == 0


async def test_until_idle_leaves_when_nothing_waits_or_runs() -> None:
    gateway = FakeGateway(runs=[run(1)], jobs=[job(1, JobState.RUNNING)])
    async with driven(gateway, until_idle=True) as driver:
        await driver.news()
        assert driver.app.is_running and driver.app.return_value is None

        gateway.jobs = [job(1, JobState.SUCCEEDED)]
        await driver.news()
        for _ in range(4):
            await driver.look()

        assert driver.app.return_value == 0


# Live


async def test_the_curve_grows_without_a_key_when_there_are_more_points() -> None:
    gateway = normal_gateway()
    async with driven(gateway) as driver:
        before = {line.key: len(line.x) for line in chart(driver).data.lines}

        gateway.runs[0] = replace(gateway.runs[0], step=gateway.runs[0].step + 25)
        gateway.touch()
        after = before
        for _ in range(100):  # the screen's own timer looks every half second
            if after != before:
                break
            await driver.pilot.pause(0.1)
            after = {line.key: len(line.x) for line in chart(driver).data.lines}

        assert after["run00000"] == before["run00000"] + 25
        assert after["run00002"] == before["run00002"]


async def test_nothing_is_read_or_repainted_when_nothing_changed() -> None:
    seen: list[Message] = []
    app = Dashboard(normal_gateway(), time=lambda: NOW)
    async with app.run_test(size=(120, 40), message_hook=seen.append) as pilot:
        await settle(pilot)
        for _ in range(3):
            cast("Any", app.screen).poll()
            await settle(pilot)
        seen.clear()

        cast("Any", app.screen).poll()
        await settle(pilot)

        assert any(isinstance(message, NothingChanged) for message in seen)
        assert not any(isinstance(message, FrameRead) for message in seen)


async def test_cursor_selection_and_sorting_stay_when_runs_come_and_go() -> None:
    gateway = normal_gateway()
    async with driven(gateway) as driver:
        await driver.press("j", "j", "space", "space", "o", "o")
        chosen = table(driver).selection
        cursor, sorting = table(driver).cursor_key, table(driver).sorting

        gateway.runs = [run(50, created_at=NOW), *gateway.runs]
        await driver.news()

        assert chosen == {"run00002", "run00003"}
        assert table(driver).selection == chosen
        assert table(driver).cursor_key == cursor
        assert table(driver).sorting == sorting
        assert len(table(driver).rows) == 10


# Runs


async def test_only_selected_runs_are_drawn_with_the_one_under_the_cursor() -> None:
    async with driven(normal_gateway()) as driver:
        await driver.press("j", "j", "space")

        assert {line.key for line in chart(driver).data.lines} == {"run00002", "run00003"}

        await driver.press("escape")
        assert len(chart(driver).data.lines) == 6


async def test_words_filter_as_one_types_and_escape_takes_the_filter_away() -> None:
    async with driven(normal_gateway()) as driver:
        await driver.press("slash")
        await driver.type("self_mm 1112")
        assert [row.run.name for row in table(driver).rows] == ["self_mm-mosi-s1112"]

        await driver.press("enter")
        assert "1 of 9 runs" in screen_text(driver.app)
        assert "filter: self_mm 1112" in screen_text(driver.app)
        assert table(driver).has_focus

        await driver.press("escape")
        assert len(table(driver).rows) == 9


async def test_an_expression_is_answered_by_the_gateway_on_enter() -> None:
    async with driven(normal_gateway()) as driver:
        await driver.press("slash")
        driver.app.screen.query_one(FilterLine).value = 'model == "text_only"'
        await driver.press("enter")

        assert {row.run.model for row in table(driver).rows} == {"text_only"}


async def test_a_filter_that_cannot_be_read_is_said_and_hides_nothing() -> None:
    async with driven(normal_gateway()) as driver:
        await driver.press("slash")
        driver.app.screen.query_one(FilterLine).value = "learning < 1"
        await driver.press("enter")

        assert "Did you mean `optim.lr`?" in screen_text(driver.app)
        assert len(table(driver).rows) == 9


async def test_a_filter_without_result_keeps_the_screen_and_says_so() -> None:
    async with driven(normal_gateway()) as driver:
        await driver.press("slash")
        await driver.type("nosuchrun")
        await driver.press("enter")

        assert "0 of 9 runs" in screen_text(driver.app)
        assert "No runs yet" not in screen_text(driver.app)


async def test_full_stop_draws_the_next_metric_and_comma_the_one_before() -> None:
    async with driven(normal_gateway()) as driver:
        assert chart(driver).data.title == "train.loss"
        await driver.press("full_stop")
        assert chart(driver).data.title == "train.lr"
        await driver.press("comma", "comma")
        assert chart(driver).data.title == "train.gradient_norm"


async def test_m_offers_all_metrics_and_typing_narrows_them() -> None:
    async with driven(normal_gateway()) as driver:
        await driver.press("m")
        await driver.type("acc")
        options = driver.app.screen.query_one(OptionList)
        assert options.option_count == 2
        await driver.press("down", "enter")

        assert chart(driver).data.title == "valid.acc7"
        assert all(len(line.x) for line in chart(driver).data.lines)


async def test_keys_change_how_curves_are_drawn() -> None:
    async with driven(normal_gateway()) as driver:
        screen = cast(CurvesScreen, driver.app.screen)
        await driver.press("x", "backslash", "S", "S", "S", "S", "S")

        assert screen.look.x_axis is XAxis.EPOCH
        assert screen.look.log_y and chart(driver).data.log_y
        assert screen.look.smoothing == 0
        assert all(line.smooth is None for line in chart(driver).data.lines)

        await driver.press("s")
        assert screen.look.smoothing == 0.6


async def test_zoom_pan_and_cursor_on_the_chart() -> None:
    async with driven(normal_gateway()) as driver:
        chart(driver).focus()
        await driver.press("plus", "plus")
        low, high = chart(driver).window or (0, 0)
        assert high - low == pytest.approx((480 - 1) / 4)

        await driver.press("right_curly_bracket")
        assert (chart(driver).window or (0, 0))[0] > low

        await driver.press("0", "v", "h", "h")
        assert chart(driver).window is None
        assert chart(driver).cursor is not None and chart(driver).cursor < 480  # type: ignore[operator]
        assert "step 46" in screen_text(driver.app)

        await driver.press("escape")
        assert chart(driver).cursor is None


# Run


async def test_enter_on_a_chart_fills_the_screen_and_escape_brings_the_others_back() -> None:
    async with driven(normal_gateway(), first="run") as driver:
        await driver.press("j", "enter")
        assert driver.app.screen.maximized is not None
        assert screen_text(driver.app).count("└") == 1

        await driver.press("escape")
        assert driver.app.screen.maximized is None
        assert driver.app.screen.name == "run"
        assert len(driver.app.screen.query_one(ChartGrid).query(LineChart)) > 5


async def test_the_log_is_followed_until_one_looks_back() -> None:
    gateway = normal_gateway()
    async with driven(gateway, size=(100, 20), first="run") as driver:
        await driver.press("tab", "tab", "tab")
        tail = driver.app.screen.query_one(LogTail)
        assert "step 312" in screen_text(driver.app)

        gateway.log = replace(gateway.log, lines=(*gateway.log.lines, "the newest line"))
        await driver.news()
        assert "the newest line" in screen_text(driver.app)

        await driver.press("k")
        gateway.log = replace(gateway.log, lines=(*gateway.log.lines, "newer still"))
        await driver.news()
        assert not tail.is_following
        assert "newer still" not in screen_text(driver.app)

        await driver.press("f")
        assert "newer still" in screen_text(driver.app)


async def test_a_run_without_a_point_says_so() -> None:
    gateway = FakeGateway(runs=[run(0, step=0, epoch=0, state=JobState.STARTING, metrics={})])
    async with driven(gateway, first="run") as driver:
        assert isinstance(driver.app.screen, RunScreen)
        assert "has not trained a step" in screen_text(driver.app)


# Help, palette, themes


async def test_help_names_every_key_the_key_line_shows() -> None:
    async with driven(normal_gateway(), size=(120, 60)) as driver:
        shown = screen_text(driver.app).splitlines()[-1]
        await driver.press("question_mark")
        text = screen_text(driver.app)

        for entry in [part for part in shown.split("   ") if part.strip()]:
            key, _, does = entry.strip().partition(" ")
            assert key in text and does in text
        assert "Scroll" not in text and "Focus Next" not in text

        await driver.press("escape")
        assert driver.app.screen.name == "runs"


async def test_the_palette_offers_every_action_with_its_key() -> None:
    async with driven(normal_gateway(), first="queue") as driver:
        commands = {c.title: c for c in driver.app.get_system_commands(driver.app.screen)}

        assert {"Cancel", "Try again", "Pause or go on", "Filter", "Compare"} <= set(commands)
        assert {"Theme", "Add job", "Runs: columns", "Events: only new ones"} <= set(commands)
        assert commands["Cancel"].help == "Key: ^k"


async def test_a_command_of_the_palette_does_what_its_key_does() -> None:
    async with driven(normal_gateway()) as driver:
        commands = {c.title: c for c in driver.app.get_system_commands(driver.app.screen)}
        callback = cast("Any", commands["Queue"].callback)
        await callback()
        await settle(driver.pilot)

        assert driver.app.screen.name == "queue"


async def test_light_and_dark_show_the_same_text() -> None:
    async with driven(normal_gateway()) as driver:
        dark = screen_text(driver.app)
        await driver.press("ctrl+t")

        assert not driver.app.current_theme.dark
        assert screen_text(driver.app) == dark


async def test_a_narrow_terminal_stacks_table_and_chart() -> None:
    async with driven(normal_gateway()) as driver:
        pilot: Pilot[Any] = driver.pilot
        await pilot.resize_terminal(80, 24)
        await settle(pilot)

        table_region = table(driver).region
        assert chart(driver).region.y >= table_region.bottom
        assert table_region.width == 80
