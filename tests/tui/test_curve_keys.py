"""Keys of curves on the Runs and the Run screen, from the key to what is drawn."""

from __future__ import annotations

from tests.tui.conftest import Driver, driven
from tests.tui.fake_gateway import normal_gateway
from tui.plotting.lines import XAxis
from tui.screens.curves import CurvesScreen, Style
from tui.widgets.line_chart import LineChart


def charts(driver: Driver) -> list[LineChart]:
    return [chart for chart in driver.app.screen.query(LineChart) if chart.display]


async def test_e_draws_raw_lines_then_smooth_ones_then_bands_of_all_seeds() -> None:
    async with driven(normal_gateway()) as driver:
        assert charts(driver)[0].data.with_raw
        await driver.press("e")
        assert not charts(driver)[0].data.with_raw

        await driver.press("e")
        lines = charts(driver)[0].data.lines
        assert any(line.band is not None for line in lines)
        assert any(" n=" in line.label for line in lines)

        await driver.press("e")
        assert all(line.band is None for line in charts(driver)[0].data.lines)


async def test_b_pins_the_baseline_on_every_screen_and_lets_it_go() -> None:
    gateway = normal_gateway()
    async with driven(gateway) as driver:
        await driver.press("j", "b")
        pinned = gateway.remembered.settings.baseline
        assert pinned
        assert [line.key for line in charts(driver)[0].data.lines if line.is_baseline] == [pinned]

        await driver.press("k", "enter")
        lines = charts(driver)[0].data.lines
        assert any(line.baseline_of for line in lines)

        await driver.press("escape", "j", "b")
        assert gateway.remembered.settings.baseline == ""


async def test_x_goes_through_four_axes_and_back_and_is_remembered() -> None:
    gateway = normal_gateway()
    async with driven(gateway) as driver:
        screen = driver.app.screen
        assert isinstance(screen, CurvesScreen)
        seen = []
        for _ in range(4):
            seen.append(screen.look.x_axis)
            await driver.press("x")
        assert seen == list(XAxis) and screen.look.x_axis is XAxis.STEP

        await driver.press("X")
        assert screen.look.x_axis is XAxis.CLOCK
        assert gateway.remembered.settings.x_axis == XAxis.CLOCK.value
        assert screen.look.style is Style.LINES


async def test_the_charts_of_a_run_mark_its_best_epoch_and_checkpoints() -> None:
    async with driven(normal_gateway()) as driver:
        await driver.press("j", "j", "enter")

        kinds = {mark.kind.value for mark in charts(driver)[0].data.marks}
        assert kinds == {"best", "checkpoint"}
