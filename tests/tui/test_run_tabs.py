"""The tabs of the Run screen: what they show, their keys, and what they say of nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from textual.widgets import OptionList

from db.records import JobState
from tests.tui.conftest import Driver, driven
from tests.tui.fake_gateway import FakeGateway, normal_gateway, run
from tests.tui.fake_run import drift
from tests.tui.snapshot import check_snapshot
from tui.run_records import RunBody
from tui.screens.run import TABS, RunScreen
from tui.screenshot import screen_text, settle
from tui.widgets.chart_grid import ChartGrid
from tui.widgets.line_chart import LineChart
from tui.widgets.log_tail import LogTail
from tui.widgets.tab_line import TabLine
from tui.widgets.table import Table

SIZES = ((80, 24), (160, 45))
PROBLEM = "`/data/ada/setgf/setgf.db` is locked: another process has been writing for 10 s."


def waiting_gateway() -> FakeGateway:
    """Return a gateway with one run that has not trained a step."""
    fresh = run(0, step=0, epoch=0, state=JobState.STARTING, metrics={}, best_epoch=None)
    return FakeGateway(runs=[fresh])


def broken_gateway() -> FakeGateway:
    """Return a gateway that finds the run but can't read any part of it."""
    gateway = normal_gateway()
    gateway.part_problem = PROBLEM
    return gateway


STATES: dict[str, Any] = {
    "normal": normal_gateway,
    "empty": waiting_gateway,
    "error": broken_gateway,
}
READ_WITH_THE_RUN = ("files", "about", "config")
"""Tabs whose part can't fail by itself."""


def screen(driver: Driver) -> RunScreen:
    return cast(RunScreen, driver.app.screen)


async def open_tab(driver: Driver, name: str) -> Any:
    """Open a tab as a click on its name does, and return it."""
    screen(driver).post_message(TabLine.Chosen(name))
    await settle(driver.pilot)
    return screen(driver).tab


def rows(driver: Driver) -> tuple[Any, ...]:
    return cast("Table[Any]", screen(driver).tab.query_one(Table)).rows


def cursor(driver: Driver) -> Any:
    return cast("Table[Any]", screen(driver).tab.query_one(Table)).cursor_row


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("state", STATES)
async def test_tabs_look_as_they_did(state: str, size: tuple[int, int]) -> None:
    async with driven(STATES[state](), size=size, first="run") as driver:
        for tab in TABS[1:]:
            await driver.press("tab")
            if state == "error" and tab in READ_WITH_THE_RUN:
                continue
            text = screen_text(driver.app)
            check_snapshot(driver.app, f"run-{tab}-{state}-{size[0]}x{size[1]}")
            if state == "error":
                assert "Can't read this." in text and "is locked" in " ".join(text.split())
                assert "setgf-mosi-s1111" in text  # the run itself stays


async def test_every_tab_can_be_reached_by_key_and_by_mouse_at_80_columns() -> None:
    async with driven(normal_gateway(), size=(80, 24), first="run") as driver:
        for name in TABS:
            assert name == screen(driver).tab.NAME
            assert name.capitalize() in screen_text(driver.app).splitlines()[3]
            await driver.press("tab")
        assert TABS[0] == screen(driver).tab.NAME
        await driver.press("shift+tab")
        assert TABS[-1] == screen(driver).tab.NAME

        line = screen_text(driver.app).splitlines()[3]
        await driver.pilot.click(offset=(line.index("System") + 1, 3))
        await settle(driver.pilot)
        assert screen(driver).tab.NAME == "system"


async def test_a_part_that_is_mended_is_shown_without_a_key() -> None:
    gateway = broken_gateway()
    async with driven(gateway, first="run") as driver:
        await open_tab(driver, "predictions")
        assert "Can't read this." in screen_text(driver.app)

        gateway.part_problem = ""
        await driver.news()
        assert "clip_01" in screen_text(driver.app)
        assert isinstance(screen(driver).focused, Table)


async def test_nothing_of_another_run_is_shown_while_one_waits() -> None:
    async with driven(normal_gateway(), first="run") as driver:
        tab = await open_tab(driver, "predictions")
        screen(driver).open_run("run00002")
        assert not tab.is_shown
        await settle(driver.pilot)
        assert tab.is_shown and screen(driver).body.detail.run.id == "run00002"  # type: ignore[union-attr]


async def test_a_part_that_comes_late_is_not_shown_in_another_tab() -> None:
    async with driven(normal_gateway(), first="run") as driver:
        await open_tab(driver, "log")
        late = RunBody(detail=screen(driver).body.detail, tab="events", part=())
        screen(driver).show_body(late)
        assert screen(driver).tab.is_shown
        assert "step 312" in screen_text(driver.app)


# Charts


async def test_every_series_has_a_chart_and_the_look_changes_them() -> None:
    async with driven(normal_gateway(), first="run") as driver:
        charts = screen(driver).query_one(ChartGrid).query(LineChart)
        titles = {chart.data.title for chart in charts}
        assert {"loss", "learning rate", "gradient norm", "MAE on valid"} <= titles
        assert {chart.data.x_title for chart in charts} == {"epoch"}

        await driver.press("x")
        assert {chart.data.x_title for chart in charts} == {"time"}
        await driver.press("tab")
        assert not screen(driver).check_action("next_x", ())


# Config


async def test_d_shows_what_differs_from_a_chosen_run_and_then_everything() -> None:
    async with driven(normal_gateway(), first="run") as driver:
        await open_tab(driver, "config")
        await driver.press("d")
        assert isinstance(driver.app.screen.focused, type(driver.app.screen.focused))
        await driver.type("self_mm-mosi-s1112")
        assert driver.app.screen.query_one(OptionList).option_count == 1
        await driver.press("enter")

        text = screen_text(driver.app)
        assert "2 differences" in text and "≠ model.name" in text and "≠ seed" in text
        assert "optim.lr" not in text

        await driver.press("d")
        assert "optim.lr" in screen_text(driver.app)
        await driver.press("d")
        assert "≠" not in screen_text(driver.app)


async def test_the_pinned_baseline_is_what_d_compares_with() -> None:
    gateway = normal_gateway()
    kept = gateway.remembered
    kept.remember(replace(kept.settings, baseline="run00004"))
    async with driven(gateway, first="run") as driver:
        await open_tab(driver, "config")
        await driver.press("d")

        assert "the pinned baseline" in screen_text(driver.app)
        assert "run00004" in screen_text(driver.app)


async def test_metrics_of_both_runs_stand_below_the_settings() -> None:
    async with driven(normal_gateway(), first="run") as driver:
        screen(driver).open_run("run00002")
        await open_tab(driver, "config")
        await driver.press("m")
        await driver.type("run00003")
        await driver.press("enter")

        found = {row.name: row for row in rows(driver)}
        assert found["test.mae"].value == "0.9760  -0.0130"
        assert found["test.mae"].verdict == "good"


async def test_words_find_settings() -> None:
    async with driven(normal_gateway(), first="run") as driver:
        await open_tab(driver, "config")
        await driver.press("slash")
        await driver.type("lr")
        assert [row.name for row in rows(driver) if not row.is_heading] == [
            "optim.lr",
            "optim.lr_text",
        ]
        await driver.press("escape")
        assert len(rows(driver)) > 5 and isinstance(screen(driver).focused, Table)


# About


async def test_i_writes_a_note_and_t_changes_tags() -> None:
    gateway = normal_gateway()
    async with driven(gateway, first="run") as driver:
        await open_tab(driver, "about")
        await driver.press("i")
        await driver.type("best so far")
        await driver.press("enter")
        await driver.press("t")
        await driver.type("paper -old")
        await driver.press("enter")

        shown = gateway.run_detail("run00000")
        assert shown is not None and shown.run.note == "best so far"
        assert ("tag", ("run00000",)) in [(name, what) for name, what, *_ in gateway.calls] or (
            "paper" in shown.run.tags
        )
        assert "best so far" in screen_text(driver.app)


async def test_a_dashboard_that_only_reads_offers_no_note() -> None:
    gateway = normal_gateway()
    gateway.read_only = True
    async with driven(gateway, first="run") as driver:
        tab = await open_tab(driver, "about")
        assert not tab.check_action("note", ()) and not tab.check_action("tag", ())
        await driver.press("i", "t")
        assert screen(driver).name == "run"


# Log


async def test_a_search_marks_lines_and_n_goes_from_one_to_the_next() -> None:
    async with driven(normal_gateway(), size=(100, 20), first="run") as driver:
        await open_tab(driver, "log")
        tail = screen(driver).query_one(LogTail)
        await driver.press("slash")
        await driver.type("epoch 3")
        assert tail.matches == [10, 11, 12, 13, 14]
        await driver.press("enter")
        assert not tail.is_following
        assert "`epoch 3`: 5 lines" in screen_text(driver.app)
        assert "epoch 3 step 112" in screen_text(driver.app)

        await driver.press("n")
        assert "epoch 3 step 80" in screen_text(driver.app)
        await driver.press("N")
        assert "epoch 3 step 112" in screen_text(driver.app)

        await driver.press("slash", "escape")
        assert tail.pattern == ""
        await driver.press("f")
        assert tail.is_following and "step 312" in screen_text(driver.app)


async def test_a_line_number_is_gone_to() -> None:
    async with driven(normal_gateway(), size=(100, 20), first="run") as driver:
        await open_tab(driver, "log")
        await driver.press("slash")
        await driver.type(":2")
        await driver.press("enter")
        assert "12:00:01" in screen_text(driver.app)


async def test_without_a_search_n_goes_to_errors_and_warnings() -> None:
    gateway = normal_gateway()
    lines = list(gateway.log.lines)
    lines[3] = "12:00:03 WARNING the loss jumps"
    lines[30] = "12:00:30 ERROR ValueError: bad"
    gateway.log = replace(gateway.log, lines=tuple(lines))
    async with driven(gateway, size=(100, 20), first="run") as driver:
        await open_tab(driver, "log")
        await driver.press("N")
        assert "ERROR ValueError" in screen_text(driver.app)
        await driver.press("N")
        assert "the loss jumps" in screen_text(driver.app)


async def test_keys_move_over_the_log() -> None:
    async with driven(normal_gateway(), size=(100, 20), first="run") as driver:
        await open_tab(driver, "log")
        tail = screen(driver).query_one(LogTail)
        await driver.press("g")
        assert "12:00:00" in screen_text(driver.app)
        await driver.press("pagedown", "j", "k")
        assert tail.scroll_y == tail.size.height - 1
        await driver.press("pageup", "l", "h")
        assert tail.scroll_y == 0
        await driver.press("G")
        assert tail.is_following


# Confusion


async def test_counts_and_shares_stand_in_every_matrix() -> None:
    async with driven(normal_gateway(), size=(160, 60), first="run") as driver:
        await open_tab(driver, "confusion")
        text = screen_text(driver.app)
    for number in (2, 3, 5, 7):
        assert f"{number} classes" in text
    assert "100 %" in text and "(3 of 20)" in text and "label \\ score" in text


async def test_full_stop_and_m_choose_branch_and_split() -> None:
    async with driven(normal_gateway(), first="run") as driver:
        await open_tab(driver, "confusion")
        assert "fusion on test" in screen_text(driver.app)
        await driver.press("full_stop")
        assert "text on test" in screen_text(driver.app)
        await driver.press("comma", "comma")
        assert "vision on valid" in screen_text(driver.app)
        await driver.press("m")
        await driver.type("audio valid")
        await driver.press("enter")
        assert "audio on valid" in screen_text(driver.app)


async def test_keys_scroll_the_matrices() -> None:
    async with driven(normal_gateway(), size=(80, 24), first="run") as driver:
        await open_tab(driver, "confusion")
        assert "7 classes" in screen_text(driver.app)
        await driver.press("G")
        assert "2 classes" in screen_text(driver.app)
        await driver.press("g", "j", "j", "k", "pagedown", "pageup")
        await driver.press("g")
        assert "7 classes" in screen_text(driver.app)


async def test_without_colour_shades_stand_beside_the_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with driven(normal_gateway(), first="run") as driver:
        await open_tab(driver, "confusion")
        assert "100 %█" in screen_text(driver.app)


# Predictions


async def test_predictions_come_worst_first_and_the_one_under_the_cursor_in_full() -> None:
    async with driven(normal_gateway(), first="run") as driver:
        await open_tab(driver, "predictions")
        assert cursor(driver).error == pytest.approx(4.4)
        lines = screen_text(driver.app).splitlines()
        assert any("▼" in line and "F" in line and "+3" in line for line in lines)
        await driver.press("j", "j", "j")
        assert "clip_06  label +3.00" in screen_text(driver.app)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("number 1", 11),
        ("error>4", 3),
        ("abs<0.5", 3),
        ("class=-2 said=2", 3),
        ("wrong !clip_0", 9),
    ],
)
async def test_a_filter_finds_samples(text: str, number: int) -> None:
    async with driven(normal_gateway(), first="run") as driver:
        await open_tab(driver, "predictions")
        await driver.press("slash")
        await driver.type(text)
        await driver.press("enter")
        assert len(rows(driver)) == number
        assert f"{number} of 20 predictions" in screen_text(driver.app)
        await driver.press("slash", "escape")
        assert len(rows(driver)) == 20


async def test_n_goes_to_the_next_worst_whatever_the_rows_are_sorted_by() -> None:
    async with driven(normal_gateway(), first="run") as driver:
        await open_tab(driver, "predictions")
        table = cast("Table[Any]", screen(driver).tab.query_one(Table))
        table.sort_by("id", reverse=False)
        table.move_to_key("clip_15")
        await driver.press("n")
        assert abs(cursor(driver).error) == pytest.approx(3.6)
        await driver.press("N")
        assert cursor(driver).prediction.sample_id == "clip_15"


async def test_full_stop_shows_the_other_split_and_m_offers_both() -> None:
    async with driven(normal_gateway(), first="run") as driver:
        await open_tab(driver, "predictions")
        await driver.press("full_stop")
        assert "5 of 5 predictions on valid" in screen_text(driver.app)
        await driver.press("m")
        await driver.type("test")
        await driver.press("enter")
        assert "20 of 20 predictions on test" in screen_text(driver.app)


# Labels


async def test_most_moved_samples_come_first_with_the_path_of_the_one_chosen() -> None:
    async with driven(normal_gateway(), first="run") as driver:
        await open_tab(driver, "labels")
        assert cursor(driver).sample_id == "clip_11"
        path = screen(driver).query_one("#path", LineChart)
        assert path.data.title == "labels of clip_11"
        ends = {line.label: line.y[-1] for line in path.data.lines}
        assert ends == pytest.approx({"text": 5.0, "audio": 2.0, "annotation": 3.0})

        await driver.press("n")
        assert path.data.title == "labels of clip_10"
        await driver.press("N", "slash")
        await driver.type("clip_03")
        await driver.press("enter")
        assert path.data.title == "labels of clip_03" and len(rows(driver)) == 1


async def test_full_stop_draws_another_measure_human_labels_where_there_are() -> None:
    gateway = normal_gateway()
    gateway.drift = drift(with_human=True)
    async with driven(gateway, first="run") as driver:
        await open_tab(driver, "labels")
        chart = screen(driver).query_one("#drift", LineChart)
        assert chart.data.title == "mean shift from the annotation"
        await driver.press("comma", "comma")
        assert chart.data.title == "correlation with human labels"
        assert [line.label for line in chart.data.lines] == ["text"]
        await driver.press("m")
        await driver.type("correlation annotation")
        await driver.press("enter")
        assert chart.data.title == "correlation with the annotation"
        assert "human" in screen_text(driver.app)


async def test_without_a_history_the_series_are_drawn() -> None:
    gateway = normal_gateway()
    gateway.drift = None
    async with driven(gateway, first="run") as driver:
        await open_tab(driver, "labels")
        assert "No labels yet." in screen_text(driver.app)


# System


async def test_loss_and_devices_are_drawn_over_one_time_axis_with_one_cursor() -> None:
    async with driven(normal_gateway(), first="run") as driver:
        await open_tab(driver, "system")
        charts = {str(chart.id): chart for chart in screen(driver).tab.query(LineChart)}
        assert {chart.data.x_range for chart in charts.values()} == {(0.0, 100.0)}
        assert charts["memory"].data.lines[0].y[0] == pytest.approx(9.0)

        await driver.press("v", "h", "h")
        assert charts["use"].cursor == charts["loss"].cursor is not None
        assert "2.1 GiB of memory · 9.0 GiB of a GPU" in screen_text(driver.app)


# Files


async def test_checkpoints_are_listed_with_their_size() -> None:
    async with driven(normal_gateway(), first="run") as driver:
        await open_tab(driver, "files")
        text = screen_text(driver.app)
        assert "checkpoint, best" in text and "91.6 MB" in text and "a1/checkpoints/best.pt" in text


@pytest.mark.parametrize("name", ["charts", "system"])
async def test_charts_above_each_other_have_one_axis_of_x(name: str) -> None:
    async with driven(normal_gateway(), size=(160, 60)) as driver:
        await driver.press("3")
        tab = await open_tab(driver, name)
        pictures = [chart._picture for chart in tab.query(LineChart) if chart._picture]

        assert len(pictures) > 1
        assert len({(picture.left, picture.window) for picture in pictures}) == 1
