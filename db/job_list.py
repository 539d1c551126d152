"""The queue as a list, fast: plain SQL, without SQLAlchemy, for ten thousand jobs in a moment."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from db.errors import NotFoundError
from db.statements import Statements

STALE_SECONDS = 30.0
"""Without a heartbeat for this long a worker counts as stale (as in `db.workers`)."""
FINISHED = ("succeeded", "failed", "cancelled")
LIVE = ("starting", "running", "stopping")
ERROR_LETTERS = 500
MOST_PAST_RUNS = 2000
"""Newest runs that durations are taken from."""


class ListedJob(NamedTuple):
    """A job without its settings; the fields mean what those of `db.records.Job` do."""

    id: int
    run_id: str
    name: str
    state: str
    reason: str
    priority: int
    position: float
    not_before: float | None
    attempt: int
    max_attempts: int
    fingerprint: str
    variant: str
    dataset: str
    data_name: str
    model: str
    seed: int
    gpus: float
    memory_mib: int | None
    is_alone: bool
    time_limit: float | None
    max_epochs: int
    created_at: float
    started_at: float | None
    finished_at: float | None
    worker_id: str | None
    error: str | None
    """Its last letters."""
    aim: str | None
    frozen_at: float | None
    running_seconds: float
    cleared_at: float | None
    owner: str
    group_name: str | None
    epoch: int
    attempt_started_at: float | None
    """When the newest attempt began."""

    @property
    def is_finished(self) -> bool:
        """True where nothing more will happen by itself."""
        return self.state in FINISHED

    @property
    def is_live(self) -> bool:
        """True while a worker holds the job."""
        return self.state in LIVE


class ListedGroup(NamedTuple):
    """A group and its limits."""

    name: str
    parallelism: int | None
    paused_at: float | None


class PastRun(NamedTuple):
    """How long a run took that ended well."""

    variant: str
    model: str
    data_name: str
    is_gpu: bool
    epochs: int
    max_epochs: int
    seconds: float


_SPECIAL = {
    "error": f"substr(jobs.error, -{ERROR_LETTERS})",
    "group_name": "groups.name",
    "epoch": "coalesce(runs.epoch, 0)",
    "attempt_started_at": "attempts.started_at",
}
_CHOSEN = ", ".join(_SPECIAL.get(name, f"jobs.{name}") for name in ListedJob._fields)
_SOURCE = (
    "jobs LEFT JOIN groups ON groups.id = jobs.group_id LEFT JOIN runs ON runs.id = jobs.run_id "
    "LEFT JOIN attempts ON attempts.run_id = jobs.run_id AND attempts.number = jobs.attempt"
)


def read_jobs(
    statements: Statements,
    *,
    ids: Collection[int] | None = None,
    states: Collection[str] | None = None,
    ended_since: float | None = None,
    cleared: bool = True,
) -> list[ListedJob]:
    """Return jobs by id.

    Args:
        statements: in a transaction.
        ids: only these.
        states: only in these states.
        ended_since: without those that were over before this moment.
        cleared: with those that a user took off the list.
    """
    conditions: list[str] = []
    values: dict[str, Any] = {}
    if ids is not None:
        conditions.append(f"jobs.id IN ({_listed(map(str, map(int, ids)))})")
    if states is not None:
        conditions.append(f"jobs.state IN ({_listed(_quoted(states))})")
    if ended_since is not None:
        conditions.append(
            f"(jobs.state NOT IN ({_listed(_quoted(FINISHED))}) OR jobs.finished_at >= :since)"
        )
        values["since"] = ended_since
    if not cleared:
        conditions.append("jobs.cleared_at IS NULL")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = statements.rows(f"SELECT {_CHOSEN} FROM {_SOURCE}{where} ORDER BY jobs.id", values)
    return [ListedJob._make(row) for row in rows]


def count_states(statements: Statements) -> Mapping[str, int]:
    """Return how many jobs of each state there are."""
    rows = statements.rows("SELECT state, count(*) FROM jobs GROUP BY state", {})
    return {str(state): int(number) for state, number in rows}


def tags_of_runs(statements: Statements, run_ids: Collection[str]) -> Mapping[str, list[str]]:
    """Return the tags of runs by run id; runs without one are left out."""
    wanted = set(run_ids)
    found: dict[str, list[str]] = {}
    for run_id, tag in statements.rows("SELECT run_id, tag FROM tags ORDER BY run_id, tag", {}):
        if run_id in wanted:
            found.setdefault(str(run_id), []).append(str(tag))
    return found


def setting_values(
    statements: Statements, name: str
) -> Mapping[str, tuple[str | None, float | None]]:
    """Return a setting of every run by run id: as text and, where it is one, as a number."""
    rows = statements.rows(
        "SELECT run_id, text, number FROM settings WHERE name = :name", {"name": name}
    )
    return {str(run_id): (text, number) for run_id, text, number in rows}


def setting_names(statements: Statements) -> tuple[str, ...]:
    """Return the names of all settings that runs have, in order."""
    rows = statements.rows("SELECT DISTINCT name FROM settings ORDER BY name", {})
    return tuple(str(name) for (name,) in rows)


def waits_for(statements: Statements) -> Mapping[int, list[tuple[int, str, str]]]:
    """Return what every unfinished job still waits for: (job id, kind, its state) by job id."""
    ended = _listed(_quoted(FINISHED))
    rows = statements.rows(
        "SELECT d.job_id, d.depends_on, d.kind, needed.state FROM job_dependencies AS d "
        "JOIN jobs ON jobs.id = d.job_id JOIN jobs AS needed ON needed.id = d.depends_on "
        f"WHERE jobs.state NOT IN ({ended}) AND needed.state <> 'succeeded' "
        f"AND (d.kind = 'ok' OR needed.state NOT IN ({ended})) ORDER BY d.job_id, d.depends_on",
        {},
    )
    found: dict[int, list[tuple[int, str, str]]] = {}
    for job_id, needed, kind, state in rows:
        found.setdefault(int(job_id), []).append((int(needed), str(kind), str(state)))
    return found


def read_groups(statements: Statements) -> Mapping[str, ListedGroup]:
    """Return the groups by name."""
    rows = statements.rows("SELECT name, parallelism, paused_at FROM groups ORDER BY id", {})
    return {str(row[0]): ListedGroup._make(row) for row in rows}


def find_group(statements: Statements, name: str) -> Sequence[int]:
    """Return the ids of the jobs of a group.

    Raises:
        NotFoundError: there is no such group; names the nearest.
    """
    groups = read_groups(statements)
    if name not in groups:
        from db.filters import nearest

        raise NotFoundError(
            f"There is no group `{name}`.{nearest(name, groups)} See `setgf queue groups`."
        )
    rows = statements.rows(
        "SELECT jobs.id FROM jobs JOIN groups ON groups.id = jobs.group_id "
        "WHERE groups.name = :name ORDER BY jobs.id",
        {"name": name},
    )
    return [int(job_id) for (job_id,) in rows]


def living_devices(statements: Statements, *, now: float) -> Mapping[str, list[str]]:
    """Return the kinds of the devices (`cpu`, `gpu`) of every living worker, by worker id."""
    rows = statements.rows(
        "SELECT workers.id, devices.kind FROM workers "
        "LEFT JOIN devices ON devices.worker_id = workers.id "
        "WHERE workers.state = 'alive' AND workers.heartbeat_at >= :since",
        {"since": now - STALE_SECONDS},
    )
    found: dict[str, list[str]] = {}
    for worker_id, kind in rows:
        found.setdefault(str(worker_id), []).extend([str(kind)] if kind else [])
    return found


class LivingWorker(NamedTuple):
    """A worker whose heart has beaten lately, and the process that it is."""

    id: str
    host: str
    pid: int
    pid_start: int
    boot_id: str


def living_workers(statements: Statements, *, now: float) -> list[LivingWorker]:
    """Return the workers whose heart has beaten lately."""
    rows = statements.rows(
        "SELECT id, host, pid, pid_start, boot_id FROM workers "
        "WHERE state = 'alive' AND heartbeat_at >= :since ORDER BY id",
        {"since": now - STALE_SECONDS},
    )
    return [LivingWorker._make(row) for row in rows]


def past_runs(statements: Statements) -> list[PastRun]:
    """Return how long the newest runs took that ended well, the newest first."""
    rows = statements.rows(
        # Jobs of earlier versions have no time of running: from their start to their end, then.
        "SELECT jobs.variant, jobs.model, jobs.data_name, jobs.gpus > 0, runs.epoch, "
        "jobs.max_epochs, CASE WHEN jobs.running_seconds > 0 THEN jobs.running_seconds "
        "ELSE jobs.finished_at - jobs.started_at END "
        "FROM jobs JOIN runs ON runs.id = jobs.run_id "
        "WHERE jobs.state = 'succeeded' AND jobs.started_at IS NOT NULL AND runs.epoch > 0 "
        f"ORDER BY jobs.finished_at DESC LIMIT {MOST_PAST_RUNS}",
        {},
    )
    return [PastRun._make(row) for row in rows]


def _quoted(words: Collection[str]) -> list[str]:
    return ["'" + word.replace("'", "''") + "'" for word in words]


def _listed(words: Any) -> str:
    """Return words for `IN (...)`; none of them matches nothing."""
    return ", ".join(words) or "NULL"
