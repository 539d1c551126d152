"""The Queue screen: every key, what it asks of the gateway, and what it says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from textual.widgets import Input, OptionList

from db.records import Group, JobState
from tests.tui.conftest import Driver, driven
from tests.tui.fake_gateway import FakeGateway, job, normal_gateway, worker
from tui.screenshot import screen_text, settle
from tui.widgets.dialogs import Confirm
from tui.widgets.job_table import JobRow, remark
from tui.widgets.table import Table


def table(driver: Driver) -> Table[JobRow]:
    return cast("Table[JobRow]", driver.app.screen.query_one("#table", Table))


def paused_and_frozen() -> FakeGateway:
    """Jobs 1 paused, 2 frozen, 3 queued with priority 2, 4 failed, 5 succeeded."""
    return FakeGateway(
        jobs=[
            job(0, JobState.PAUSED),
            job(1, JobState.RUNNING, frozen_at=1.0),
            job(2, JobState.QUEUED, priority=2),
            job(3, JobState.FAILED, error="Loss is NaN."),
            job(4, JobState.SUCCEEDED),
        ],
        workers=[worker()],
    )


async def on(driver: Driver, job_id: int) -> None:
    table(driver).move_to_key(str(job_id))
    await settle(driver.pilot)


async def test_cancel_asks_first_and_then_cancels_what_is_selected() -> None:
    gateway = normal_gateway()
    async with driven(gateway, first="queue") as driver:
        await driver.press("space", "space", "ctrl+k")
        assert isinstance(driver.app.screen, Confirm)
        assert "Cancel 2 jobs?" in screen_text(driver.app)
        assert "2 running jobs stop; their checkpoints stay" in screen_text(driver.app)

        await driver.press("escape")
        assert gateway.calls == []

        await driver.press("ctrl+k", "y")
        assert gateway.calls == [("cancel", (1, 2))]
        assert "2 cancelled" in screen_text(driver.app)


ACTIONS: tuple[tuple[tuple[str, ...], int, list[Any]], ...] = (
    (("P",), 3, [("pause", (3,))]),
    (("P",), 1, [("resume", (1,))]),
    (("P",), 2, [("resume", (2,))]),
    (("P",), 5, []),
    (("F",), 2, [("thaw", (2,))]),
    (("F",), 3, []),
    (("T",), 4, [("retry", (4,))]),
    (("T",), 5, []),
    (("B",), 2, [("requeue", (2,))]),
    (("B",), 3, []),
    (("ctrl+r",), 5, [("restart", (5,))]),
    (("ctrl+r",), 3, []),
    (("J",), 3, [("move", (3, 1, False))]),
    (("K",), 3, [("move", (3, -1, False))]),
    (("J",), 5, []),
    (("p",), 3, [("move", (3, 0, True))]),
    (("right_parenthesis",), 3, [("priority", ((3,), 3))]),
    (("left_parenthesis",), 3, [("priority", ((3,), 1))]),
    (("D",), 5, [("clear", (5,))]),
    (("D", "y"), 3, [("clear_finished", ())]),
    (("D", "n"), 3, []),
    (("U",), 3, [("undo", ())]),
    (("W", "y"), 3, [("start_worker", ())]),
    (("W", "escape"), 3, []),
)
"""Keys, the job at the cursor, and what is asked of the gateway."""


async def test_a_key_asks_for_what_the_job_at_the_cursor_allows() -> None:
    gateway = paused_and_frozen()
    async with driven(gateway, first="queue") as driver:
        for keys, job_id, calls in ACTIONS:
            gateway.jobs, gateway.calls = paused_and_frozen().jobs, []
            await driver.news()
            await on(driver, job_id)
            await driver.press(*keys)

            assert gateway.calls == calls, (keys, job_id)


async def test_freeze_asks_for_running_jobs_and_the_table_says_frozen() -> None:
    gateway = normal_gateway()
    async with driven(gateway, first="queue") as driver:
        await driver.press("F")

        assert gateway.calls == [("freeze", (1,))]
        assert "* frozen" in screen_text(driver.app)


async def test_edit_asks_what_and_to_what_and_names_what_there_is() -> None:
    gateway = paused_and_frozen()
    async with driven(gateway, first="queue") as driver:
        await on(driver, 3)
        await driver.press("E")
        await driver.type("priority")
        await driver.press("enter")
        assert driver.app.screen.query_one(Input).value == "2"

        await driver.type("7")
        await driver.press("enter")
        assert gateway.calls == [("edit", ((3,), {"priority": "7"}))]


async def test_edit_of_a_setting_takes_its_name_and_its_value() -> None:
    gateway = paused_and_frozen()
    async with driven(gateway, first="queue") as driver:
        await on(driver, 3)
        await driver.press("E")
        await driver.type("setting")
        await driver.press("enter")
        driver.app.screen.query_one(Input).value = "optim.lr = 1e-4"
        await driver.press("enter")

        assert gateway.calls == [("edit", ((3,), {"optim.lr": "1e-4"}))]


async def test_escape_leaves_an_edit_without_a_change() -> None:
    gateway = paused_and_frozen()
    async with driven(gateway, first="queue") as driver:
        await on(driver, 3)
        await driver.press("E", "enter", "escape")

        assert gateway.calls == []
        assert driver.app.screen.name == "queue"


@pytest.mark.parametrize(
    ("choice", "typed", "call"),
    [
        ("most", ["2", "enter"], ("group", ("sweep", "2", None))),
        ("start no more", [], ("group", ("sweep", None, True))),
    ],
)
async def test_groups_are_limited_and_paused(choice: str, typed: list[str], call: Any) -> None:
    gateway = paused_and_frozen()
    gateway.groups = [Group(id=1, name="sweep", kind="grid", created_at=1.0, counts={"queued": 3})]
    async with driven(gateway, first="queue") as driver:
        await driver.press("M")
        assert "sweep: 3 queued" in screen_text(driver.app)
        await driver.press("enter")
        await driver.type(choice)
        await driver.press("enter", *typed)

        assert gateway.calls == [call]


async def test_a_paused_group_is_offered_to_start_again() -> None:
    gateway = paused_and_frozen()
    gateway.groups = [
        Group(id=1, name="sweep", kind="grid", created_at=1.0, paused_at=2.0, counts={"held": 1})
    ]
    async with driven(gateway, first="queue") as driver:
        await driver.press("M", "enter", "down", "enter")

        assert gateway.calls == [("group", ("sweep", None, False))]


async def test_without_groups_it_says_so() -> None:
    async with driven(paused_and_frozen(), first="queue") as driver:
        await driver.press("M")

        assert "No group has jobs" in driver.told
        assert not driver.app.screen.query(OptionList)


async def test_what_is_refused_is_said_and_nothing_is_lost() -> None:
    gateway = paused_and_frozen()
    gateway.refusal = "Job 3 is running; only a job that waits can be moved."
    async with driven(gateway, first="queue") as driver:
        await on(driver, 3)
        await driver.press("J")

        assert "only a job that waits can be moved" in driver.told
        assert len(table(driver).rows) == 5


async def test_read_only_changes_nothing_and_shows_no_such_keys() -> None:
    gateway = normal_gateway()
    gateway.read_only = True
    keys = ("ctrl+k", "P", "F", "T", "B", "J", "K", "p", "E", "D", "M", "W", "U", "a", "R", "y")
    async with driven(gateway, first="queue") as driver:
        await driver.press(*keys, "left_parenthesis", "right_parenthesis", "ctrl+r")

        assert gateway.calls == []
        assert driver.app.screen.name == "queue"
        assert "cancel" not in screen_text(driver.app).splitlines()[-1]
        assert "read-only" in screen_text(driver.app)


async def test_when_jobs_start_and_end_and_why_they_wait_stands_in_their_rows() -> None:
    async with driven(normal_gateway(), size=(200, 30), first="queue") as driver:
        lines = screen_text(driver.app).splitlines()
        queued = next(line for line in lines if " 10 ○" in line)
        running = next(line for line in lines if " 1 ●" in line)

        assert "in 10m00" in queued and "waits for a CPU slot" in queued
        assert "10m20 left" in running and "on cpu0" in running and "4/30" in running


async def test_why_a_job_failed_is_said_when_the_cursor_is_on_it() -> None:
    async with driven(normal_gateway(), size=(80, 24), first="queue") as driver:
        await on(driver, 6)

        assert "job 6: Loss is NaN in epoch 2" in screen_text(driver.app)


async def test_held_jobs_keep_their_place_among_those_that_wait() -> None:
    gateway = FakeGateway(
        jobs=[job(0, JobState.QUEUED), job(1, JobState.HELD), job(2, JobState.QUEUED)]
    )
    async with driven(gateway, first="queue") as driver:
        assert [row.line.job.id for row in table(driver).rows] == [1, 2, 3]
        assert remark(table(driver).rows[1]) == "held; P lets it start"


async def test_a_worker_that_died_is_shown_though_nothing_is_stored() -> None:
    gateway = normal_gateway()
    async with driven(gateway, first="queue") as driver:
        assert "no sign for" not in screen_text(driver.app)

        gateway.workers = [replace(gateway.workers[0], state="stale", heartbeat_at=1_763_999_979.0)]
        screen: Any = driver.app.screen
        screen.reread()
        await settle(driver.pilot)

        assert "no sign for 21s" in screen_text(driver.app)


async def test_the_panel_shows_how_busy_a_device_was() -> None:
    async with driven(normal_gateway(), first="queue") as driver:
        assert "▁▂▃▃▄▅▆▆▇█ #1 setgf-mosi-s1111" in screen_text(driver.app)
