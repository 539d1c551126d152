from __future__ import annotations

from typing import Any

import pytest

from db.job_list import PastRun
from setgf.worker.estimates import UNKNOWN, Busy, Durations, Estimate, Waiting, estimate, time_left


def waiting(job_id: int, seconds: float | None = 10.0, **changes) -> Waiting:
    values: dict[str, Any] = {"kind": "cpu", "amount": 1.0, "seconds": seconds}
    return Waiting(id=job_id, **(values | changes))


def busy(job_id: int, ends_at: float | None, **changes) -> Busy:
    values: dict[str, Any] = {"id": job_id, "kind": "cpu", "amount": 1.0, "ends_at": ends_at}
    return Busy(**(values | changes))


def times(*jobs: Waiting, running=(), cpus: float = 1, gpus: float = 0, **limits: int):
    found = estimate(running, jobs, devices={"cpu": cpus, "gpu": gpus}, limits=limits, now=100.0)
    return [(one.start, one.end) for one in found.values()]


def test_jobs_start_one_after_the_other_as_slots_become_free() -> None:
    found = times(waiting(1), waiting(2, 5.0), waiting(3), cpus=2)

    assert found == [(100, 110), (100, 105), (105, 115)]


def test_what_runs_is_waited_for() -> None:
    assert times(waiting(2), running=[busy(1, 130.0)]) == [(130, 140)]
    assert times(waiting(2), running=[busy(1, 90.0)]) == [(100, 110)]


def test_behind_a_job_of_unknown_length_nothing_is_promised() -> None:
    assert times(waiting(1, None), waiting(2)) == [(100, None), (None, None)]
    assert times(waiting(2), running=[busy(1, None)]) == [(None, None)]


def test_a_job_waits_for_those_it_names_and_for_its_time() -> None:
    found = times(waiting(1), waiting(2, after=(1,)), waiting(3, not_before=200.0), cpus=3)

    assert found == [(100, 110), (110, 120), (200, 210)]
    assert times(waiting(1, after=(99,))) == [(None, None)]


def test_a_group_runs_no_more_at_once_than_it_may() -> None:
    sweep = [waiting(number, group="sweep") for number in (1, 2, 3)]

    found = times(*sweep, waiting(4), cpus=4, sweep=2)

    assert found == [(100, 110), (100, 110), (110, 120), (100, 110)]


def test_kinds_of_devices_do_not_wait_for_each_other() -> None:
    gpu: dict[str, Any] = {"kind": "gpu"}

    found = times(waiting(1, **gpu), waiting(2, **gpu), waiting(3), cpus=1, gpus=1)

    assert found == [(100, 110), (110, 120), (100, 110)]


def test_parts_of_a_gpu_are_shared_and_a_large_job_is_not_starved() -> None:
    half: dict[str, Any] = {"kind": "gpu", "amount": 0.5}
    whole: dict[str, Any] = {"kind": "gpu", "amount": 1.0}

    found = times(waiting(1, **half), waiting(2, **whole), waiting(3, **half), gpus=1)

    assert found == [(100, 110), (110, 120), (120, 130)]


def test_what_no_device_can_run_never_starts_and_blocks_nobody() -> None:
    found = times(waiting(1, kind="gpu", amount=2.0), waiting(2, kind="gpu"), gpus=1)

    assert found == [(None, None), (100, 110)]
    assert estimate([], [waiting(1)], devices={}, limits={}, now=0.0) == {1: UNKNOWN}


def test_ten_thousand_jobs_are_estimated_to_the_last() -> None:
    jobs = [
        waiting(number, after=(number - 5,) if number > 5 else ()) for number in range(1, 10_001)
    ]

    found = estimate([], jobs, devices={"cpu": 2.0}, limits={}, now=0.0)

    assert found[10_000] == Estimate(start=49_990.0, end=50_000.0)


def past(seconds: float, **changes) -> PastRun:
    values: dict[str, Any] = {
        "variant": "v", "model": "setgf", "data_name": "mosi", "is_gpu": False, "epochs": 5,
        "max_epochs": 10, "seconds": seconds,
    }  # fmt: skip
    return PastRun(**(values | changes))


def ask(durations: Durations, **changes):
    values: dict[str, Any] = {
        "variant": "v", "model": "setgf", "data_name": "mosi", "is_gpu": False, "max_epochs": 10,
    }  # fmt: skip
    found = durations.of(**(values | changes))
    return None if found is None else (found.seconds, found.num_runs, found.is_same)


def test_the_same_experiment_with_another_seed_tells_most() -> None:
    durations = Durations([past(10), past(30), past(20), past(999, variant="other")])

    assert ask(durations) == (20, 3, True)
    assert ask(durations, variant="new") == (25, 4, False)
    assert ask(durations, variant="new", max_epochs=20) == (50, 4, False)
    assert ask(durations, variant="new", data_name="sims") is None
    assert ask(durations, is_gpu=True) is None


@pytest.mark.parametrize(
    ("known", "ran", "epoch", "left"),
    [
        (100, 30, 0, 70),
        (None, 30, 3, 70),
        (None, 30, 0, None),
        (100, 120, 6, 80),
        (100, 60, 9, 20 / 3),
    ],
)
def test_what_is_left_of_a_running_job(known, ran, epoch, left) -> None:
    duration = known and Durations([past(known)]).of(
        variant="v", model="setgf", data_name="mosi", is_gpu=False, max_epochs=10
    )

    found = time_left(duration, ran=ran, epoch=epoch, max_epochs=10)

    assert found == (None if left is None else pytest.approx(left))
