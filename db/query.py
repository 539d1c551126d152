"""The public query API: frozen records, from a notebook as well, also while a worker writes.

    from db import query

    with query.open() as q:
        for run in q.runs(where='dataset == "mosi" and test.acc7 > 0.45', sort="-test.acc7"):
            print(run.id, run.metrics["test.mae"])
        curve = q.points(run.id, "train.loss", max_points=2000)

Every call is its own short read, so an open `Query` never holds up a writer. The filter language is
described in `db.filters`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, func, select

from db import curves, jobs
from db.arrays import PointArrays, read_arrays
from db.checkpoints import list_checkpoints
from db.engine import Database, open_database
from db.errors import NotFoundError
from db.events import list_events
from db.filter_clauses import order_by, where_clause
from db.frames import to_pandas, to_polars
from db.plain_sql import read_sql
from db.predictions import list_predictions
from db.records import (
    Checkpoint,
    Event,
    Group,
    Job,
    JobState,
    Points,
    Prediction,
    Run,
    RunDetail,
    Sample,
    Worker,
)
from db.run_rows import read_detail, read_runs, run_query
from db.tables import runs as runs_table
from db.workers import list_samples, list_workers

URL_VARIABLE = "SETGF_DATABASE_URL"
HOME_VARIABLE = "SETGF_HOME"
_FEW = 5


class Query:
    """Questions to a run database. Safe to share between threads.

    In the examples `q` is `query.open()`, on a database with a finished job and one that waits.
    """

    to_pandas = staticmethod(to_pandas)
    to_polars = staticmethod(to_polars)

    def __init__(self, database: Database) -> None:
        self.database = database

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database.

        >>> with query.open() as short:
        ...     len(short.runs())
        1
        """
        self.database.close()

    def runs(
        self,
        where: str | None = None,
        sort: str | None = None,
        limit: int | None = None,
        archived: bool = False,
        trashed: bool = False,
    ) -> tuple[Run, ...]:
        """Return runs, the newest first.

        >>> [run.metrics["test.mae"] for run in q.runs('dataset == "mosi"', sort="-seed")]
        [0.75]

        Args:
            where: a filter (`db.filters`).
            sort: names, `-` before one for descending: `-test.acc7, seed`; missing values last.
            limit: at most so many.
            archived: the archived ones as well.
            trashed: those in the trash as well.

        Raises:
            FilterError: the filter or the order can't be read; says where and what is near.
        """
        with self.database.read() as connection:
            query = run_query().order_by(*order_by(connection, sort)).limit(limit)
            if where and where.strip():
                query = query.where(where_clause(connection, where, now=time.time()))
            if not trashed:
                query = query.where(runs_table.c.trashed_at.is_(None))
            if not archived:
                query = query.where(runs_table.c.archived.is_(False))
            return read_runs(connection, query)

    def run(self, id_or_prefix: str) -> Run:
        """Return one run by its id or the unambiguous beginning of it.

        >>> q.run("run0").tags
        ('base',)

        Raises:
            NotFoundError: no run, or several begin like this.
        """
        with self.database.read() as connection:
            return _find_run(connection, id_or_prefix)

    def detail(self, id_or_prefix: str) -> RunDetail:
        """Return a run with its attempts, series, files and environment.

        >>> detail = q.detail("run00001")
        >>> [attempt.outcome for attempt in detail.attempts], detail.summaries["train.loss"].minimum
        (['succeeded'], 1.0)

        Raises:
            NotFoundError: no run, or several begin like this.
        """
        with self.database.read() as connection:
            return read_detail(connection, _find_run(connection, id_or_prefix))

    def series(self, run_id: str) -> tuple[str, ...]:
        """Return the names of a run's series.

        >>> q.series("run00001")
        ('train.loss', 'valid.mae')
        """
        with self.database.read() as connection:
            return curves.list_series(connection, run_id)

    def points(
        self, run_id: str, series: str, max_points: int | None = None, after_step: int = 0
    ) -> Points:
        """Return one series of a run in order of step.

        >>> curve = q.points("run00001", "train.loss", max_points=2000)
        >>> list(zip(curve.steps, curve.values))
        [(1, 3.0), (2, 2.0), (3, 1.0)]

        Args:
            run_id: the run.
            series: `train.loss`, `valid.text.mae`.
            max_points: thin a longer one to its exact envelope.
            after_step: only later points.

        Raises:
            NotFoundError: no such run, or it has no such series.
        """
        with self.database.read() as connection:
            return curves.read_points(
                connection, run_id, series, max_points=max_points, after_step=after_step
            )

    def arrays(self, run_id: str, series: str) -> PointArrays:
        """Return all steps and values of one series of a run as numpy arrays, the fast way.

        >>> q.arrays("run00001", "train.loss").values.mean().item()
        2.0

        Raises:
            NotFoundError: no such run, or it has no such series.
        """
        with self.database.read() as connection:
            return read_arrays(connection, run_id, series)

    def predictions(self, run_id: str, split: str = "test") -> tuple[Prediction, ...]:
        """Return the predictions of a run on a split, in the order of the split.

        >>> [(row.sample_id, row.label, row.fusion) for row in q.predictions("run00001", "test")]
        [('a$_$0', 1.0, 0.25)]
        """
        with self.database.read() as connection:
            return list_predictions(connection, run_id, split)

    def jobs(
        self,
        states: Iterable[JobState] | None = None,
        ids: Iterable[int] | None = None,
        limit: int | None = None,
    ) -> tuple[Job, ...]:
        """Return jobs by id, of the given states and ids; with a limit, the newest.

        >>> [(job.id, job.name) for job in q.jobs(states=[JobState.QUEUED])]
        [(2, 'job 2')]
        """
        with self.database.read() as connection:
            return jobs.list_jobs(connection, states, ids, limit)

    def job(self, job_id: int) -> Job:
        """Return one job.

        >>> q.job(1).state.value
        'succeeded'

        Raises:
            NotFoundError: no such job.
        """
        with self.database.read() as connection:
            return jobs.get_job(connection, job_id)

    def groups(self) -> tuple[Group, ...]:
        """Return the groups with how many jobs of each state they have, newest first.

        >>> [(group.name, group.counts) for group in q.groups()]
        [('seeds', {'queued': 1})]
        """
        with self.database.read() as connection:
            return jobs.list_groups(connection)

    def workers(self, now: float | None = None) -> tuple[Worker, ...]:
        """Return the workers with their devices, newest first; `now` defaults to the clock.

        >>> [(worker.id, worker.state, len(worker.devices)) for worker in q.workers()]
        [('w1', 'stopped', 3)]
        """
        with self.database.read() as connection:
            return list_workers(connection, now=time.time() if now is None else now)

    def samples(self, worker_id: str, device: str, since: float = 0.0) -> tuple[Sample, ...]:
        """Return the use of a device after a moment, oldest first.

        >>> [sample.utilisation for sample in q.samples("w1", "cuda:0")]
        [0.5]
        """
        with self.database.read() as connection:
            return list_samples(connection, worker_id, device, since=since)

    def events(
        self,
        since_id: int = 0,
        job_id: int | None = None,
        run_id: str | None = None,
        limit: int | None = None,
    ) -> tuple[Event, ...]:
        """Return the events after `since_id`, oldest first; with a limit, the newest of them.

        >>> [event.to_state for event in q.events(job_id=1) if event.kind == "job"]
        ['queued', 'starting', 'running', 'succeeded']
        """
        with self.database.read() as connection:
            return list_events(
                connection, since_id=since_id, job_id=job_id, run_id=run_id, limit=limit
            )

    def checkpoints(self, run_id: str) -> tuple[Checkpoint, ...]:
        """Return the checkpoints of a run by attempt and step.

        >>> [(checkpoint.role, checkpoint.epoch) for checkpoint in q.checkpoints("run00001")]
        [('best', 1)]
        """
        with self.database.read() as connection:
            return list_checkpoints(connection, run_id)

    def sql(self, text: str) -> tuple[tuple[str, ...], tuple[Sequence[Any], ...]]:
        """Return column names and rows of one `SELECT`; anything that writes is refused.

        >>> q.sql("SELECT run_id, seed FROM run_summary")
        (('run_id', 'seed'), (('run00001', 1111),))

        Raises:
            DatabaseError: the text can't be run, or does more than read.
        """
        return read_sql(self.database, text)


def open(url: str | None = None) -> Query:  # noqa: A001 (reads as `query.open`)
    """Open the run database for questions.

    >>> with query.open() as q:
    ...     [job.id for job in q.jobs()]
    [1, 2]

    Args:
        url: of the database; None takes $SETGF_DATABASE_URL, else `setgf.db` in $SETGF_HOME or in
            the platform's user data folder.

    Raises:
        NotFoundError: there is no database.
    """
    return Query(open_database(url or default_url(), create=False))


def default_url() -> str:
    """Return the URL of this user's run database.

    >>> query.default_url()
    'sqlite:////users/ada/.local/share/setgf/setgf.db'
    """
    named = os.environ.get(URL_VARIABLE)
    if named:
        return named
    home = os.environ.get(HOME_VARIABLE)
    if home:
        return f"sqlite:///{Path(home).expanduser().absolute() / 'setgf.db'}"
    from platformdirs import user_data_path  # loaded only when no variable is set

    return f"sqlite:///{user_data_path('setgf', appauthor=False) / 'setgf.db'}"


def runs(
    where: str | None = None, sort: str | None = None, limit: int | None = None
) -> tuple[Run, ...]:
    """Return runs of this user's database; see `Query.runs`.

    >>> [run.id for run in query.runs("test.mae < 1 and has base", limit=10)]
    ['run00001']
    """
    with open() as query:
        return query.runs(where, sort, limit)


def points(run_id: str, series: str, max_points: int | None = None) -> Points:
    """Return one series of a run of this user's database; see `Query.points`.

    >>> query.points("run00001", "train.loss").values
    (3.0, 2.0, 1.0)
    """
    with open() as query:
        return query.points(run_id, series, max_points)


def predictions(run_id: str, split: str = "test") -> tuple[Prediction, ...]:
    """Return predictions of a run of this user's database; see `Query.predictions`.

    >>> [row.fusion for row in query.predictions("run00001")]
    [0.25]
    """
    with open() as query:
        return query.predictions(run_id, split)


def _find_run(connection: Connection, prefix: str) -> Run:
    ids = select(runs_table.c.id).where(func.substr(runs_table.c.id, 1, len(prefix)) == prefix)
    found = list(connection.execute(ids.order_by(runs_table.c.id)).scalars()) if prefix else []
    if prefix in found:
        found = [prefix]
    if not found:
        raise NotFoundError(f"There is no run `{prefix}`. `setgf runs list` shows all runs.")
    if len(found) > 1:
        few = ", ".join(f"`{one}`" for one in found[:_FEW])
        more = "" if len(found) <= _FEW else f" and {len(found) - _FEW} more"
        raise NotFoundError(
            f"`{prefix}` is the beginning of several runs: {few}{more}. Give more of the id."
        )
    return read_runs(connection, run_query().where(runs_table.c.id == found[0]))[0]
