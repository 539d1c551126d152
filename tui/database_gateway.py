"""The gateway over the run database, the run folders and the feature stores.

Loads the database layer at the first read, in the reading thread, so that the first frame does not
wait for it. After an error the database is opened anew at the next read: whatever was wrong with it
may have been mended meanwhile.
"""

from __future__ import annotations

import getpass
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from db.errors import DatabaseError, FilterError, JobStateError, NotFoundError
from db.records import Event, Job, JobState, Points, Prediction, Run, RunDetail, Worker
from setgf.errors import SetgfError
from setgf.home import Home
from tui.compare_source import compare_runs
from tui.gateway import FilterProblem, GatewayError, MissingError
from tui.records import CompareBody, Counts, LogText, StoreFacts
from tui.store_source import read_stores, read_transcripts

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from db.query import Query

EVENT_LIMIT = 500
FORGET_WORKERS_SECONDS = 24 * 3600


class DatabaseGateway:
    """Reads and acts through `db`; safe to be used from several threads."""

    def __init__(
        self,
        url: str,
        home: Home,
        *,
        read_only: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url, self._home, self._clock = url, home, clock
        self._is_read_only = read_only
        self._query: Query | None = None
        self._lock = threading.Lock()
        self._runs: dict[str, Run] = {}
        self._has_worker = True

    @property
    def place(self) -> str:
        """Where the run database is; without the password of a server."""
        if "://" not in self._url or self._url.startswith("sqlite"):
            return self._url.partition(":///")[2] or self._url
        scheme, _, rest = self._url.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"

    @property
    def read_only(self) -> bool:
        """True where every action is refused."""
        return self._is_read_only

    # Reading

    def version(self) -> int:
        """Return a number that changes whenever anything stored changed."""
        with self._reading() as query:
            return query.database.data_version()

    def counts(self) -> Counts:
        """Return the counts of the header."""
        with self._reading() as query:
            _, jobs = query.sql("SELECT state, count(*) FROM jobs GROUP BY state")
            _, runs = query.sql("SELECT count(*) FROM runs WHERE NOT archived")
            workers = query.workers(self._clock())
        by_state = {JobState(state): int(number) for state, number in jobs}
        alive = sum(worker.state == "alive" for worker in workers)
        self._has_worker = alive > 0
        return Counts(
            waiting=by_state.get(JobState.QUEUED, 0),
            running=sum(number for state, number in by_state.items() if state.is_live),
            failed=by_state.get(JobState.FAILED, 0) + by_state.get(JobState.LOST, 0),
            workers=alive,
            runs=int(runs[0][0]),
        )

    def list_runs(self, where: str = "") -> tuple[Run, ...]:
        """Return the runs that match a filter expression, newest first."""
        with self._reading() as query:
            try:
                runs = query.runs(where or None)
            except FilterError as error:
                raise FilterProblem(str(error)) from error
        self._runs |= {run.id: run for run in runs}
        return runs

    def run_detail(self, run_id: str) -> RunDetail | None:
        """Return a run with all stored of it; None when there is no such run."""
        with self._reading() as query:
            try:
                detail = query.detail(run_id)
            except NotFoundError:
                return None
        self._runs[detail.run.id] = detail.run
        return detail

    def list_series(self, run_ids: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the series that any of the runs has, sorted."""
        with self._reading() as query:
            names = {name for run_id in run_ids for name in query.series(run_id)}
        return tuple(sorted(names))

    def read_points(
        self, run_ids: Sequence[str], series: str, max_points: int
    ) -> tuple[Points, ...]:
        """Return a series of several runs, extremes kept; runs without it are left out."""
        found: list[Points] = []
        with self._reading() as query:
            for run_id in run_ids:
                points = self._tail(run_id, series)
                if points is None:
                    try:
                        points = query.points(run_id, series, max_points)
                    except NotFoundError:
                        continue
                found.append(points)
        return tuple(found)

    def _tail(self, run_id: str, series: str) -> Points | None:
        """Read a live run's points from its folder where no worker takes them to the database."""
        run = self._runs.get(run_id)
        if self._has_worker or run is None or not run.state.is_live:
            return None
        from setgf.runs.folder import RunFolder
        from setgf.runs.reader import read_points

        try:
            read = read_points(RunFolder(Path(run.folder)), series)
        except (SetgfError, OSError):
            return None
        if not read:
            return None
        return Points(
            run_id=run_id,
            series=series,
            steps=tuple(point.step for point in read),
            epochs=tuple(point.epoch for point in read),
            values=tuple(point.value for point in read),
            times=tuple(point.time for point in read),
        )

    def list_jobs(self) -> tuple[Job, ...]:
        """Return all jobs."""
        with self._reading() as query:
            return query.jobs()

    def list_workers(self) -> tuple[Worker, ...]:
        """Return workers that are alive or were lately, with their devices."""
        now = self._clock()
        with self._reading() as query:
            workers = query.workers(now)
        return tuple(w for w in workers if now - w.heartbeat_at < FORGET_WORKERS_SECONDS)

    def list_events(self, run_id: str) -> tuple[Event, ...]:
        """Return what happened to a run and its job, oldest first."""
        run = self._runs.get(run_id)
        with self._reading() as query:
            events = set(query.events(run_id=run_id, limit=EVENT_LIMIT))
            if run is not None and run.job_id is not None:
                events |= set(query.events(job_id=run.job_id, limit=EVENT_LIMIT))
        return tuple(sorted(events, key=lambda event: event.id))

    def read_log(self, run_id: str, max_bytes: int) -> LogText:
        """Return the end of the newest attempt's log."""
        run = self._runs.get(run_id)
        if run is None or not run.attempt:
            return LogText(path="", lines=())
        path = Path(run.folder) / f"a{run.attempt}" / "log.txt"
        from setgf.worker.logs import read_end

        try:
            lines, is_cut = read_end(path, max_bytes)
        except FileNotFoundError:
            return LogText(path=str(path), lines=())
        except OSError as error:
            return LogText(path=str(path), lines=(f"The log can't be read: {error.strerror}.",))
        return LogText(path=str(path), lines=_without_end(lines), is_cut=is_cut)

    def list_predictions(self, run_id: str, split: str) -> tuple[Prediction, ...]:
        """Return the stored predictions of a split."""
        with self._reading() as query:
            return query.predictions(run_id, split)

    def list_transcripts(self, data_name: str, split: str) -> dict[str, str]:
        """Return transcripts by sample id; empty when the feature store is not here."""
        return read_transcripts(self._home, data_name, split)

    def compare(self, choice: str) -> CompareBody:
        """Return the comparison for a feature store."""
        return compare_runs(self._home, self.list_runs(), choice)

    def list_stores(self) -> tuple[StoreFacts, ...]:
        """Return the feature stores of this machine."""
        return read_stores(self._home)

    # Doing

    def cancel_jobs(self, job_ids: Sequence[int]) -> str:
        """Cancel jobs."""
        from db import jobs

        done = self._change(lambda c, now: jobs.cancel(c, job_ids, self._actor(), now))
        stopping = sum(job.state.is_live for job in done)
        waiting = f"; {stopping} will stop in a moment" if stopping else ""
        return f"Cancelled {_names(done)}{waiting}."

    def retry_jobs(self, job_ids: Sequence[int]) -> str:
        """Queue jobs again."""
        from db import jobs

        done = self._change(lambda c, now: jobs.retry(c, job_ids, self._actor(), now))
        return f"Queued {_names(done)} again."

    def hold_jobs(self, job_ids: Sequence[int]) -> str:
        """Keep queued jobs from starting."""
        from db import jobs

        done = self._change(lambda c, now: jobs.hold(c, job_ids, self._actor(), now))
        return f"Held {_names(done)}."

    def release_jobs(self, job_ids: Sequence[int]) -> str:
        """Let held jobs start."""
        from db import jobs

        done = self._change(lambda c, now: jobs.release(c, job_ids, self._actor(), now))
        return f"Released {_names(done)}."

    def archive_runs(self, run_ids: Sequence[str], *, archived: bool) -> str:
        """Put runs away, or take them back."""
        from db import runs

        def change(connection: Connection, now: float) -> tuple[Job, ...]:
            for run_id in run_ids:
                runs.archive(connection, run_id, actor=self._actor(), now=now, archived=archived)
            return ()

        self._change(change)
        verb = "Put away" if archived else "Took back"
        return f"{verb} {len(run_ids)} run{'' if len(run_ids) == 1 else 's'}."

    def tag_runs(self, run_ids: Sequence[str], tag: str, *, present: bool) -> str:
        """Add or remove a tag."""
        from db import runs

        change_tag = runs.add_tag if present else runs.remove_tag

        def change(connection: Connection, now: float) -> tuple[Job, ...]:
            for run_id in run_ids:
                change_tag(connection, run_id, tag, actor=self._actor(), now=now)
            return ()

        self._change(change)
        return f"Tagged `{tag}`." if present else f"Took tag `{tag}` off."

    def _change(self, change: Callable[[Connection, float], tuple[Job, ...]]) -> tuple[Job, ...]:
        if self._is_read_only:
            raise GatewayError("This dashboard is read-only. Start it without `--read-only`.")
        with self._reading() as query, query.database.write() as connection:
            return change(connection, self._clock())

    def _actor(self) -> str:
        try:
            return getpass.getuser()
        except (OSError, KeyError):
            return "dashboard"

    # The database

    @contextmanager
    def _reading(self) -> Generator[Query]:
        """Give the open database; say in sentences of ours what goes wrong with it."""
        query: Query | None = None
        try:
            query = self._open()
            yield query
        except JobStateError as error:
            raise GatewayError(str(error)) from error
        except DatabaseError as error:
            is_missing = isinstance(error, NotFoundError) and query is None
            self._close()
            raise (MissingError if is_missing else GatewayError)(str(error)) from error

    def _open(self) -> Query:
        from db.engine import open_database
        from db.query import Query

        with self._lock:
            if self._query is None:
                database = open_database(self._url, read_only=self._is_read_only, create=False)
                self._query = Query(database)
            return self._query

    def _close(self) -> None:
        with self._lock:
            if self._query is not None:
                self._query.close()
                self._query = None


def _names(jobs: Sequence[Job]) -> str:
    few = ", ".join(str(job.id) for job in jobs[:5])
    more = f" and {len(jobs) - 5} more" if len(jobs) > 5 else ""
    return f"job{'' if len(jobs) == 1 else 's'} {few}{more}"


def _without_end(lines: list[str]) -> tuple[str, ...]:
    """Return the lines without the empty one after the last line break."""
    return tuple(lines[:-1] if lines and not lines[-1] else lines)
