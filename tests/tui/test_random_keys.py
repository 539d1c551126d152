"""Keys in any order crash nothing and lose nothing."""

from __future__ import annotations

import random

import pytest

from tests.tui.conftest import driven
from tests.tui.fake_gateway import NOW, normal_gateway
from tui.app import Dashboard
from tui.screenshot import settle

KEYS = (
    *("1", "2", "3", "4", "5", "6", "j", "k", "g", "G", "space", "A", "o", "O", "enter", "escape"),
    *("slash", "m", "comma", "full_stop", "x", "s", "S", "backslash", "plus", "minus", "0", "v"),
    *("h", "l", "H", "L", "R", "ctrl+k", "t", "f", "p", "tab", "shift+tab", "question_mark"),
    *("pagedown", "pageup", "ctrl+d", "left_curly_bracket", "right_curly_bracket", "ctrl+t"),
    *("P", "F", "T", "B", "J", "K", "E", "D", "M", "W", "U", "C", "exclamation_mark", "ctrl+r"),
    *("left_parenthesis", "right_parenthesis", "ctrl+s", "delete"),
    *("C", "V", "Z", "z", "D", "U", "i", "r", "w", "ctrl+y", "equals_sign", "less_than_sign"),
    *("n", "y", "f5", "up", "down", "left", "right", "a", "b", "backspace"),
)


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.long) for n in (1, 2))])
async def test_no_sequence_of_keys_crashes_or_loses_a_run(seed: int) -> None:
    chance = random.Random(seed)
    gateway = normal_gateway()
    before = {one.id for one in gateway.runs}
    async with driven(gateway, size=chance.choice([(80, 24), (120, 40)])) as driver:
        for _ in range(200):
            await driver.pilot.press(chance.choice(KEYS))
        await settle(driver.pilot)
        assert driver.app.is_running

    assert {one.id for one in gateway.runs} == before


async def test_resizing_to_any_size_crashes_nothing() -> None:
    app = Dashboard(normal_gateway(), time=lambda: NOW)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        for name in ("1", "2", "3", "4", "5", "6", "a"):
            await pilot.press(name)
            for size in ((20, 6), (60, 18), (1, 1), (250, 70)):
                await pilot.resize_terminal(*size)
                await pilot.pause()
        assert app.is_running
