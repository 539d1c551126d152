"""The queue as the screen shows it: jobs with what is expected of them, workers, groups."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from db.job_list import ListedJob, count_states, read_jobs
from db.records import Group, Worker
from tui.job_records import JobLine, QueueBody

if TYPE_CHECKING:
    from db.query import Query
    from setgf.worker.estimates import Estimate
    from setgf.worker.outlook import Outlook
    from tui.sources.access import DatabaseAccess

RECENT_SECONDS = 30 * 24 * 3600.0
"""Jobs that were over before are not shown; `setgf queue list --all` has them."""
FORGET_WORKERS_SECONDS = 24 * 3600.0
MISSED_SECONDS = 20.0
"""Two heartbeats of a worker, which sends one every ten seconds."""
USE_SECONDS = 10 * 60.0
USE_POINTS = 40
OVER = frozenset({"succeeded", "failed", "cancelled"})


def read_queue(access: DatabaseAccess) -> QueueBody:
    """Return the jobs with what is expected of them, and the workers with how busy they are."""
    from setgf.worker.outlook import look

    now = access.clock()
    with access.statements() as statements:
        jobs = read_jobs(statements, ended_since=now - RECENT_SECONDS, cleared=False)
        outlook = look(statements, now=now, known=jobs)
        every = read_cleared(count_states(statements), jobs)
    estimates = outlook.estimates()
    workers = read_workers(access)
    with access.reading() as query:
        use = _use(query, workers, now)
    return QueueBody(
        lines=tuple(_line(job, outlook, estimates.get(job.id)) for job in jobs),
        workers=workers,
        use=use,
        num_older=every,
    )


def read_cleared(states: Mapping[str, int], shown: Sequence[ListedJob]) -> int:
    """Return how many jobs there are besides those shown."""
    return max(sum(states.values()) - len(shown), 0)


def _line(job: ListedJob, outlook: Outlook, estimate: Estimate | None) -> JobLine:
    """Return a job with whole seconds: a tenth more or less is no news."""
    ends = outlook.end_of(job) if job.is_live else None if estimate is None else estimate.end
    starts = None if estimate is None else estimate.start
    return JobLine(
        job=job,
        why=outlook.why(job),
        starts_at=None if starts is None else float(round(starts)),
        ends_at=None if ends is None else float(round(ends)),
    )


def read_workers(access: DatabaseAccess) -> tuple[Worker, ...]:
    """Return workers that are alive or were lately; one whose process is gone counts as stale."""
    now = access.clock()
    with access.reading() as query:
        workers = query.workers(now)
    near = [w for w in workers if now - w.heartbeat_at < FORGET_WORKERS_SECONDS]
    return tuple(replace(w, state="stale") if _is_gone(w, now) else w for w in near)


def _is_gone(worker: Worker, now: float) -> bool:
    """Return whether a worker that says it lives does not: its process ended, or it is silent."""
    if worker.state != "alive":
        return False
    silence = now - worker.heartbeat_at
    if silence > MISSED_SECONDS:
        return True
    if worker.host != socket.gethostname():
        return False
    from setgf.worker.supervision import is_process

    return not is_process(worker.pid, worker.pid_start, worker.boot_id)


def _use(
    query: Query, workers: Sequence[Worker], now: float
) -> dict[tuple[str, str], tuple[float, ...]]:
    """Return the latest use of every device of the living workers."""
    return {
        (worker.id, device.name): tuple(
            sample.utilisation
            for sample in query.samples(worker.id, device.name, now - USE_SECONDS)[-USE_POINTS:]
        )
        for worker in workers
        if worker.state == "alive"
        for device in worker.devices
    }


def read_groups(access: DatabaseAccess) -> tuple[Group, ...]:
    """Return the groups that have jobs which are not over."""
    with access.reading() as query:
        return tuple(group for group in query.groups() if set(group.counts) - OVER)
