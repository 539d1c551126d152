from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setgf.worker.placement import place
from tests.worker.builders import a_device, a_job

CASES = [
    # gpus of the jobs, devices, taken, what each job gets
    ("one job takes the first slot", [0], "cpu0 cpu1", "", ["cpu0"]),
    ("two jobs take two slots", [0, 0], "cpu0 cpu1", "", ["cpu0", "cpu1"]),
    ("a third waits", [0, 0, 0], "cpu0 cpu1", "", ["cpu0", "cpu1", None]),
    ("a taken slot is passed over", [0], "cpu0 cpu1", "cpu0", ["cpu1"]),
    ("a GPU job never runs without GPUs", [1, 0], "cpu0", "", [None, "cpu0"]),
    ("a GPU job takes a GPU, not a slot", [1, 0], "cpu0 cuda:0", "", ["cuda:0", "cpu0"]),
    ("two GPUs for one job", [2], "cuda:0 cuda:1", "", ["cuda:0 cuda:1"]),
    ("a wide job keeps its turn", [2, 1], "cuda:0 cuda:1", "cuda:0", [None, None]),
    ("a job too wide for ever does not block", [3, 1], "cuda:0 cuda:1", "", [None, "cuda:0"]),
    ("waiting for a GPU does not block the CPU", [1, 0], "cpu0 cuda:0", "cuda:0", [None, "cpu0"]),
    ("no devices, no jobs", [0], "", "", [None]),
]


@pytest.mark.parametrize(
    ("gpus", "devices", "taken", "expected"),
    [case[1:] for case in CASES],
    ids=[c[0] for c in CASES],
)
def test_placement(gpus: list[int], devices: str, taken: str, expected: list[str | None]) -> None:
    jobs = [a_job(number, gpus=float(count)) for number, count in enumerate(gpus, 1)]

    placed, obstacles = place(jobs, [a_device(name) for name in devices.split()], taken.split())

    got = {placement.job.id: " ".join(placement.devices) for placement in placed}
    assert [got.get(job.id) for job in jobs] == expected
    assert {obstacle.job.id for obstacle in obstacles} == {job.id for job in jobs} - set(got)


def test_an_obstacle_says_why_a_job_waits() -> None:
    jobs = [a_job(1), a_job(2, gpus=2.0)]

    _, obstacles = place(jobs, [a_device("cpu0")], {"cpu0"})

    assert [obstacle.why for obstacle in obstacles] == [
        "waits for a CPU slot",
        "needs 2 GPUs, but this worker has 0",
    ]


@given(
    st.lists(st.integers(0, 3), max_size=12),
    st.sets(st.sampled_from(["cpu0", "cpu1", "cuda:0", "cuda:1", "cuda:2"])),
    st.sets(st.sampled_from(["cpu0", "cpu1", "cuda:0", "cuda:1", "cuda:2"])),
)
def test_no_device_is_given_twice(gpus: list[int], devices: set[str], taken: set[str]) -> None:
    jobs = [a_job(number, gpus=float(count)) for number, count in enumerate(gpus, 1)]

    placed, obstacles = place(jobs, [a_device(name) for name in sorted(devices)], taken)

    given_out = [name for placement in placed for name in placement.devices]
    assert len(given_out) == len(set(given_out))
    assert set(given_out) <= devices - taken
    assert len(placed) + len(obstacles) == len(jobs)
