from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.records import Job
from setgf.worker.memory import BY_MEASUREMENT, Need, Peaks, need_of
from setgf.worker.placement import Host, Placement, Room, fits_ever, place
from setgf.worker.rooms import GpuUse, gpu_room, slot_room
from tests.worker.builders import a_device, a_job

GPU_MIB = 10_000

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
    ("two halves share one GPU", [0.5, 0.5], "cuda:0 cuda:1", "", ["cuda:0", "cuda:0"]),
    ("a half leaves the other GPU whole", [0.5, 1], "cuda:0 cuda:1", "", ["cuda:0", "cuda:1"]),
    ("a third half takes the next", [0.5, 0.5, 0.5], "cuda:0 cuda:1", "",
     ["cuda:0", "cuda:0", "cuda:1"]),
    ("three thirds are a whole", [1 / 3] * 3, "cuda:0", "", ["cuda:0"] * 3),
    ("a whole one is not starved by halves", [0.5, 1, 0.5], "cuda:0", "", ["cuda:0", None, None]),
]  # fmt: skip


def a_room(name: str, *, is_taken: bool = False, **changes: object) -> Room:
    device = replace(a_device(name), memory_mib=GPU_MIB)
    room = Room(device=device, free_share=0.0 if is_taken else 1.0, free_mib=GPU_MIB)
    return replace(room, **changes)


def needed(*jobs: Job, peaks: Peaks | None = None) -> list[tuple[Job, Need]]:
    return [(job, need_of(job, peaks or Peaks())) for job in jobs]


def where(placed: tuple[Placement, ...], job: Job) -> str | None:
    return next((" ".join(p.devices) for p in placed if p.job.id == job.id), None)


@pytest.mark.parametrize(
    ("gpus", "devices", "taken", "expected"),
    [case[1:] for case in CASES],
    ids=[c[0] for c in CASES],
)
def test_placement(gpus: list[float], devices: str, taken: str, expected: list[str | None]) -> None:
    jobs = [a_job(number, gpus=float(count)) for number, count in enumerate(gpus, 1)]
    rooms = [a_room(name, is_taken=name in taken.split()) for name in devices.split()]

    placed, obstacles = place(needed(*jobs), rooms, Host())

    assert [where(placed, job) for job in jobs] == expected
    waiting = {job.id for job in jobs if where(placed, job) is None}
    assert {obstacle.job.id for obstacle in obstacles} == waiting


def test_an_obstacle_says_why_a_job_waits() -> None:
    jobs = [a_job(1), a_job(2, gpus=2.0), a_job(3, gpus=1.0, memory_mib=99_999)]

    _, obstacles = place(needed(*jobs), [a_room("cpu0", is_taken=True), a_room("cuda:0")], Host())

    assert [obstacle.why for obstacle in obstacles] == [
        "waits for a CPU slot",
        "needs 2 GPUs, but this worker has 1",
        "needs 99999 MiB of a GPU, but the largest here has 10000 MiB",
    ]


def test_declared_memory_packs_as_many_jobs_as_fit_on_a_gpu() -> None:
    jobs = [a_job(number, gpus=1.0, memory_mib=3000) for number in range(1, 6)]

    placed, _ = place(needed(*jobs), [a_room("cuda:0"), a_room("cuda:1")], Host())

    assert [where(placed, job) for job in jobs] == ["cuda:0"] * 3 + ["cuda:1"] * 2
    assert [round(p.share, 2) for p in placed] == [0.3] * 5


def test_measured_memory_packs_jobs_that_ask_for_it_and_the_first_one_gets_a_whole_gpu() -> None:
    jobs = [a_job(n, gpus=1.0, memory_mib=BY_MEASUREMENT) for n in (1, 2)]
    rooms = [a_room("cuda:0")]

    unknown, _ = place(needed(*jobs), rooms, Host())
    known, _ = place(needed(*jobs, peaks=Peaks(gpu=2000)), rooms, Host())

    assert [(p.job.id, p.share) for p in unknown] == [(1, 1.0)]
    assert [p.job.id for p in known] == [1, 2]
    assert known[0].share == pytest.approx(0.25, abs=0.02)  # 2000 x 1.1 + 256 of 10000


def test_a_job_without_a_word_about_memory_gets_a_whole_gpu_even_when_it_was_measured() -> None:
    placed, _ = place(needed(a_job(1, gpus=1.0), peaks=Peaks(gpu=2000)), [a_room("cuda:0")], Host())

    assert placed[0].share == 1.0


def test_only_memory_that_is_really_free_is_given_out() -> None:
    job = a_job(1, gpus=1.0, memory_mib=3000)
    busy = a_room("cuda:0", free_mib=2000, foreign_mib=8000)

    placed, obstacles = place(needed(job), [busy], Host())

    assert placed == ()
    assert obstacles[0].why == "waits for a GPU that other programs use: cuda:0 (8000 MiB)"


def test_a_job_that_waits_for_strangers_keeps_no_device_from_others() -> None:
    large = a_job(1, gpus=1.0, memory_mib=5000)
    small = a_job(2, gpus=1.0, memory_mib=1000)
    busy = a_room("cuda:0", free_mib=2000, foreign_mib=8000)

    placed, _ = place(needed(large, small), [busy], Host())

    assert [p.job.id for p in placed] == [2]


def test_a_gpu_that_others_use_is_left_to_them_unless_it_is_to_be_shared() -> None:
    device = replace(a_device("cuda:0"), memory_mib=GPU_MIB)
    use = GpuUse(used_mib=4000, processes={77: 4000})

    closed = gpu_room(device, use, given=0.0, ours=(), share_gpus=False)
    shared = gpu_room(device, use, given=0.0, ours=(), share_gpus=True)

    assert closed.is_closed
    assert (shared.is_closed, shared.free_mib, shared.foreign_mib) == (False, 6000, 4000)
    placed, obstacles = place(needed(a_job(1, gpus=1.0, memory_mib=3000)), [closed], Host())
    assert placed == ()
    assert "other programs use: cuda:0" in obstacles[0].why


def test_memory_promised_to_a_job_that_still_loads_counts_as_used() -> None:
    device = replace(a_device("cuda:0"), memory_mib=GPU_MIB)
    loading = GpuUse(used_mib=500, processes={5: 500})

    room = gpu_room(device, loading, given=0.6, ours=(5,), share_gpus=False)

    assert (room.free_mib, room.foreign_mib, room.is_closed) == (4000, 0, False)


def test_in_a_container_without_pids_what_we_did_not_give_out_is_foreign() -> None:
    device = replace(a_device("cuda:0"), memory_mib=GPU_MIB)

    idle = gpu_room(device, GpuUse(used_mib=600), given=0.0, ours=(), share_gpus=False)
    ours = gpu_room(device, GpuUse(used_mib=4900), given=0.5, ours=(5,), share_gpus=False)
    foreign = gpu_room(device, GpuUse(used_mib=9000), given=0.5, ours=(5,), share_gpus=False)

    assert (idle.is_closed, ours.is_closed, foreign.is_closed) == (False, False, True)


def test_a_cpu_job_waits_for_memory_of_the_machine_and_keeps_its_turn() -> None:
    large, small = a_job(1, memory_mib=4000), a_job(2, memory_mib=100)
    rooms = [replace(a_room(name), device=replace(a_device(name), memory_mib=64_000))
             for name in ("cpu0", "cpu1")]  # fmt: skip

    placed, obstacles = place(
        needed(large, small), rooms, Host(free_mib=2000, ours_mib=6000, num_running=1)
    )

    assert placed == ()
    assert (
        obstacles[0].why == "waits for memory: needs 4000 MiB, and 2000 MiB of the machine are free"
    )
    freed, _ = place(needed(large, small), rooms, Host(free_mib=8000))
    assert [p.job.id for p in freed] == [1, 2]


def test_memory_measured_on_another_day_never_keeps_the_last_job_from_starting() -> None:
    job = a_job(1)

    placed, _ = place(needed(job, peaks=Peaks(host=9000)), [a_room("cpu0")], Host(free_mib=2000))

    assert [p.job.id for p in placed] == [1]


def test_a_job_that_must_be_alone_waits_for_an_empty_worker_and_keeps_it() -> None:
    lonely, other = a_job(1, is_alone=True), a_job(2)
    rooms = [
        slot_room(a_device("cpu0"), is_taken=True),
        slot_room(a_device("cpu1"), is_taken=False),
    ]

    waiting, _ = place(needed(lonely, other), rooms, Host(num_running=1))
    alone, _ = place(needed(lonely, other), [a_room("cpu0"), a_room("cpu1")], Host())
    beside, _ = place(needed(other), rooms, Host(num_running=1, has_lonely=True))

    assert waiting == beside == ()
    assert [p.job.id for p in alone] == [1]


def test_a_gpu_job_that_must_be_alone_gets_a_whole_gpu() -> None:
    job = a_job(1, gpus=0.5, memory_mib=1000, is_alone=True)

    half, _ = place(needed(job), [a_room("cuda:0", free_share=0.5)], Host())
    whole, _ = place(needed(job), [a_room("cuda:0")], Host())

    assert half == ()
    assert whole[0].share == 1.0


def test_what_never_fits_is_known_without_looking_at_what_runs() -> None:
    devices = [replace(a_device("cuda:0"), memory_mib=GPU_MIB)]

    assert fits_ever(need_of(a_job(1, gpus=1.0, memory_mib=5000), Peaks()), devices)
    assert not fits_ever(need_of(a_job(1, gpus=1.0, memory_mib=50_000), Peaks()), devices)
    assert not fits_ever(need_of(a_job(1), Peaks()), devices)


@given(
    st.lists(st.sampled_from([0, 0.25, 0.5, 1, 2, 3]), max_size=12),
    st.sets(st.sampled_from(["cpu0", "cpu1", "cuda:0", "cuda:1", "cuda:2"])),
    st.dictionaries(st.sampled_from(["cuda:0", "cuda:1"]), st.sampled_from([0.0, 0.25, 0.5])),
)
def test_no_device_is_given_out_more_than_once(
    gpus: list[float], devices: set[str], free: dict[str, float]
) -> None:
    jobs = [a_job(number, gpus=float(count)) for number, count in enumerate(gpus, 1)]
    rooms = [a_room(name, free_share=free.get(name, 1.0)) for name in sorted(devices)]

    placed, obstacles = place(needed(*jobs), rooms, Host())

    for room in rooms:
        given_out = sum(p.share for p in placed if room.name in p.devices)
        assert given_out <= room.free_share + 1e-6
    assert all(len(set(p.devices)) == len(p.devices) for p in placed)
    assert len(placed) + len(obstacles) == len(jobs)
