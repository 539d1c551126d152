"""The faults: what is done to running jobs and their surroundings, and how it is undone."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from db.records import Job
from tests.acceptance.chaos_world import LEASE_SECONDS, Member, Victim, World

HOUR = 3600.0
LONG_LOCK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Blow:
    """A fault that has been dealt."""

    hit: tuple[Job, ...]
    seconds: float = 0.0
    """Until it is undone."""
    undo: Callable[[], None] | None = None


Strike = Callable[[World, random.Random], Blow | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A kind of fault; `strike` returns None when there is nothing to hit at the moment."""

    name: str
    share: int
    """How often it comes among the others."""
    strike: Strike
    needs_mounts: bool = False
    needs_server: bool = False
    seconds: float = 7.0
    """Longest time until it is undone."""


def faults(*, has_mounts: bool, has_server: bool, longest: float) -> tuple[Fault, ...]:
    """Return every kind that can be dealt here and is undone within so many seconds."""
    known = (*_killing(), *_stopping(), *_surroundings())
    return tuple(
        fault
        for fault in known
        if (has_mounts or not fault.needs_mounts)
        and (has_server or not fault.needs_server)
        and fault.seconds <= longest
    )


def deck(kinds: Sequence[Fault], count: int, chance: random.Random) -> list[Fault]:
    """Return about `count` faults in a random order, by their shares, and none twice if few."""
    if count < len(kinds):
        return chance.sample(kinds, count)
    total = sum(kind.share for kind in kinds)
    cards = [kind for kind in kinds for _ in range(max(1, round(count * kind.share / total)))]
    while len(cards) < count:
        cards.append(chance.choices(kinds, [kind.share for kind in kinds])[0])
    chance.shuffle(cards)
    return cards


def _killing() -> tuple[Fault, ...]:
    kill, term, interrupt = signal.SIGKILL, signal.SIGTERM, signal.SIGINT
    return (
        Fault(name="kill child", share=40, strike=_end(kill, "child")),
        Fault(name="kill shim", share=30, strike=_end(kill, "shim")),
        Fault(name="kill worker", share=30, strike=_end_worker(kill)),
        Fault(name="kill worker and child", share=15, strike=_end_worker(kill, "child")),
        Fault(name="kill worker and shim", share=15, strike=_end_worker(kill, "shim")),
        Fault(name="kill all three", share=10, strike=_end_worker(kill, "shim", "child")),
        Fault(name="SIGTERM to child", share=6, strike=_end(term, "child")),
        Fault(name="SIGINT to worker", share=6, strike=_end_worker(interrupt)),
        Fault(name="reboot", share=8, strike=_reboot),
    )


def _stopping() -> tuple[Fault, ...]:
    past = LEASE_SECONDS
    return (
        Fault(name="stop child", share=25, strike=_stop("child")),
        Fault(name="stop shim", share=15, strike=_stop("shim")),
        Fault(name="stop worker past its lease", share=20, strike=_stop_worker(past)),
        Fault(
            name="stop worker and child past lease", share=10, strike=_stop_worker(past, "child")
        ),
        Fault(
            name="stop all three past lease",
            share=8,
            strike=_stop_worker(past, "shim", "child"),
        ),
    )


def _surroundings() -> tuple[Fault, ...]:
    return (
        Fault(name="clock one hour ahead", share=12, strike=_move_clock(HOUR)),
        Fault(name="clock one hour back", share=12, strike=_move_clock(-HOUR)),
        Fault(name="database locked 1-3 s", share=20, strike=_lock(1.0, 3.0)),
        Fault(
            name="database locked 30 s",
            share=3,
            strike=_lock(LONG_LOCK_SECONDS, LONG_LOCK_SECONDS),
            seconds=LONG_LOCK_SECONDS,
        ),
        Fault(name="run folder read-only", share=20, strike=_read_only, needs_mounts=True),
        Fault(name="disk full", share=15, strike=_fill_disk, needs_mounts=True),
        Fault(
            name="server killed, back in 0-5 s", share=20, strike=_stop_server, needs_server=True
        ),
    )


def _victim(world: World, chance: random.Random) -> Victim | None:
    """Return an attempt to hit; four times of five one that has made progress."""
    found = world.victims(with_checkpoint=chance.random() < 0.8)
    return chance.choice(found) if found else None


def _running(world: World) -> tuple[Job, ...]:
    return tuple(victim.job for victim in world.victims(with_checkpoint=False))


def _send(victim: Victim, who: str, number: int) -> bool:
    sent = False
    for pid in victim.pids(who):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
            sent = True
    return sent


def _end(number: int, who: str) -> Strike:
    def strike(world: World, chance: random.Random) -> Blow | None:
        victim = _victim(world, chance)
        if victim is None or not _send(victim, who, number):
            return None
        return Blow((victim.job,))

    return strike


def _end_worker(number: int, *others: str) -> Strike:
    def strike(world: World, chance: random.Random) -> Blow | None:
        found = _worker_with_job(world, chance)
        if found is None:
            return None
        member, victim = found
        world.take_down(member, number, chance.uniform(0.0, 1.5))
        for who in others:
            _send(victim, who, number)
        return Blow((victim.job,))

    return strike


def _worker_with_job(
    world: World, chance: random.Random, *, short: bool = False
) -> tuple[Member, Victim] | None:
    """Return a worker and an attempt of its own."""
    victim = _victim(world, chance)
    if victim is None:
        return None
    owner = next(
        (worker for worker in world.query.workers() if worker.id == victim.job.worker_id), None
    )
    for member in world.working(short=short):
        assert member.process is not None
        if owner is not None and member.process.pid == owner.pid:
            return member, victim
    return None


def _reboot(world: World, chance: random.Random) -> Blow | None:
    if world.frozen or world.is_full or world.locker is not None:
        return None
    hit = _running(world)
    if not hit:
        return None
    world.go_down(chance.uniform(0.0, 1.0))
    return Blow(hit)


def _stop(who: str) -> Strike:
    def strike(world: World, chance: random.Random) -> Blow | None:
        victim = _victim(world, chance)
        if victim is None or not victim.pids(who):
            return None
        pids = victim.pids(who)
        world.freeze(pids)
        return Blow((victim.job,), chance.uniform(0.2, 3.0), lambda: world.thaw(pids))

    return strike


def _stop_worker(seconds: float, *others: str) -> Strike:
    def strike(world: World, chance: random.Random) -> Blow | None:
        found = _worker_with_job(world, chance, short=True)
        if found is None:
            return None
        member, victim = found
        assert member.process is not None
        pids = [member.process.pid, *(pid for who in others for pid in victim.pids(who))]
        world.freeze(pids)
        wait = seconds + chance.uniform(0.5, 2.0)
        return Blow((victim.job,), wait, lambda: world.thaw(pids))

    return strike


def _move_clock(seconds: float) -> Strike:
    def strike(world: World, chance: random.Random) -> Blow | None:
        hit = _running(world)
        if world.clock.exists() or not hit:
            return None
        world.clock.write_text(str(seconds))
        return Blow(hit, chance.uniform(1.0, 5.0), world.clock.unlink)

    return strike


def _lock(shortest: float, longest: float) -> Strike:
    def strike(world: World, chance: random.Random) -> Blow | None:
        hit = _running(world)
        if world.locker is not None or not hit or not world.lock_database():
            return None
        return Blow(hit, chance.uniform(shortest, longest), world.unlock_database)

    return strike


def _read_only(world: World, chance: random.Random) -> Blow | None:
    victim = _victim(world, chance)
    if victim is None:
        return None
    folder = world.folder(victim.job).path
    if not world.make_read_only(folder):
        return None
    return Blow((victim.job,), chance.uniform(0.5, 3.0), lambda: world.make_writable(folder))


def _fill_disk(world: World, chance: random.Random) -> Blow | None:
    hit = _running(world)
    if world.is_full or not hit:
        return None
    world.fill_disk()
    return Blow(hit, chance.uniform(0.5, 3.0), world.make_room) if world.is_full else None


def _stop_server(world: World, chance: random.Random) -> Blow | None:
    """Undone at once: without the server the storm itself would wait."""
    hit = _running(world)
    if world.server is None or world.locker is not None or not hit:
        return None
    world.server.stop()
    time.sleep(chance.uniform(0.0, 5.0))
    world.server.start()
    return Blow(hit)
