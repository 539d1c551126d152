"""Every screen in every state at two sizes, as text."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.tui.conftest import driven
from tests.tui.fake_gateway import NOW, FakeGateway, normal_gateway
from tests.tui.snapshot import check_snapshot
from tui.app import Dashboard
from tui.gateway import GatewayError, MissingError
from tui.screenshot import screen_text, settle

SCREENS = ("runs", "queue", "run", "compare", "data", "events")
SIZES = ((80, 24), (160, 45))
BROKEN = GatewayError(
    "`/data/ada/setgf/setgf.db` is not a run database, or is damaged. Make it anew from the run "
    "folders with `setgf db rebuild`."
)


def broken_gateway() -> FakeGateway:
    return FakeGateway(problem=BROKEN)


STATES: dict[str, Any] = {
    "normal": normal_gateway,
    "empty": FakeGateway,
    "error": broken_gateway,
}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("screen", SCREENS)
async def test_screen_looks_as_it_did(screen: str, state: str, size: tuple[int, int]) -> None:
    async with driven(STATES[state](), size=size, first=screen) as driver:
        check_snapshot(driver.app, f"{screen}-{state}-{size[0]}x{size[1]}")


async def test_help_looks_as_it_did() -> None:
    async with driven(normal_gateway(), size=(100, 50)) as driver:
        await driver.press("question_mark")
        check_snapshot(driver.app, "help-100x50")


async def test_without_colour_markers_stand_along_the_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with driven(normal_gateway(), size=(120, 35)) as driver:
        text = screen_text(driver.app)
        check_snapshot(driver.app, "runs-no-colour-120x35")
    plot = text.split("│", 1)[1]
    assert plot.count("▲") > 3 and plot.count("■") > 3


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (110, 30), (250, 70)], ids=str)
@pytest.mark.parametrize("screen", SCREENS)
async def test_no_line_is_wider_than_the_terminal(screen: str, size: tuple[int, int]) -> None:
    async with driven(normal_gateway(), size=size, first=screen) as driver:
        lines = screen_text(driver.app).split("\n")
    assert max(map(len, lines)) <= size[0]
    assert "1 Runs" in lines[0]
    assert "? help" in "\n".join(lines)


async def test_a_missing_database_is_no_error_and_is_found_later() -> None:
    missing = MissingError("No run database at `/data/ada/setgf/setgf.db`.")
    gateway = normal_gateway()
    gateway.problem = missing
    async with driven(gateway, size=(100, 30)) as driver:
        assert "No run database yet." in screen_text(driver.app)

        gateway.problem = None
        await driver.look()

        assert "setgf-mosi-s1111" in screen_text(driver.app)


async def test_data_stay_and_the_problem_is_said_while_the_database_is_away() -> None:
    gateway = normal_gateway()
    async with driven(gateway, size=(160, 30)) as driver:
        gateway.problem = GatewayError("The run database stayed locked for 10 seconds.")
        await driver.look()
        shown = screen_text(driver.app)
        assert "setgf-mosi-s1111" in shown
        assert "Shown as of 16:00:00: The run database stayed locked" in shown

        gateway.problem = None
        await driver.look()
        assert "locked" not in screen_text(driver.app)


async def test_until_the_first_answer_the_screen_says_that_it_reads() -> None:
    answers = threading.Event()

    class SlowGateway(FakeGateway):
        def version(self) -> int:
            answers.wait(20)
            return super().version()

    slow = normal_gateway()
    app = Dashboard(SlowGateway(runs=slow.runs, jobs=slow.jobs), time=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        for _ in range(50):
            await pilot.pause()
            if "Reading ..." in screen_text(app):
                break
        loading = screen_text(app)
        answers.set()
        await settle(pilot)

        assert "Reading ..." in loading and "1 Runs" in loading
        assert "setgf-mosi-s1111" in screen_text(app)
