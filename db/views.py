"""Views for people with plain SQL: `run_summary`, `leaderboard`, `queue`, `point`.

They are made anew after every migration, so they always fit the tables.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from db.series_names import METRICS


def create(connection: Connection) -> None:
    """Make every view."""
    for name, query in _queries().items():
        connection.exec_driver_sql(f"CREATE VIEW {name} AS {query}")


def drop(connection: Connection) -> None:
    """Remove every view that is there; the ones that stand on others first."""
    for name in reversed(list(_queries())):
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")


def _queries() -> Mapping[str, str]:
    return {
        "run_summary": _run_summary(),
        "leaderboard": _leaderboard(),
        "queue": _QUEUE,
        "point": _POINT,
    }


def _run_summary() -> str:
    """One row a run not in the trash: what was run, how it stands, its test metrics as columns."""
    values = ",\n".join(
        f"(SELECT value FROM final_metrics WHERE run_id = runs.id AND name = 'test.{name}') "
        f"AS {name}"
        for name in METRICS
    )
    return f"""
SELECT runs.id AS run_id, runs.name, runs.state, runs.job_id, groups.name AS group_name,
  runs.dataset, runs.data_name, runs.model, runs.seed, runs.variant, runs.fingerprint,
  runs.attempt, runs.epoch, runs.max_epochs, runs.step, runs.monitor, runs.best_epoch,
  runs.best_valid, runs.archived, runs.note, runs.code_commit, runs.host, runs.device,
  runs.created_at, runs.started_at, runs.finished_at,
  COALESCE(runs.finished_at, runs.updated_at) - runs.started_at AS duration_seconds,
  runs.error,
  {values}
FROM runs LEFT JOIN groups ON groups.id = runs.group_id
WHERE runs.trashed_at IS NULL"""


def _leaderboard() -> str:
    """One row a variant: mean and standard deviation over its finished seeds."""
    means = ",\n".join(
        f"AVG({name}) OVER (PARTITION BY dataset, data_name, variant) AS {name}_mean"
        for name in METRICS
    )
    columns = ",\n".join(
        f"AVG({name}) AS {name},\n"
        f"SQRT(SUM(({name} - {name}_mean) * ({name} - {name}_mean)) "
        f"/ NULLIF(COUNT({name}) - 1, 0)) AS {name}_sd"
        for name in METRICS
    )
    return f"""
SELECT dataset, data_name, model, variant, COUNT(DISTINCT seed) AS seeds, COUNT(*) AS runs,
  {columns}
FROM (
  SELECT run_summary.*, {means}
  FROM run_summary WHERE state = 'succeeded' AND NOT archived
) AS finished
GROUP BY dataset, data_name, model, variant"""


_QUEUE = """
SELECT jobs.id AS job_id, jobs.run_id, groups.name AS group_name, jobs.name, jobs.state,
  jobs.reason, jobs.priority, jobs.position, jobs.not_before, jobs.dataset, jobs.data_name,
  jobs.model, jobs.seed, jobs.gpus, jobs.attempt, jobs.max_attempts,
  COALESCE(runs.epoch, 0) AS epoch, jobs.max_epochs, jobs.worker_id, jobs.lease_until,
  jobs.created_at, jobs.started_at, jobs.finished_at, jobs.error
FROM jobs LEFT JOIN groups ON groups.id = jobs.group_id LEFT JOIN runs ON runs.id = jobs.run_id"""

_POINT = """
SELECT series.run_id, series.split, series.branch, series.name, points.attempt, points.step,
  points.epoch, points.value, CAST(points.time_ms AS DOUBLE PRECISION) / 1000 AS time
FROM points JOIN series ON series.id = points.series_id"""
