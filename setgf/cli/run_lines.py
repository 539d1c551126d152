"""Runs of a database as plain records: what is exported, and what an import of a database takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from setgf.runs.exchange import FORMAT, OPTIONAL_FIELDS, POINTS_A_LINE, RUN_FIELDS

if TYPE_CHECKING:
    from db.query import Query
    from db.records import Run, RunDetail

Record = dict[str, Any]


def all_of(query: Query, runs: Iterable[Run]) -> Iterator[Record]:
    """Yield everything of runs, in the form of `setgf.runs.exchange`, one run after the other."""
    for run in runs:
        yield run_line(query.detail(run.id))
        yield from _points_lines(query, run.id)
        for split in splits_of(query, run.id):
            rows = [
                [row.sample_id, row.label, row.fusion, row.text, row.audio, row.vision]
                for row in query.predictions(run.id, split)
            ]
            yield {"kind": "predictions", "run_id": run.id, "split": split, "rows": rows}


def run_line(detail: RunDetail) -> Record:
    """Return a run without its points and predictions."""
    run = detail.run
    special = {
        "state": str(run.state),
        "command": list(detail.command),
        "tags": list(run.tags),
        "environment": dict(detail.environment),
        "code": {
            "commit": run.code_commit,
            "dirty": run.code_dirty,
            "diff": detail.code_diff,
        },
    }
    names = (*RUN_FIELDS, *OPTIONAL_FIELDS)
    values = {name: special[name] if name in special else getattr(run, name) for name in names}
    return {"kind": "run", "format": FORMAT, **values}


def points_of(query: Query, runs: Iterable[Run]) -> Iterator[Record]:
    """Yield every point of runs, a record each."""
    for run in runs:
        for series in query.series(run.id):
            points = query.points(run.id, series)
            columns = zip(points.steps, points.epochs, points.values, points.times, strict=True)
            for step, epoch, value, time in columns:
                yield {
                    "run_id": run.id,
                    "series": series,
                    "step": step,
                    "epoch": epoch,
                    "value": value,
                    "time": time,
                }


def predictions_of(query: Query, runs: Iterable[Run]) -> Iterator[Record]:
    """Yield every prediction of runs, a record each, in the order of the splits."""
    for run in runs:
        for split in splits_of(query, run.id):
            for row in query.predictions(run.id, split):
                yield {
                    "run_id": run.id,
                    "split": split,
                    "sample_id": row.sample_id,
                    "label": row.label,
                    "prediction": row.fusion,
                    "text": row.text,
                    "audio": row.audio,
                    "vision": row.vision,
                }


def settings_of(runs: Iterable[Run]) -> Iterator[Record]:
    """Yield every setting of runs, a record each."""
    from setgf.config.settings import flatten_plain

    for run in runs:
        for name, value in flatten_plain(run.config).items():
            yield {"run_id": run.id, "setting": name, "value": _text(value)}


def flat_runs(runs: Iterable[Run]) -> Iterator[Record]:
    """Yield runs as flat records: columns, `config.<setting>` and `metrics.<name>`."""
    from setgf.config.settings import flatten_plain

    for run in runs:
        plain: Record = {
            name: getattr(run, name)
            for name in run.__dataclass_fields__
            if name not in ("config", "metrics", "tags", "state", "trashed_at")
        }
        plain |= {"state": str(run.state), "tags": ",".join(run.tags)}
        plain |= {f"config.{name}": _text(v) for name, v in flatten_plain(run.config).items()}
        yield plain | {f"metrics.{name}": value for name, value in run.metrics.items()}


def splits_of(query: Query, run_id: str) -> tuple[str, ...]:
    """Return the splits a run has predictions on."""
    from sqlalchemy import select

    from db.tables import predictions

    chosen = select(predictions.c.split).where(predictions.c.run_id == run_id).distinct()
    with query.database.read() as connection:
        return tuple(sorted(connection.execute(chosen).scalars()))


def _points_lines(query: Query, run_id: str) -> Iterator[Record]:
    for series in query.series(run_id):
        points = query.points(run_id, series)
        for begin in range(0, len(points.steps), POINTS_A_LINE):
            part = slice(begin, begin + POINTS_A_LINE)
            yield {
                "kind": "points",
                "run_id": run_id,
                "series": series,
                "steps": points.steps[part],
                "epochs": points.epochs[part],
                "values": points.values[part],
                "times": points.times[part],
            }


def _text(value: Any) -> Any:
    """Return a setting as one cell: lists of names as they are typed."""
    return ",".join(map(str, value)) if isinstance(value, list) else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
