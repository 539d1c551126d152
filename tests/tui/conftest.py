"""What the tests of the dashboard share: a fixed clock and time zone, and a driven app."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.tui.fake_gateway import NOW, FakeGateway
from tui.app import Dashboard
from tui.screenshot import settle


@pytest.fixture(autouse=True)
def fixed_surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times of day are UTC, colours are on."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("NO_COLOR", raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class Driver:
    """An app under test."""

    def __init__(self, app: Dashboard, pilot: Pilot[Any], gateway: FakeGateway) -> None:
        self.app, self.pilot, self.gateway = app, pilot, gateway

    async def press(self, *keys: str) -> None:
        """Press keys one by one and wait for what they cause."""
        for key in keys:
            await self.pilot.press(key)
        await settle(self.pilot)

    async def type(self, text: str) -> None:
        """Type a text."""
        await self.press(*text)

    @property
    def told(self) -> str:
        """Everything the app has said in toasts that are still there."""
        return " ".join(str(one.message) for one in self.app._notifications)

    async def news(self) -> None:
        """Let the screen look for news at once, as its timer would."""
        self.gateway.touch()
        await self.look()

    async def look(self) -> None:
        """Let the screen look, changed or not."""
        screen: Any = self.app.screen
        screen.poll()
        await settle(self.pilot)


@asynccontextmanager
async def driven(
    gateway: FakeGateway, *, size: tuple[int, int] = (160, 45), **options: Any
) -> AsyncGenerator[Driver]:
    """Run the dashboard without a terminal until the block ends."""
    app = Dashboard(gateway, time=lambda: NOW, **options)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        yield Driver(app, pilot, gateway)
