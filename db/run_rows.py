"""Reading runs: rows of several tables become `Run` and `RunDetail`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from db.checkpoints import list_artifacts, list_checkpoints
from db.jobs.attempts import list_attempts
from db.records import JobState, Run, RunDetail, SeriesSummary
from db.rows import tags_of, to_float
from db.series_names import join_name
from db.tables import final_metrics, groups, runs, series

_LEFT_OUT = ("environment", "code_diff", "command")
_COLUMNS = tuple(column for column in runs.c if column.name not in _LEFT_OUT)
_NAMES = (*(column.name for column in _COLUMNS), "group_name")
_MANY = 500
"""More runs than this: read the tags and metrics of all runs instead of naming each."""


def run_query() -> Select[Any]:
    """Return the query whose rows `read_runs` takes; add where, order and limit."""
    source = runs.outerjoin(groups, groups.c.id == runs.c.group_id)
    return select(*_COLUMNS, groups.c.name.label("group_name")).select_from(source)


def read_runs(connection: Connection, query: Select[Any]) -> tuple[Run, ...]:
    """Return the runs of a `run_query`."""
    rows = connection.execute(query).all()
    ids = [row.id for row in rows]
    chosen: list[str] | Select[str] = ids if len(ids) <= _MANY else select(runs.c.id)
    tags = tags_of(connection, chosen)
    metrics = _metrics_of(connection, chosen)
    return tuple(_run(row, tags.get(row.id, ()), metrics.get(row.id, {})) for row in rows)


def read_detail(connection: Connection, run: Run) -> RunDetail:
    """Return a run with everything stored of it but its points."""
    row = connection.execute(
        select(runs.c.environment, runs.c.code_diff, runs.c.command).where(runs.c.id == run.id)
    ).one()
    return RunDetail(
        run=run,
        environment=row.environment,
        code_diff=row.code_diff,
        command=tuple(row.command),
        attempts=list_attempts(connection, run.id),
        summaries=_summaries(connection, run.id),
        checkpoints=list_checkpoints(connection, run.id),
        artifacts=list_artifacts(connection, run.id),
    )


def _metrics_of(
    connection: Connection, run_ids: list[str] | Select[str]
) -> Mapping[str, Mapping[str, float]]:
    query = select(final_metrics.c.run_id, final_metrics.c.name, final_metrics.c.value)
    found: dict[str, dict[str, float]] = {}
    for run_id, name, value in connection.execute(query.where(final_metrics.c.run_id.in_(run_ids))):
        found.setdefault(run_id, {})[name] = math.nan if value is None else value
    return found


def _summaries(connection: Connection, run_id: str) -> Mapping[str, SeriesSummary]:
    query = select(*series.c).where(series.c.run_id == run_id, series.c.num_points > 0)
    found = {
        join_name(row.split, row.branch, row.name): SeriesSummary(
            last=to_float(row.last),
            last_step=row.last_step,
            minimum=to_float(row.minimum),
            maximum=to_float(row.maximum),
            count=row.num_points,
            non_finite=row.non_finite,
        )
        for row in connection.execute(query)
    }
    return dict(sorted(found.items()))


def _run(row: Row[Any], tags: tuple[str, ...], metrics: Mapping[str, float]) -> Run:
    values = dict(zip(_NAMES, row, strict=True))
    values["state"] = JobState(values["state"])
    return Run(**values, tags=tags, metrics=metrics)
