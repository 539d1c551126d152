"""The queue as users see it: add, look, cancel, retry, hold, reorder. Writes `groups`, `jobs`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import Connection, func, insert, select, update

from db.commands import add_command, pending_commands
from db.errors import JobStateError, NotFoundError
from db.events import add_event
from db.jobs.claims import IS_QUEUED, is_ready
from db.jobs.transitions import change_state, get_job
from db.records import Job, JobState, NewJob, Verb
from db.rows import job_query, read_jobs
from db.runs import is_trashed, store_settings, store_tags
from db.tables import groups, job_dependencies, jobs


def add_jobs(
    connection: Connection,
    new_jobs: Sequence[NewJob],
    *,
    actor: str,
    now: float,
    group_name: str | None = None,
    group_kind: str = "jobs",
) -> tuple[Job, ...]:
    """Add jobs at the end of the queue, in their order, all or none.

    Args:
        connection: inside `Database.write()`.
        new_jobs: the jobs.
        actor: who adds them.
        now: seconds since the epoch.
        group_name: group to put them in; made when it is not there.
        group_kind: `seeds`, `grid` or `jobs`, of a group made here.

    Raises:
        NotFoundError: a job in `after` or `after_any` does not exist.
    """
    group_id = None
    if group_name is not None:
        group_id = ensure_group(connection, group_name, group_kind, now=now)
    last = connection.execute(select(func.coalesce(func.max(jobs.c.position), 0.0))).scalar_one()
    ids = [
        _add(connection, new, group_id=group_id, position=last + offset, actor=actor, now=now)
        for offset, new in enumerate(new_jobs, start=1)
    ]
    return list_jobs(connection, ids=ids)


def ensure_group(connection: Connection, name: str, kind: str, *, now: float) -> int:
    """Return the id of the group of this name, made when it is not there."""
    found = connection.execute(select(groups.c.id).where(groups.c.name == name)).scalar()
    if found is not None:
        return found
    made = connection.execute(
        insert(groups).values(name=name, kind=kind, created_at=now).returning(groups.c.id)
    )
    return made.scalar_one()


def list_jobs(
    connection: Connection,
    states: Iterable[JobState] | None = None,
    ids: Iterable[int] | None = None,
    limit: int | None = None,
) -> tuple[Job, ...]:
    """Return jobs by id, of the given states and ids; with a limit, the newest."""
    query = job_query().order_by(jobs.c.id.desc()).limit(limit)
    if states is not None:
        query = query.where(jobs.c.state.in_([state.value for state in states]))
    if ids is not None:
        query = query.where(jobs.c.id.in_(list(ids)))
    return tuple(reversed(read_jobs(connection, query)))


def candidates(connection: Connection, *, now: float, limit: int = 32) -> tuple[Job, ...]:
    """Return the jobs that may start now, in the order they should."""
    query = job_query().where(is_ready(now))
    query = query.order_by(jobs.c.priority.desc(), jobs.c.position, jobs.c.id).limit(limit)
    return read_jobs(connection, query)


def next_start(connection: Connection, *, now: float) -> float | None:
    """Return when the next delayed job may start; None when none is delayed."""
    query = select(func.min(jobs.c.not_before)).where(IS_QUEUED, jobs.c.not_before > now)
    return connection.execute(query).scalar()


def cancel(
    connection: Connection, job_ids: Sequence[int], actor: str, now: float
) -> tuple[Job, ...]:
    """Cancel jobs: a waiting one at once, a live one by a command to its worker.

    Jobs that are over already are left as they are, as long as there is another to cancel.

    Returns:
        The jobs as they stand now, in the order of `job_ids`.

    Raises:
        NotFoundError: no such job.
        JobStateError: every one of them is over.
    """

    def cancel_one(job: Job) -> None:
        if not job.state.is_live:
            change_state(
                connection, job.id, JobState.CANCELLED, why=f"by {actor}", actor=actor, now=now
            )
        elif not pending_commands(connection, job_id=job.id, verb=Verb.CANCEL):
            add_command(connection, Verb.CANCEL, job_id=job.id, actor=actor, now=now)

    unfinished = [state for state in JobState if not state.is_finished]
    only = "a job that is not over can be cancelled"
    return _each(connection, job_ids, cancel_one, unfinished, only)


def retry(
    connection: Connection, job_ids: Sequence[int], actor: str, now: float
) -> tuple[Job, ...]:
    """Queue failed, cancelled or lost jobs again: same run, a fresh allowance of attempts.

    A paused job is resumed. Jobs in other states are left as they are, as long as there is one to
    retry.

    Returns:
        The jobs as they stand now, in the order of `job_ids`.

    Raises:
        NotFoundError: no such job.
        JobStateError: none of them can be retried, or the run of one is in the trash.
    """

    def retry_one(job: Job) -> None:
        if is_trashed(connection, job.run_id):
            raise JobStateError(
                f"The run of job {job.id} is in the trash. "
                f"Bring it back first with `setgf runs restore {job.run_id}`."
            )
        allowance = connection.execute(
            select(jobs.c.allowance).where(jobs.c.id == job.id)
        ).scalar_one()
        change_state(
            connection,
            job.id,
            JobState.QUEUED,
            why=f"by {actor}",
            actor=actor,
            now=now,
            error=None,
            max_attempts=job.attempt + allowance,
        )

    over = (JobState.FAILED, JobState.CANCELLED, JobState.LOST, JobState.PAUSED)
    only = "a failed, cancelled or lost job can be queued again"
    return _each(connection, job_ids, retry_one, over, only)


def hold(connection: Connection, job_ids: Sequence[int], actor: str, now: float) -> tuple[Job, ...]:
    """Keep queued jobs from starting until they are released."""

    def hold_one(job: Job) -> None:
        change_state(connection, job.id, JobState.HELD, why=f"by {actor}", actor=actor, now=now)

    only = "a queued job can be held"
    return _each(connection, job_ids, hold_one, (JobState.QUEUED,), only)


def release(
    connection: Connection, job_ids: Sequence[int], actor: str, now: float
) -> tuple[Job, ...]:
    """Let held jobs start."""

    def release_one(job: Job) -> None:
        change_state(connection, job.id, JobState.QUEUED, why=f"by {actor}", actor=actor, now=now)

    only = "a held job can be released"
    return _each(connection, job_ids, release_one, (JobState.HELD,), only)


def move(
    connection: Connection,
    job_id: int,
    *,
    actor: str,
    now: float,
    priority: int | None = None,
    before: int | None = None,
) -> Job:
    """Change a waiting job's priority, or put it right before another of the same priority.

    Raises:
        JobStateError: the job has started.
        NotFoundError: no such job.
    """
    job = get_job(connection, job_id, lock=True)
    if job.state not in (JobState.QUEUED, JobState.HELD):
        raise JobStateError(f"Job {job_id} is {job.state}; only a queued or held job can be moved.")
    values: dict[str, float] = {} if priority is None else {"priority": priority}
    if before is not None:
        target = get_job(connection, before)
        values = {"priority": target.priority, "position": _position_before(connection, target)}
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(values))
    add_event(
        connection,
        "job",
        now=now,
        why="moved" if before is None else f"moved before job {before}",
        actor=actor,
        job_id=job_id,
        run_id=job.run_id,
        from_state=job.state.value,
        to_state=job.state.value,
    )
    return get_job(connection, job_id)


def fail_blocked(connection: Connection, *, now: float) -> tuple[Job, ...]:
    """Fail the queued jobs that wait for the success of one that failed or was cancelled, and those
    that wait for them; else a worker told to drain the queue would wait for ever."""
    needed = jobs.alias("needed")
    query = (
        select(jobs.c.id, needed.c.id, needed.c.state)
        .select_from(
            jobs.join(job_dependencies, job_dependencies.c.job_id == jobs.c.id).join(
                needed, needed.c.id == job_dependencies.c.depends_on
            )
        )
        .where(
            IS_QUEUED,
            job_dependencies.c.kind == "ok",
            needed.c.state.in_(["failed", "cancelled"]),
        )
        .order_by(jobs.c.id)
    )
    failed: dict[int, None] = {}
    while blocked := {row[0]: row for row in connection.execute(query)}:
        for job_id, cause, state in blocked.values():
            why = f"job {cause}, which it waits for, is {state}"
            change_state(
                connection, job_id, JobState.FAILED, why=why, actor="queue", now=now, error=why
            )
            failed[job_id] = None
    return list_jobs(connection, ids=failed)


def _add(
    connection: Connection,
    new: NewJob,
    *,
    group_id: int | None,
    position: float,
    actor: str,
    now: float,
) -> int:
    state = JobState.HELD if new.held else JobState.QUEUED
    job_id = connection.execute(
        insert(jobs)
        .values(
            run_id=new.run_id,
            group_id=group_id,
            name=new.name,
            state=state.value,
            reason="",
            priority=new.priority,
            position=position,
            not_before=new.not_before,
            attempt=0,
            max_attempts=new.max_attempts,
            allowance=new.max_attempts,
            config=dict(new.config),
            fingerprint=new.fingerprint,
            variant=new.variant,
            dataset=new.dataset,
            data_name=new.data_name,
            model=new.model,
            seed=new.seed,
            gpus=new.gpus,
            memory_mib=new.memory_mib,
            time_limit=new.time_limit,
            owner=new.owner,
            max_epochs=new.max_epochs,
            command=list(new.command),
            created_at=now,
        )
        .returning(jobs.c.id)
    ).scalar_one()
    _add_dependencies(connection, job_id, new)
    store_settings(connection, new.run_id, new.settings)
    store_tags(connection, new.run_id, new.tags)
    add_event(
        connection,
        "job",
        now=now,
        why="added",
        actor=actor,
        job_id=job_id,
        run_id=new.run_id,
        to_state=state.value,
    )
    return job_id


def _add_dependencies(connection: Connection, job_id: int, new: NewJob) -> None:
    """Store what a job waits for; of one named both ways the success is waited for."""
    kinds = dict.fromkeys(new.after_any, "any") | dict.fromkeys(new.after, "ok")
    for needed, kind in kinds.items():
        get_job(connection, needed)
        connection.execute(
            insert(job_dependencies).values(job_id=job_id, depends_on=needed, kind=kind)
        )


def _position_before(connection: Connection, target: Job) -> float:
    """Return a position between `target` and the one before it: reordering writes one row."""
    above = connection.execute(
        select(func.max(jobs.c.position)).where(
            IS_QUEUED, jobs.c.priority == target.priority, jobs.c.position < target.position
        )
    ).scalar()
    return target.position - 1.0 if above is None else (above + target.position) / 2


def _each(
    connection: Connection,
    job_ids: Sequence[int],
    change: Callable[[Job], None],
    states: Sequence[JobState],
    only: str,
) -> tuple[Job, ...]:
    """Change the jobs in one of `states`; refuse, by the first one, when none is."""
    found = [get_job(connection, job_id, lock=True) for job_id in dict.fromkeys(job_ids)]
    chosen = [job for job in found if job.state in states]
    if found and not chosen:
        raise JobStateError(f"Job {found[0].id} is {found[0].state}; only {only}.")
    for job in chosen:
        change(job)
    missing = [job_id for job_id in job_ids if job_id not in {job.id for job in found}]
    if missing:
        raise NotFoundError(f"There is no job {missing[0]}.")
    return tuple(get_job(connection, job.id) for job in found)
