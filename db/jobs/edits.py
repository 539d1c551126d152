"""Changing what a waiting job asks for, clearing finished jobs, and starting them anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select, update

from db.errors import JobStateError
from db.events import add_events
from db.jobs.actions import recorded
from db.jobs.adding import add_jobs, kinds_of
from db.jobs.history import job_event
from db.jobs.listing import chunks, get_jobs
from db.jobs.undo import put_dependencies
from db.records import Job, JobState, NewJob
from db.run_settings import put_settings, setting_rows, store_settings
from db.runs import follow_name
from db.tables import job_dependencies, jobs

_EDITABLE = tuple(
    state for state in JobState if not state.is_live and state is not JobState.SUCCEEDED
)
_PLAIN = frozenset(
    {"priority", "name", "time_limit", "memory_mib", "gpus", "not_before", "is_alone"}
)
_OF_CONFIG = frozenset(
    {
        "config",
        "fingerprint",
        "variant",
        "dataset",
        "data_name",
        "model",
        "seed",
        "max_epochs",
        "settings",
    }
)
_OTHER = frozenset({"max_attempts", "after", "after_any"})
RESTART_TAG = "restart-of-"
"""Begin of the tag that names the run a restarted one repeats."""


def edit(
    connection: Connection, job_ids: Sequence[int], actor: str, now: float, **values: Any
) -> tuple[Job, ...]:
    """Change jobs that nobody works on: all of them or, where one can't be changed, none.

    Args:
        connection: inside `Database.write()`.
        job_ids: held, queued, paused, lost, failed or cancelled jobs.
        actor: who edits them.
        now: seconds since the epoch.
        values: `priority`, `name`, `time_limit`, `memory_mib`, `gpus`, `not_before`, `is_alone`;
            `max_attempts` (all attempts together); `after` and `after_any` (ids, in place of what
            it waited for); of jobs that never began also `config` with all that follows from it:
            `settings`, `fingerprint`, `variant`, `dataset`, `data_name`, `model`, `seed`,
            `max_epochs`.

    Raises:
        NotFoundError: no such job, or none that one is to wait for.
        JobStateError: a job is live or succeeded, has made as many attempts already, has begun with
            the settings it has, or would wait for itself.
    """
    unknown = set(values) - _PLAIN - _OF_CONFIG - _OTHER
    if unknown:
        raise TypeError(f"edit can't set {', '.join(sorted(unknown))}")
    found = get_jobs(connection, job_ids, lock=True)
    for job in found:
        _check(connection, job, values)
    ids = [job.id for job in found]
    words = f"edited: {', '.join(sorted(values))}"
    which = f"job {ids[0]}" if len(ids) == 1 else f"{len(ids)} jobs"
    what = f"edit {which}: {', '.join(sorted(values))}"
    with recorded(connection, ids, what=what, actor=actor, now=now, whole=True):
        for job in found:
            _apply(connection, job, values)
    add_events(connection, [job_event(job, why=words, actor=actor, now=now) for job in found])
    return get_jobs(connection, job_ids)


def clear(
    connection: Connection, job_ids: Sequence[int] | None, actor: str, now: float
) -> tuple[Job, ...]:
    """Take finished jobs off the list, all of them with None; their history stays.

    Returns:
        The jobs that were taken off now.

    Raises:
        NotFoundError: no such job.
        JobStateError: none of those named is over.
    """
    if job_ids is None:
        over = [state.value for state in JobState if state.is_finished]
        query = select(jobs.c.id).where(jobs.c.state.in_(over), jobs.c.cleared_at.is_(None))
        job_ids = list(connection.execute(query.order_by(jobs.c.id)).scalars())
    found = get_jobs(connection, job_ids, lock=True)
    finished = [job for job in found if job.state.is_finished]
    if found and not finished:
        raise JobStateError(
            f"Job {found[0].id} is {found[0].state}; only a finished job can be cleared."
        )
    ids = [job.id for job in finished if job.cleared_at is None]
    what = f"clear job {ids[0]}" if len(ids) == 1 else f"clear {len(ids)} jobs"
    with recorded(connection, ids, what=what, actor=actor, now=now):
        for part in chunks(ids):
            connection.execute(update(jobs).where(jobs.c.id.in_(part)).values(cleared_at=now))
    cleared = get_jobs(connection, ids)
    add_events(connection, [job_event(job, why="cleared", actor=actor, now=now) for job in cleared])
    return cleared


def restart(
    connection: Connection,
    job_ids: Sequence[int],
    actor: str,
    now: float,
    *,
    new_run_id: Callable[[], str],
) -> tuple[Job, ...]:
    """Queue finished jobs once more as new jobs with new runs: what they did stays as it is.

    The new run has the tags of the old one and `restart-of-RUN`.

    Returns:
        The new jobs.

    Raises:
        NotFoundError: no such job.
        JobStateError: one is not over.
    """
    found = get_jobs(connection, job_ids)
    for job in found:
        if not job.state.is_finished:
            raise JobStateError(
                f"Job {job.id} is {job.state}; only a job that is over can be started anew."
            )
    added: list[Job] = []
    for job in found:
        new = _again(connection, job, new_run_id(), owner=actor)
        added += add_jobs(connection, [new], group_name=job.group_name, actor=actor, now=now)
        put_settings(connection, new.run_id, setting_rows(connection, job.run_id))
    return tuple(added)


def _again(connection: Connection, job: Job, run_id: str, *, owner: str) -> NewJob:
    allowance = select(jobs.c.allowance).where(jobs.c.id == job.id)
    kept = tuple(tag for tag in job.tags if not tag.startswith(RESTART_TAG))
    return NewJob(
        run_id=run_id,
        name=job.name,
        config=job.config,
        settings={},  # copied as they are stored
        fingerprint=job.fingerprint,
        variant=job.variant,
        dataset=job.dataset,
        data_name=job.data_name,
        model=job.model,
        seed=job.seed,
        max_epochs=job.max_epochs,
        gpus=job.gpus,
        memory_mib=job.memory_mib,
        time_limit=job.time_limit,
        owner=owner,
        priority=job.priority,
        max_attempts=connection.execute(allowance).scalar_one(),
        tags=(*kept, f"{RESTART_TAG}{job.run_id}"),
        command=job.command,
    )


def _check(connection: Connection, job: Job, values: Mapping[str, Any]) -> None:
    """Refuse an edit that the job's state or history does not allow."""
    if job.state not in _EDITABLE:
        raise JobStateError(
            f"Job {job.id} is {job.state}; only a job that waits, is paused or has failed can be "
            "edited."
        )
    if job.attempt > 0 and _OF_CONFIG & set(values):
        raise JobStateError(
            f"Job {job.id} has begun, and its settings are part of its run. Queue another job with "
            "`setgf queue add`."
        )
    allowed = values.get("max_attempts")
    if allowed is not None and allowed <= job.attempt:
        raise JobStateError(
            f"Job {job.id} has made {job.attempt} attempts; `max_attempts` must be more, but is "
            f"{allowed}."
        )
    needed = (*values.get("after", ()), *values.get("after_any", ()))
    get_jobs(connection, needed)
    path = _path(connection, needed, job.id)
    if path:
        words = ", which waits for ".join(f"job {one}" for one in (job.id, *path))
        raise JobStateError(f"It would wait for itself: {words}.")


def _path(connection: Connection, begin: Sequence[int], end: int) -> tuple[int, ...]:
    """Return how one of the jobs `begin` waits, directly or not, for the job `end`; or nothing."""
    paths: dict[int, tuple[int, ...]] = {job_id: (job_id,) for job_id in begin}
    front: list[int] = list(paths)
    while front:
        if end in paths:
            return paths[end]
        query = select(job_dependencies.c.job_id, job_dependencies.c.depends_on).where(
            job_dependencies.c.job_id.in_(tuple(front))
        )
        front.clear()
        for row in connection.execute(query):
            job_id, needed = row.job_id, row.depends_on
            if needed not in paths:
                paths[needed] = (*paths[job_id], needed)
                front.append(needed)
    return paths.get(end, ())


def _apply(connection: Connection, job: Job, values: Mapping[str, Any]) -> None:
    columns = {name: value for name, value in values.items() if name in _PLAIN | _OF_CONFIG}
    settings = columns.pop("settings", None)
    if values.get("max_attempts") is not None:
        columns |= {"max_attempts": values["max_attempts"], "allowance": values["max_attempts"]}
    if "config" in columns:
        columns["config"] = dict(columns["config"])
    if columns:
        connection.execute(update(jobs).where(jobs.c.id == job.id).values(columns))
    if "name" in columns:
        follow_name(connection, job.run_id, job.name, columns["name"])
    if settings is not None:
        store_settings(connection, job.run_id, settings)
    if "after" in values or "after_any" in values:
        kinds = kinds_of(values.get("after", ()), values.get("after_any", ()))
        put_dependencies(connection, job.id, kinds)
