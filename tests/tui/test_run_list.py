"""The list side of the Runs screen: filter, columns, groups, ranges, changes, files, memory."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import cast

import pytest

from tests.tui.conftest import Driver, driven
from tests.tui.fake_gateway import FakeGateway, normal_gateway
from tests.tui.snapshot import check_snapshot
from tui.screenshot import screen_text, settle
from tui.widgets.column_chooser import ColumnChooser
from tui.widgets.filter_line import FilterLine
from tui.widgets.run_rows import RunGroup, score_of
from tui.widgets.run_table import RunTable


def table(driver: Driver) -> RunTable:
    return driver.app.screen.query_one(RunTable)


def names(driver: Driver) -> list[str]:
    return [row.run.name for row in table(driver).runs]


def keys_of(text: str) -> list[str]:
    named = {" ": "space", ".": "full_stop", "=": "equals_sign", "_": "underscore"}
    return [named.get(letter, letter) for letter in text]


def clipboard(driver: Driver) -> str:
    return driver.app.clipboard


def told(driver: Driver) -> str:
    return "\n".join(one.message for one in driver.app._notifications)


# Filter


async def test_tab_completes_names_operators_and_values_from_the_data() -> None:
    async with driven(normal_gateway()) as driver:
        await driver.press("slash", *keys_of("mod"), "tab")
        line = driver.app.screen.query_one(FilterLine)
        assert line.value == "model"

        await driver.press(*keys_of(" == "), *keys_of("tex"))
        await driver.press("tab", "enter")

        assert {row.run.model for row in table(driver).runs} == {"text_only"}
        assert "3 of 9 runs · filter: model == text_only" in screen_text(driver.app)


async def test_a_filter_that_cannot_be_parsed_shows_a_caret_under_the_line_and_stays_open() -> None:
    async with driven(normal_gateway(), size=(100, 30)) as driver:
        await driver.press("slash")
        driver.app.screen.query_one(FilterLine).value = "seed = 3"
        await driver.press("enter")

        lines = screen_text(driver.app).splitlines()
        place = next(n for n, line in enumerate(lines) if line.startswith(" seed = 3"))
        assert lines[place + 1] == "      ^"
        assert "`=` is not a comparison; use `==`." in lines[place + 2]
        assert len(names(driver)) == 9
        check_snapshot(driver.app, "runs-filter-error-100x30")


async def test_a_name_that_nothing_has_is_said_where_the_filter_was_typed() -> None:
    async with driven(normal_gateway()) as driver:
        await driver.press("slash")
        driver.app.screen.query_one(FilterLine).value = "learning > 1"
        await driver.press("enter")

        assert driver.app.screen.query_one(FilterLine).display
        assert "^~~~~~~~" in screen_text(driver.app)
        assert "Did you mean `optim.lr`?" in screen_text(driver.app)


async def test_up_and_down_go_through_the_filters_used_before() -> None:
    gateway = normal_gateway()
    async with driven(gateway) as driver:
        for text in ("setgf", "self_mm"):  # each is in force, then taken away
            await driver.press("slash", *keys_of(text), "enter", "escape")
        await driver.press("slash", "x", "up")
        line = driver.app.screen.query_one(FilterLine)
        assert line.value == "self_mm"

        await driver.press("up")
        assert line.value == "setgf"
        await driver.press("up", "down", "down")
        assert line.value == "x"


async def test_words_an_expression_begins_with_hide_nothing_while_it_is_typed() -> None:
    async with driven(normal_gateway()) as driver:
        await driver.press("slash", *keys_of("seed == 9"))

        assert len(names(driver)) == 9


# Columns


async def test_any_setting_or_metric_becomes_a_column_and_is_remembered() -> None:
    gateway = normal_gateway()
    async with driven(gateway) as driver:
        await driver.press("C")
        assert isinstance(driver.app.screen, ColumnChooser)
        await driver.press(*keys_of("optim.lr_t"), "enter", "escape")

        assert table(driver).columns[-1].key == "optim.lr_text"
        assert gateway.remembered.settings.columns[-1] == "optim.lr_text"
        assert "lr_text" in screen_text(driver.app) or table(driver).columns

    async with driven(gateway) as driver:
        assert table(driver).columns[-1].key == "optim.lr_text"


async def test_the_chooser_orders_hides_and_goes_back_to_the_default() -> None:
    gateway = normal_gateway()
    async with driven(gateway) as driver:
        await driver.press("C", "down", "down", "shift+up", "enter", "escape")
        chosen = gateway.remembered.settings.columns
        assert "model" not in chosen and chosen[:2] == ("state", "name")

        await driver.press("C", "ctrl+r", "escape")
        assert gateway.remembered.settings.columns == ()


async def test_less_and_greater_move_the_column_under_the_cursor() -> None:
    async with driven(normal_gateway(), size=(200, 50)) as driver:
        await driver.press("right", "right", "right")
        assert table(driver).column_cursor == "model"

        await driver.press("greater_than_sign")
        assert [column.key for column in table(driver).columns][2:4] == ["data", "model"]

        await driver.press("less_than_sign", "equals_sign", "equals_sign")
        assert table(driver).sorting.key == "model" and table(driver).reverse


async def test_the_cursor_brings_columns_in_view_that_had_no_room() -> None:
    async with driven(normal_gateway(), size=(80, 24)) as driver:
        assert "acc7" not in [column.key for column, _ in table(driver).fitted]
        keys = [column.key for column in table(driver).columns]

        await driver.press(*["right"] * (keys.index("acc7") + 1))

        assert "acc7" in [column.key for column, _ in table(driver).fitted]


async def test_the_delta_column_counts_from_the_pinned_run() -> None:
    gateway = normal_gateway()
    async with driven(gateway, size=(220, 50)) as driver:
        table(driver).move_to_key("run00003")
        await settle(driver.pilot)
        await driver.press("b")

        assert "Δbest" in screen_text(driver.app)
        column = next(c for c in table(driver).columns if c.key == "delta")
        cells = {row.key: column.cell(row).text for row in table(driver).runs}
        assert cells["run00003"] == "-"
        assert cells["run00004"] == "+0.010" and cells["run00002"] == "-0.010"


# Groups


async def test_groups_show_n_mean_and_sd_and_fold() -> None:
    gateway = normal_gateway()
    async with driven(gateway, size=(200, 50)) as driver:
        await driver.press("u", *keys_of("model"), "enter")

        groups = table(driver).groups
        assert [(group.label, len(group.runs)) for group in groups] == [
            ("self_mm", 3),
            ("setgf", 3),
            ("text_only", 3),
        ]
        values = [row.run.best_valid for row in groups[0].runs]
        score = score_of(values)
        assert score is not None and score.sd is not None
        shown = screen_text(driver.app)
        assert "self_mm  n=3" in shown and "3 groups by model" in shown
        assert f"{score.mean:.4f}±{score.sd:.4f}".replace("±0.", "±.") in shown
        check_snapshot(driver.app, "runs-grouped-200x50")

        await driver.press("g", "enter")
        assert cast(RunGroup, table(driver).rows[0]).is_folded
        assert len(table(driver).rows) == 9
        assert len(table(driver).runs) == 9, "folded runs are still there"
        assert gateway.remembered.settings.folded == ("self_mm",)

        await driver.press("space")
        assert table(driver).selection == {row.key for row in groups[0].runs}


async def test_groups_are_sorted_by_the_mean_of_the_column() -> None:
    async with driven(normal_gateway(), size=(200, 50)) as driver:
        await driver.press("u", *keys_of("model"), "enter")
        table(driver).sort_by("mae", reverse=True)

        means = [
            group.score("mae", lambda row: row.run.metrics.get("test.mae"))
            for group in table(driver).groups
        ]
        found = [score.mean for score in means if score]
        assert found == sorted(found, reverse=True)


def test_a_group_of_one_has_a_mean_without_sd_and_nan_does_not_count() -> None:
    one = score_of([0.5, None, float("nan"), "text", True])

    assert one is not None and one.mean == 0.5 and one.sd is None
    assert score_of([None, float("inf")]) is None


# Selection


async def test_a_range_is_selected_from_its_beginning_to_the_cursor() -> None:
    async with driven(normal_gateway()) as driver:
        await driver.press("j", "V", "j", "j")
        assert "range: V ends it" in screen_text(driver.app)
        assert table(driver).selection == frozenset()

        await driver.press("V")
        assert table(driver).selection == {"run00001", "run00002", "run00003"}

        await driver.press("A", "A")
        assert len(table(driver).selection) == 9
        await driver.press("escape")
        assert table(driver).selection == frozenset()


async def test_shift_and_a_click_select_the_rows_between() -> None:
    async with driven(normal_gateway()) as driver:
        await driver.pilot.click("RunTable", offset=(6, 1))
        await driver.pilot.click("RunTable", offset=(6, 3), shift=True)
        await settle(driver.pilot)

        assert table(driver).selection == {"run00000", "run00001", "run00002"}


async def test_cell_and_rows_are_copied_to_the_clipboard() -> None:
    async with driven(normal_gateway(), size=(200, 50)) as driver:
        await driver.press("j", "j", "y")
        assert clipboard(driver) == "text_only-mosi-s1111"

        await driver.press(*["right"] * 5, "y")
        assert clipboard(driver) == "1111"

        await driver.press("space", "space", "ctrl+y")
        lines = clipboard(driver).split("\n")
        copied = [line.split("\t")[1] for line in lines]
        assert copied == ["text_only-mosi-s1111", "setgf-mosi-s1112"]


# Changes


async def test_tags_go_on_and_off_and_undo_takes_the_change_back() -> None:
    gateway = normal_gateway()
    async with driven(gateway) as driver:
        await driver.press("G", "t", *keys_of("good"), "enter")
        assert next(one for one in gateway.runs if one.id == "run00008").tags == ("good",)

        await driver.press("U")
        assert next(one for one in gateway.runs if one.id == "run00008").tags == ()
        await driver.press("U")
        assert "Nothing was changed here" in told(driver)


async def test_note_and_name_are_changed_in_place() -> None:
    gateway = normal_gateway()
    async with driven(gateway) as driver:
        await driver.press("G", "i", *keys_of("odd"), "enter", "r")
        await driver.press("ctrl+u", *keys_of("new"), "enter")
        changed = next(one for one in gateway.runs if one.id == "run00008")
        assert (changed.note, changed.name) == ("odd", "new")

        await driver.press("U", "U")
        changed = next(one for one in gateway.runs if one.id == "run00008")
        assert (changed.note, changed.name) == ("", "text_only-mosi-s1113")


async def test_runs_are_put_away_shown_on_demand_and_taken_back() -> None:
    gateway = normal_gateway()
    async with driven(gateway) as driver:
        await driver.press("G", "z")
        assert len(names(driver)) == 8

        await driver.press("Z")
        assert len(names(driver)) == 9 and "archived ones too" in screen_text(driver.app)

        await driver.press("Z", "U")
        assert len(names(driver)) == 9


async def test_the_trash_is_asked_for_refused_for_live_runs_and_undone() -> None:
    gateway = normal_gateway()
    async with driven(gateway) as driver:
        await driver.press("G", "D")
        assert "Move text_only-mosi-s1113 into the trash?" in screen_text(driver.app)
        await driver.press("y")
        assert len(names(driver)) == 8

        await driver.press("U")
        assert len(names(driver)) == 9

        await driver.press("g", "D", "y")
        assert "only one that is over can be deleted" in told(driver)
        assert len(names(driver)) == 9


async def test_a_read_only_dashboard_changes_nothing() -> None:
    gateway = normal_gateway()
    gateway.read_only = True
    async with driven(gateway) as driver:
        await driver.press("G", "t", "i", "r", "z", "D", "U")

        assert gateway.calls == []
        assert driver.app.screen.name == "runs"


# Files


async def test_the_shown_table_is_written_as_csv_in_full_precision() -> None:
    gateway = normal_gateway()
    async with driven(gateway) as driver:
        await driver.press("slash", *keys_of("setgf"), "enter", "w", "enter")

        (verb, (path, text)) = gateway.calls[-1]
        assert verb == "write" and path.endswith("runs.csv")
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [row["name"] for row in rows] == names(driver)
        finished = next(row for row in rows if row["id"] == "run00003")
        assert (
            float(finished["mae"])
            == next(one for one in gateway.runs if one.id == "run00003").metrics["test.mae"]
        )
        assert "spark" not in rows[0]


async def test_groups_are_written_as_mean_sd_and_n() -> None:
    gateway = normal_gateway()
    async with driven(gateway) as driver:
        await driver.press("u", *keys_of("model"), "enter", "w", "enter")

        rows = list(csv.DictReader(io.StringIO(gateway.calls[-1][1][1])))
        assert [(row["model"], row["n"]) for row in rows] == [
            ("self_mm", "3"),
            ("setgf", "3"),
            ("text_only", "3"),
        ]
        assert float(rows[0]["best.mean"]) > 0 and float(rows[0]["best.sd"]) > 0


# Memory


async def test_the_next_start_looks_as_the_last_one() -> None:
    gateway = normal_gateway()
    async with driven(gateway) as driver:
        await driver.press("slash", *keys_of("setgf"), "enter", "space", "o", "O", "full_stop")
        table(driver).sort_by("mae", reverse=True)
        await settle(driver.pilot)
        before = (names(driver), table(driver).selection, table(driver).sorting)
        shown = driver.app.screen.query_one("#chart").data.title  # type: ignore[attr-defined]

    async with driven(gateway) as driver:
        assert (names(driver), table(driver).selection, table(driver).sorting) == before
        assert driver.app.screen.query_one("#chart").data.title == shown  # type: ignore[attr-defined]
        assert "filter: setgf" in screen_text(driver.app)


async def test_remembered_columns_that_no_run_has_any_more_are_blank() -> None:
    gateway = normal_gateway()
    gateway.remembered.remember(
        replace(
            gateway.remembered.settings, columns=("name", "gone.for.good"), sort="gone.for.good"
        )
    )
    async with driven(gateway) as driver:
        assert len(names(driver)) == 9


@pytest.mark.parametrize("size", [(80, 24), (140, 40)], ids=str)
async def test_the_column_chooser_looks_as_it_did(size: tuple[int, int]) -> None:
    async with driven(normal_gateway(), size=size) as driver:
        await driver.press("C")
        check_snapshot(driver.app, f"runs-columns-{size[0]}x{size[1]}")


async def test_no_runs_crash_no_key() -> None:
    async with driven(FakeGateway()) as driver:
        await driver.press(
            "u", "escape", "C", "escape", "w", "t", "i", "r", "z", "D", "V", "y", "ctrl+y"
        )

        assert driver.app.is_running
