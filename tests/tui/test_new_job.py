"""The New job form: fields, preview, errors at the field, and what is queued in the end."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest
from textual.widgets import Input

from tests.tui import fake_queue
from tests.tui.conftest import Driver, driven
from tests.tui.fake_gateway import normal_gateway
from tests.tui.snapshot import check_snapshot
from tui.job_records import JobDraft
from tui.screens.new_job import NewJobScreen
from tui.screenshot import screen_text, settle
from tui.widgets.dialogs import Confirm


def form(driver: Driver) -> NewJobScreen:
    return cast(NewJobScreen, driver.app.screen)


async def fill(driver: Driver, **values: str) -> None:
    for name, text in values.items():
        form(driver).fill_in(name, text)
    await settle(driver.pilot)


async def go_to(driver: Driver, name: str) -> None:
    form(driver)._table.move_to_key(name)
    await settle(driver.pilot)


async def test_a_opens_the_form_and_says_what_is_missing() -> None:
    async with driven(normal_gateway()) as driver:
        await driver.press("a")

        assert isinstance(driver.app.screen, NewJobScreen)
        assert "Choose the feature store" in screen_text(driver.app)


async def test_the_only_feature_store_is_chosen_from_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    only = tuple(
        replace(field, choices=("mosi",)) if field.name == "data" else field
        for field in fake_queue.FIELDS
    )
    monkeypatch.setattr(fake_queue, "FIELDS", only)
    async with driven(normal_gateway()) as driver:
        await driver.press("a")
        assert form(driver).draft.values == {"data": "mosi"}
        assert "Will queue 1 job" in screen_text(driver.app)

        await go_to(driver, "data")
        await driver.press("backspace")
        assert form(driver).draft.values == {}
        assert "Choose the feature store" in screen_text(driver.app)

        await fill(driver, data="mosi")
        await driver.press("escape")
        assert not isinstance(driver.app.screen, NewJobScreen | Confirm)


async def test_choosing_typing_and_turning_over_fill_in_fields() -> None:
    async with driven(normal_gateway()) as driver:
        await driver.press("a", "enter", "down", "enter")
        assert form(driver).draft.values == {"data": "sims"}

        await go_to(driver, "seeds")
        await driver.press("enter")
        driver.app.screen.query_one(Input).value = "1111,1113"
        await driver.press("enter")
        assert form(driver).draft.values["seeds"] == "1111,1113"
        assert "Will queue 2 jobs" in screen_text(driver.app)
        assert "about 12m34, from 3 similar runs" in screen_text(driver.app)

        await driver.press("backspace")
        assert "seeds" not in form(driver).draft.values


async def test_a_field_says_what_it_means_its_default_and_what_it_may_be() -> None:
    async with driven(normal_gateway()) as driver:
        await driver.press("a")
        await go_to(driver, "optim.schedule")
        text = screen_text(driver.app)

        assert "How the learning rate falls." in text
        assert "constant, cosine" in text and "default cosine" in text


async def test_what_is_wrong_is_said_at_the_field_and_nothing_is_queued() -> None:
    gateway = normal_gateway()
    async with driven(gateway) as driver:
        await driver.press("a")
        await fill(driver, data="mosi", **{"optim.lr": "fast"})
        await driver.press("g", "a")

        assert gateway.calls == []
        assert form(driver)._table.cursor_key == "optim.lr"
        row = next(x for x in screen_text(driver.app).splitlines() if " lr " in x)
        assert "fast" in row and "must be a number" in row


async def test_what_is_queued_already_is_left_out_until_f() -> None:
    gateway = normal_gateway()
    async with driven(gateway) as driver:
        await driver.press("a")
        await fill(driver, data="mosi", seeds="1112")
        assert "the same experiment as job 3 (succeeded)" in screen_text(driver.app)
        await driver.press("a")
        assert gateway.calls == []

        await driver.press("f", "ctrl+s")
        draft = JobDraft(values={"data": "mosi", "seeds": "1112"}, again=True)
        assert gateway.calls == [("add", draft)]
        assert driver.app.screen.name == "runs"


async def test_what_the_gateway_refuses_is_said_and_stays_filled_in() -> None:
    gateway = normal_gateway()
    async with driven(gateway) as driver:
        await driver.press("a")
        await fill(driver, data="mosi")
        gateway.refusal = "The run database stayed locked for 10 seconds."
        await driver.press("a")

        assert "stayed locked" in screen_text(driver.app)
        assert form(driver).draft.values == {"data": "mosi"}


async def test_run_again_begins_with_the_run_under_the_cursor() -> None:
    gateway = normal_gateway()
    async with driven(gateway, first="queue") as driver:
        await driver.press("R")
        assert "Run run00000 again" in screen_text(driver.app)
        assert form(driver).draft.values["optim.lr"] == "0.01"

        await driver.press("a")
        assert [verb for verb, _ in gateway.calls] == ["add"]


async def test_run_again_without_a_run_says_so() -> None:
    async with driven(normal_gateway(), first="data") as driver:
        await driver.press("R")

        assert driver.app.screen.name == "data"
        assert "Go to a run or a job first." in driver.told


async def test_escape_asks_before_it_loses_what_is_filled_in() -> None:
    async with driven(normal_gateway()) as driver:
        await driver.press("a")
        await fill(driver, data="mosi")
        await driver.press("escape")
        assert isinstance(driver.app.screen, Confirm)

        await driver.press("n")
        assert isinstance(driver.app.screen, NewJobScreen)
        await driver.press("escape", "y")
        assert driver.app.screen.name == "runs"


async def test_fields_are_found_by_words_and_by_being_filled_in() -> None:
    async with driven(normal_gateway()) as driver:
        await driver.press("a", "slash")
        await driver.type("learning rate above")
        await driver.press("enter")
        assert [r.field.name for r in form(driver)._table.rows if not r.is_heading] == ["optim.lr"]

        await driver.press("escape")
        await fill(driver, data="mosi")
        await driver.press("C")
        assert [r.field.name for r in form(driver)._table.rows if not r.is_heading] == ["data"]


async def test_the_form_looks_as_it_did() -> None:
    for size in ((80, 24), (160, 45)):
        name = f"{size[0]}x{size[1]}"
        async with driven(normal_gateway(), size=size) as driver:
            await driver.press("a")
            check_snapshot(driver.app, f"new-job-error-{name}")
            await fill(driver, data="mosi", seeds="1111,1112")
            check_snapshot(driver.app, f"new-job-normal-{name}")
