"""What must hold after the storm: every job as if nothing had happened, and nothing left behind."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from db.jobs import list_attempts
from db.records import Job, JobState
from tests.acceptance.chaos_world import World, leftovers
from tests.worker.processes import wait_until

LEAVING_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Hit:
    """One attempt that a fault met."""

    fault: str
    job_id: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Expected:
    """How a job has to end."""

    state: JobState
    reference: int | None = None
    """Id of the undisturbed job with the same experiment; None: its points are not compared."""
    failure_class: str | None = None
    attempts: int | None = None


def problems(world: World, expected: Mapping[int, Expected]) -> list[str]:
    """Return everything that is wrong, a sentence each."""
    found: list[str] = []
    for job in world.jobs():
        found += [f"job {job.id}: {text}" for text in _job_problems(world, job, expected[job.id])]
    return [*found, *world.unexpected, *_leftover_problems(world), *_database_problems(world)]


def _job_problems(world: World, job: Job, expected: Expected) -> Iterator[str]:
    if job.state is not expected.state:
        yield f"is {job.state}, not {expected.state}: {job.error}"
        return
    yield from _attempt_problems(world, job, expected)
    if expected.reference is not None:
        yield from _run_problems(world, job, world.job(expected.reference))


def _attempt_problems(world: World, job: Job, expected: Expected) -> Iterator[str]:
    with world.database.read() as connection:
        attempts = list_attempts(connection, job.run_id)
    numbers = [attempt.number for attempt in attempts]
    if numbers != list(range(1, job.attempt + 1)):
        yield f"has attempts {numbers}, but {job.attempt} were claimed"
    opened = [attempt.number for attempt in attempts if not attempt.outcome]
    if opened:
        yield f"attempts {opened} have no end"
    if expected.failure_class and attempts[-1].failure_class != expected.failure_class:
        yield f"failed as {attempts[-1].failure_class}, not {expected.failure_class}"
    succeeded = [attempt.number for attempt in attempts if attempt.outcome == "succeeded"]
    if expected.state is JobState.SUCCEEDED and succeeded != [job.attempt]:
        yield f"attempts {succeeded} succeeded, but only the last one, {job.attempt}, may"


def _run_problems(world: World, job: Job, reference: Job) -> Iterator[str]:
    """Compare a run with the undisturbed one: weights, metrics, points, predictions."""
    try:
        if world.weights(job) != world.weights(reference):
            yield "has other weights than the undisturbed run"
    except ValueError:
        yield "has not one `finished` event"
    query = world.query
    if query.run(job.run_id).metrics != query.run(reference.run_id).metrics:
        yield "has other metrics than the undisturbed run"
    names = [name for name in query.series(reference.run_id) if "seconds" not in name]
    for name in names:
        if name.endswith("per_second"):
            continue
        ours, theirs = query.points(job.run_id, name), query.points(reference.run_id, name)
        if ours.steps != theirs.steps:
            yield f"{name}: points lost or doubled: {_difference(ours.steps, theirs.steps)}"
        elif ours.values != theirs.values:
            yield f"{name}: other values than the undisturbed run"
    for split in ("valid", "test"):
        if query.predictions(job.run_id, split) != query.predictions(reference.run_id, split):
            yield f"other predictions of {split} than the undisturbed run"


def _difference(ours: Sequence[int], theirs: Sequence[int]) -> str:
    lost = sorted((Counter(theirs) - Counter(ours)).elements())
    extra = sorted((Counter(ours) - Counter(theirs)).elements())
    return f"lost {lost[:9]}, too many {extra[:9]}"


def _leftover_problems(world: World) -> Iterator[str]:
    try:
        wait_until(lambda: not leftovers(world), seconds=LEAVING_SECONDS)
    except AssertionError:
        yield f"processes left behind: {leftovers(world)}"
    for job in world.jobs():
        if world.folder(job).is_live():
            yield f"job {job.id}: its run is still locked"


def _database_problems(world: World) -> Iterator[str]:
    yield from world.database.check()
    for statement in (
        "SELECT * FROM device_leases",
        "SELECT id, verb FROM commands WHERE handled_at IS NULL",
    ):
        with world.database.read() as connection:
            rows = connection.exec_driver_sql(statement).fetchall()
        if rows:
            yield f"{statement}: {rows[:5]}"


def table(world: World, counts: Counter[str], hits: Sequence[Hit], bad: set[int]) -> list[str]:
    """Return the lines of a table: kind of fault, how often, whom it hit and what came of it."""
    by_fault: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for hit in hits:
        by_fault[hit.fault].add((hit.job_id, hit.attempt))
    lines = [
        "| fault | times | jobs hit | attempts hit ended as | jobs right in the end |",
        "|---|---|---|---|---|",
    ]
    outcomes = _outcomes(world)
    for fault, times in sorted(counts.items(), key=lambda item: -item[1]):
        met = by_fault[fault]
        jobs = {job_id for job_id, _ in met}
        ends = Counter(outcomes.get(key, "none") for key in met)
        said = ", ".join(f"{number} {end}" for end, number in ends.most_common())
        lines.append(
            f"| {fault} | {times} | {len(jobs)} | {said} | {len(jobs - bad)}/{len(jobs)} |"
        )
    return lines


def _outcomes(world: World) -> dict[tuple[int, int], str]:
    found: dict[tuple[int, int], str] = {}
    for job in world.jobs():
        with world.database.read() as connection:
            for attempt in list_attempts(connection, job.run_id):
                kind = f" ({attempt.failure_class})" if attempt.failure_class else ""
                found[job.id, attempt.number] = f"{attempt.outcome}{kind}"
    return found
