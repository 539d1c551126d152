"""The Events screen, and the alerts told on every screen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from db.records import Event
from tests.tui.conftest import Driver, driven
from tests.tui.fake_gateway import NOW, FakeGateway, normal_gateway
from tests.tui.snapshot import check_snapshot
from tui.alerts import Alerts, summary
from tui.job_records import Alert, AlertKind, Watched
from tui.screens.alerts import AlertsScreen
from tui.screenshot import screen_text, settle
from tui.settings import Remembered, Settings
from tui.widgets.filter_line import FilterLine
from tui.widgets.table import Table


def event(number: int, **changes: Any) -> Event:
    values: dict[str, Any] = {
        "id": number,
        "at": NOW - 600 + number,
        "kind": "job",
        "job_id": 1,
        "run_id": "run00000",
        "attempt": 1,
        "from_state": "queued",
        "to_state": "running",
        "why": "claimed by node-1-4321",
        "actor": "worker",
    }
    return Event(**(values | changes))


def eventful() -> FakeGateway:
    gateway = normal_gateway()
    gateway.events = [
        event(1, from_state=None, to_state="queued", why="added", actor="ada"),
        event(2),
        event(3, to_state="failed", why="Loss is NaN in epoch 2.", job_id=6, run_id="run00005"),
        event(4, kind="worker", job_id=None, run_id=None, to_state=None, why="node-1 started"),
    ]
    return gateway


def seen(gateway: FakeGateway, number: int, **settings: Any) -> FakeGateway:
    gateway.remembered = Remembered(None)
    gateway.remembered.remember(Settings(seen_event=number, told_event=number, **settings))
    return gateway


def alert(key: str, kind: AlertKind = AlertKind.FAILED, **changes: Any) -> Alert:
    return replace(
        Alert(key=key, kind=kind, text=f"{key} happened.", at=NOW, run_id="run00002"), **changes
    )


def rows(driver: Driver) -> list[int]:
    table = cast("Table[Any]", driver.app.screen.query_one("#table", Table))
    return [row.line.event.id for row in table.rows]


async def test_6_shows_what_happened_the_newest_first_and_marks_what_is_new() -> None:
    async with driven(seen(eventful(), 2)) as driver:
        await driver.press("6")
        text = screen_text(driver.app)

        assert rows(driver) == [4, 3, 2, 1]
        assert "2 since your last visit" in text
        assert [line.split()[0] for line in text.splitlines()[2:6]] == [
            "new",
            "new",
            *["15:50:02"],
            "15:50:01",
        ]


async def test_what_was_shown_is_no_news_at_the_next_visit() -> None:
    gateway = seen(eventful(), 2)
    async with driven(gateway, first="events") as driver:
        await driver.press("1", "6")

        assert "none since your last visit" in screen_text(driver.app)
        assert gateway.remembered.settings.seen_event == 4


async def test_n_shows_only_new_ones_and_words_filter() -> None:
    async with driven(seen(eventful(), 2), first="events") as driver:
        await driver.press("n")
        assert rows(driver) == [4, 3]

        await driver.press("escape", "slash")
        driver.app.screen.query_one(FilterLine).value = "nan"
        await driver.press("enter")
        assert rows(driver) == [3]
        assert "1 of 4 events" in screen_text(driver.app)


async def test_enter_goes_to_the_run() -> None:
    async with driven(eventful(), first="events") as driver:
        await driver.press("enter")
        assert driver.app.screen.name == "events"  # a worker is no run

        await driver.press("j", "enter")
        assert driver.app.screen.name == "run"
        assert "text_only-mosi-s1112" in screen_text(driver.app)


async def test_events_look_as_they_did() -> None:
    for size in ((80, 24), (160, 45)):
        async with driven(seen(eventful(), 2), size=size, first="events") as driver:
            check_snapshot(driver.app, f"events-eventful-{size[0]}x{size[1]}")


# Alerts


def test_an_alert_is_told_once_and_kept_until_it_is_seen() -> None:
    watched = Watched(newest_event=7, alerts=(alert("one"), alert("two", AlertKind.GPU)))
    alerts, new = Alerts().taking(watched, off=("gpu",))
    assert [a.key for a in new] == ["one"] == [a.key for a in alerts.unseen]
    assert alerts.newest_event == 7

    again, new = alerts.taking(watched, off=())
    assert new == () and len(again.unseen) == 1
    assert again.all_seen().unseen == ()
    assert again.all_seen().taking(watched, off=())[1] == ()


def test_many_alerts_are_told_in_a_line() -> None:
    many = [alert("a"), alert("b"), alert("c", AlertKind.FINISHED), alert("d", AlertKind.WORKER)]

    assert summary(many) == "2 failed, 1 finished, 1 dead worker"


async def watching(driver: Driver) -> None:
    driver.gateway.touch()
    driver.app.watch_.look()
    await driver.app.workers.wait_for_complete()
    await settle(driver.pilot)


async def test_an_alert_is_a_toast_a_bell_and_a_number_in_the_header(monkeypatch: Any) -> None:
    gateway = seen(eventful(), 4)
    async with driven(gateway, size=(160, 30)) as driver:
        rung: list[int] = []
        monkeypatch.setattr(driver.app, "bell", lambda: rung.append(1))
        await watching(driver)
        gateway.alerts = [alert("setgf-mosi-s1111 failed")]
        await watching(driver)

        assert "setgf-mosi-s1111 failed happened." in driver.told
        assert "! 1 alert" in screen_text(driver.app).splitlines()[0]
        assert rung == [1]

        await watching(driver)
        assert rung == [1]


async def test_the_list_of_alerts_goes_to_the_run_and_then_all_are_seen() -> None:
    gateway = seen(eventful(), 4)
    async with driven(gateway, size=(160, 30)) as driver:
        await watching(driver)
        gateway.alerts = [alert("a"), alert("b", run_id=None)]
        await watching(driver)
        await driver.press("exclamation_mark")
        assert isinstance(driver.app.screen, AlertsScreen)
        assert "2 alerts not seen before" in screen_text(driver.app)

        await driver.press("enter")
        assert driver.app.screen.name == "run"
        assert "alert" not in screen_text(driver.app).splitlines()[0]

        await driver.press("exclamation_mark")
        assert "No alerts." in screen_text(driver.app)
        await driver.press("escape")


async def test_what_happened_while_nobody_looked_is_told_in_one_line() -> None:
    gateway = seen(eventful(), 1)
    gateway.alerts = [alert(f"event:{n}") for n in range(5)]
    async with driven(gateway, size=(160, 30)) as driver:
        await watching(driver)

        assert "While you were away: 5 failed." in driver.told


async def test_the_first_start_ever_tells_nothing_of_the_past() -> None:
    gateway = eventful()
    gateway.alerts = [alert("event:3")]
    async with driven(gateway, size=(160, 30)) as driver:
        await watching(driver)

        assert "alert" not in screen_text(driver.app).splitlines()[0]
        assert gateway.remembered.settings.told_event == 4


async def test_alerts_and_the_bell_can_be_turned_off(monkeypatch: Any) -> None:
    gateway = seen(eventful(), 4, alerts_off=("failed",), bell=False)
    async with driven(gateway, size=(160, 30)) as driver:
        rung: list[int] = []
        monkeypatch.setattr(driver.app, "bell", lambda: rung.append(1))
        await watching(driver)
        gateway.alerts = [alert("a"), alert("b", AlertKind.PLATEAU)]
        await watching(driver)

        assert "! 1 alert" in screen_text(driver.app).splitlines()[0]
        assert "b happened." in driver.told
        assert "a happened." not in driver.told
        assert rung == []


async def test_an_alert_is_a_notification_of_the_desktop_where_that_is_wanted(
    monkeypatch: Any,
) -> None:
    for wants in (True, False):
        gateway = seen(eventful(), 4, osc9=wants)
        async with driven(gateway, size=(160, 30)) as driver:
            written: list[str] = []
            await watching(driver)
            gateway.alerts = [alert("a\x1b\x07\nb failed")]
            with monkeypatch.context() as patches:
                patches.setattr(driver.app._driver, "write", written.append)
                patches.setattr(type(driver.app), "is_headless", False)
                await watching(driver)

        told = [text for text in written if text.startswith("\x1b]9;")]
        assert told == ["\x1b]9;ab failed happened.\x07"] * wants
