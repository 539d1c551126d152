"""The list of runs from the run database, fast: what changed since the last look is read, no more.

A file that is as this version wants it is read by the standard library, so that the first frame
does not wait for SQLAlchemy; everything else goes through the engine, which waits, upgrades, or
says what is wrong.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from db.errors import FilterError
from db.filter_names import COLUMNS, Execute
from db.job_list import STALE_SECONDS
from db.migrations import SCHEMA_VERSION
from db.records import JobState, Run
from db.run_list import Choice, list_rows, list_runs
from db.sqlite import header_version
from db.statements import file_connection, file_path
from tui.gateway import FilterProblem
from tui.gateway_runs import RunNames
from tui.records import Counts
from tui.settings import Remembered, settings_path
from tui.sources.access import DatabaseAccess

MAX_CHANGED = 300
"""More changed runs than this: reading all of them is faster than naming each."""
MAX_VALUES = 100


class RunReading(DatabaseAccess):
    """Reads the list of runs."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.remembered = Remembered(
            settings_path(self.home), self.place, writes=not self.read_only
        )
        self._has_worker = True
        """False when no worker is alive; as of the last count."""
        self._runs: dict[str, Run] = {}
        """All runs read so far, by id."""
        self._watcher: sqlite3.Connection | None = None
        """Tells of changes before the engine is open."""
        self._watched: tuple[int, int] | None = None
        self._watching = threading.Lock()

    def version(self) -> int:
        """Return a number that changes whenever anything stored changed."""
        if self._query is None:
            version = self._file_version()
            if version is not None:
                return version
        with self.reading() as query:  # looks at the schema, too
            return (self._num_openings << 48) + query.database.data_version()

    def _file_version(self) -> int | None:
        """Return a negative number as long as the engine is not needed; None where it is."""
        path = file_path(self.url)
        with self._watching:
            try:
                status = path.stat() if path is not None else None
                identity = None if status is None else (status.st_dev, status.st_ino)
                if self._watcher is None or identity != self._watched:
                    self._close_watcher()
                    self._watcher = file_connection(self.url, read_only=True)
                    self._watched = identity
                if self._watcher is None:
                    return None
                (version,) = self._watcher.execute("PRAGMA data_version").fetchone()
                if header_version(self._watcher) != SCHEMA_VERSION:
                    self._close_watcher()
                    return None
            except (OSError, sqlite3.Error):
                self._close_watcher()
                return None
            return -int(version) - (hash(identity) & 0xFFFF) * 2**32

    def _close_watcher(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.close()

    def close(self) -> None:
        """Close the database; the next read opens it again."""
        with self._watching:
            self._close_watcher()
        super().close()

    def counts(self) -> Counts:
        """Return the counts of the header."""
        since = {"since": self.clock() - STALE_SECONDS}
        jobs, runs, workers = self.ask(
            lambda execute, _: (
                execute("SELECT state, count(*) FROM jobs GROUP BY state", {}),
                execute("SELECT count(*) FROM runs WHERE NOT archived AND trashed_at IS NULL", {}),
                execute(
                    "SELECT count(*) FROM workers WHERE state = 'alive' AND heartbeat_at >= :since",
                    since,
                ),
            )
        )
        by_state = {JobState(state): int(number) for state, number in jobs}
        self._has_worker = bool(workers[0][0])
        return Counts(
            waiting=by_state.get(JobState.QUEUED, 0),
            running=sum(number for state, number in by_state.items() if state.is_live),
            failed=by_state.get(JobState.FAILED, 0) + by_state.get(JobState.LOST, 0),
            workers=int(workers[0][0]),
            runs=int(runs[0][0]),
        )

    def list_runs(self, where: str = "", *, archived: bool = False) -> tuple[Run, ...]:
        """Return the runs that match a filter expression, newest first."""
        choice = {"where": where or None, "archived": archived}
        try:
            found = self.ask(lambda execute, dialect: self._changes(execute, dialect, choice))
        except FilterError as error:
            raise FilterProblem(str(error)) from error
        ids, changed = found
        self._runs |= {run.id: run for run in changed}
        return tuple(self._runs[run_id] for run_id in ids)

    def list_series(self, run_ids: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the series that any of the runs has, sorted."""
        return self.ask(lambda execute, _: _series_of(execute, run_ids))

    def read_values(
        self, run_ids: Sequence[str], names: Sequence[str]
    ) -> Mapping[str, Mapping[str, Any]]:
        """Return settings and metrics by run id and name."""
        return self.ask(lambda execute, dialect: _values(execute, dialect, run_ids, names))

    def list_names(self) -> RunNames:
        """Return the names of all settings, metrics and tags."""
        return self.ask(lambda execute, _: _names(execute))

    def list_values(self, name: str) -> tuple[str, ...]:
        """Return the values that runs have under a name, as one types them."""
        return self.ask(lambda execute, _: _values_of(execute, name))

    def _changes(
        self, execute: Execute, dialect: str, choice: Mapping[str, Any]
    ) -> tuple[list[str], list[Run]]:
        """Return the ids in their order, and the runs that are not known as they are now."""
        rows = list_rows(execute, ("id", "updated_at"), Choice(**choice, dialect=dialect))
        known = self._runs
        changed = [
            run_id
            for run_id, updated_at in rows
            if run_id not in known
            or known[run_id].updated_at != updated_at
            or known[run_id].state.is_live
        ]
        ids = None if len(changed) > MAX_CHANGED else tuple(changed)
        if not changed:
            return [row[0] for row in rows], []
        which = (
            Choice(**choice, dialect=dialect)
            if ids is None
            else Choice(ids=ids, archived=True, dialect=dialect)
        )
        read = [_run(one) for one in list_runs(execute, which)]
        here = {*known, *(run.id for run in read)}
        # A run that went to the trash between the two reads is left out.
        return [row[0] for row in rows if row[0] in here], read


def _run(plain: dict[str, Any]) -> Run:
    plain["state"] = JobState(plain["state"])
    return Run(**plain)


def _values(
    execute: Execute, dialect: str, run_ids: Sequence[str], names: Sequence[str]
) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {run_id: {} for run_id in run_ids}
    ids = None if len(run_ids) > MAX_CHANGED else tuple(run_ids)
    choice = Choice(ids=ids, archived=True, dialect=dialect)
    for name in names:
        try:
            rows = list_rows(execute, ("id", name), choice)
        except FilterError:  # remembered, and no run has it any more
            continue
        for run_id, value in rows:
            if value is not None and run_id in found:
                found[run_id][name] = value
    return found


def _series_of(execute: Execute, run_ids: Sequence[str]) -> tuple[str, ...]:
    from db.series_names import join_name

    query = "SELECT DISTINCT split, branch, name FROM series WHERE num_points > 0"
    values: dict[str, str] = {}
    if len(run_ids) <= MAX_CHANGED:
        values = {f"run{place}": run_id for place, run_id in enumerate(run_ids)}
        query += f" AND run_id IN ({', '.join(f':{name}' for name in values) or 'NULL'})"
    return tuple(sorted(join_name(*row) for row in execute(query, values)))


def _names(execute: Execute) -> RunNames:
    from db.series_names import join_name

    settings = execute("SELECT DISTINCT name FROM settings", {})
    series = execute("SELECT DISTINCT split, branch, name FROM series WHERE num_points > 0", {})
    final = execute("SELECT DISTINCT name FROM final_metrics", {})
    tags = execute("SELECT DISTINCT tag FROM tags", {})
    return RunNames(
        settings=tuple(sorted(str(row[0]) for row in settings)),
        metrics=tuple(sorted({*(str(row[0]) for row in final), *(join_name(*r) for r in series)})),
        tags=tuple(sorted(str(row[0]) for row in tags)),
    )


def _values_of(execute: Execute, name: str) -> tuple[str, ...]:
    if name in ("tag", "tags"):
        rows = execute(f"SELECT DISTINCT tag FROM tags ORDER BY tag LIMIT {MAX_VALUES}", {})
    elif name in COLUMNS:
        sql = COLUMNS[name].sql
        order = f"ORDER BY count(*) DESC LIMIT {MAX_VALUES}"
        query = f"SELECT {sql} FROM runs WHERE trashed_at IS NULL GROUP BY 1 {order}"
        rows = execute(query, {})
    else:
        query = (
            "SELECT text FROM settings WHERE name = :name GROUP BY text "
            f"ORDER BY count(*) DESC LIMIT {MAX_VALUES}"
        )
        rows = execute(query, {"name": name})
    return tuple(str(row[0]) for row in rows if row[0] is not None and str(row[0]))
