"""The Compare screen: its keys, and how values are written."""

from __future__ import annotations

from typing import cast

import pytest
from textual.widgets import OptionList

from tests.tui.conftest import Driver, driven
from tests.tui.fake_gateway import normal_gateway
from tests.tui.snapshot import check_snapshot
from tui.compare_records import Score
from tui.screens.compare import CompareScreen
from tui.screens.compare_parts import CompareRow, p_text, written
from tui.screenshot import screen_text
from tui.widgets.table import Table


def table(driver: Driver) -> Table[CompareRow]:
    return cast(CompareScreen, driver.app.screen).table


async def test_full_stop_shows_the_next_data_set_and_then_all_of_them() -> None:
    async with driven(normal_gateway(), first="compare") as driver:
        assert "data set 1 of 2" in screen_text(driver.app)
        await driver.press("full_stop")
        assert "sims (sims), data set 2 of 2" in screen_text(driver.app)
        await driver.press("full_stop")
        text = screen_text(driver.app)
        assert "mosi (mosi), mean" in text and "sims (sims), mean" in text
        assert "MAE on mosi" in text and "MAE on sims" in text
        check_snapshot(driver.app, "compare-all-160x45")
        await driver.press("comma")
        assert "data set 2 of 2" in screen_text(driver.app)


async def test_m_offers_all_data_sets() -> None:
    async with driven(normal_gateway(), first="compare") as driver:
        await driver.press("m")
        await driver.type("all")
        assert driver.app.screen.query_one(OptionList).option_count == 1
        await driver.press("enter")
        assert "2 data sets" in screen_text(driver.app)


async def test_published_rows_are_shown_where_they_are_of_the_same_samples_and_by_p() -> None:
    async with driven(normal_gateway(), first="compare") as driver:
        assert "MulT" in screen_text(driver.app)
        await driver.press("p")
        assert "MulT" not in screen_text(driver.app)
        await driver.press("p", "full_stop")
        assert "MulT" in screen_text(driver.app)

    async with driven(normal_gateway(), first="compare") as driver:
        await driver.press("full_stop")
        text = screen_text(driver.app)
        assert "MulT" not in text and "published results are of 457 test samples" in text
        await driver.press("p")
        assert "MulT" in screen_text(driver.app)


async def test_b_tests_the_others_against_the_row_under_the_cursor() -> None:
    async with driven(normal_gateway(), first="compare") as driver:
        await driver.press("b")
        assert "baseline" not in screen_text(driver.app).splitlines()[-2]
        table(driver).move_to_key("text_only mosi")
        await driver.press("b")
        text = screen_text(driver.app)
        assert "MAE tested against text_only" in text and "-0.060 (.012)" in text

        table(driver).move_to_key("setgf mosi")
        await driver.press("j", "k")
        said = screen_text(driver.app).splitlines()[-2]
        assert "p .012: better than the baseline" in said and "MAE [0.921, 0.979]" in said

        table(driver).move_to_key("text_only mosi")
        await driver.press("b")
        assert "tested against" not in screen_text(driver.app)


async def test_e_shows_intervals_instead_of_deviations() -> None:
    async with driven(normal_gateway(), first="compare") as driver:
        assert "mean ± sd" in screen_text(driver.app) and "84.00 ±1.03" in screen_text(driver.app)
        await driver.press("e")
        assert "half the 95 % interval" in screen_text(driver.app)
        assert "84.00 ±2.57" in screen_text(driver.app)
        await driver.press("e")
        assert "mean ± sd" in screen_text(driver.app)


async def test_how_a_published_row_was_selected_is_said_when_the_cursor_is_on_it() -> None:
    async with driven(normal_gateway(), first="compare") as driver:
        table(driver).move_to_key("published MulT mosi")
        await driver.press("k", "j")
        assert "validation-selected" in screen_text(driver.app).splitlines()[-2]


@pytest.mark.parametrize(
    ("metric", "score", "text"),
    [
        ("acc7", Score(mean=0.4567, sd=0.012), "45.67 ±1.20"),
        ("acc7", Score(mean=0.4567, sd=None), "45.67"),
        ("mae", Score(mean=0.9501, sd=0.0123), "0.950 ±.012"),
        ("mae", None, ""),
    ],
)
def test_scores_are_written_with_their_spread(metric: str, score: Score | None, text: str) -> None:
    assert written(metric, score, score.sd if score else None).startswith(text)


def test_tiny_p_values_are_bounded() -> None:
    assert (p_text(0.0004), p_text(0.0431)) == ("<.001", ".043")
