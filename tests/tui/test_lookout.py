"""The one clock: it tells of news, of what can't be known, and now and then of nothing."""

from __future__ import annotations

import threading

from tests.tui.fake_gateway import FakeGateway
from tui.gateway import GatewayError
from tui.lookout import FOLLOW_SECONDS, LOOK_SECONDS, TICK_SECONDS, Lookout


def lookout(gateway: FakeGateway, *, always: bool = False) -> tuple[Lookout, list[int]]:
    told: list[int] = []
    return Lookout(gateway, lambda: told.append(1), always=always), told


def test_it_tells_at_first_and_whenever_something_changed_and_then_waits_longer() -> None:
    gateway = FakeGateway()
    clock, told = lookout(gateway)

    assert clock.look(LOOK_SECONDS) == FOLLOW_SECONDS and len(told) == 1
    assert clock.look(FOLLOW_SECONDS) == LOOK_SECONDS and len(told) == 1
    gateway.touch()
    assert clock.look(LOOK_SECONDS) == FOLLOW_SECONDS and len(told) == 2


def test_it_tells_of_time_that_passed_without_news() -> None:
    clock, told = lookout(FakeGateway())
    clock.look(LOOK_SECONDS)

    clock.look(TICK_SECONDS - LOOK_SECONDS)
    assert len(told) == 1
    clock.look(LOOK_SECONDS)
    assert len(told) == 2


def test_while_the_version_cannot_be_read_the_screens_are_told_to_find_out_why() -> None:
    gateway = FakeGateway(problem=GatewayError("locked"))
    clock, told = lookout(gateway)

    clock.look(LOOK_SECONDS)
    clock.look(LOOK_SECONDS)
    assert len(told) == 2


def test_always_tells_at_every_look_as_often_as_it_can() -> None:
    clock, told = lookout(FakeGateway(), always=True)

    assert [clock.look(LOOK_SECONDS) for _ in range(3)] == [LOOK_SECONDS] * 3
    assert len(told) == 3


def test_it_looks_in_a_thread_of_its_own_until_it_is_stopped() -> None:
    heard = threading.Event()
    clock = Lookout(FakeGateway(), heard.set, always=True)
    clock.start()
    assert heard.wait(10)

    clock.stop()
    heard.clear()
    clock.look(LOOK_SECONDS)
    assert not heard.is_set()
