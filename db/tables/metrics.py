"""What training logged: series with their summaries, points, the zoom pyramid, predictions."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, Named, String, Table, TypedColumns
from sqlalchemy import UniqueConstraint as Unique

from db.tables.base import WIDE, metadata


class SeriesColumns(TypedColumns):
    """One curve of one run, with all that the run list wants of it. Null values are NaN."""

    id = Column(Integer, primary_key=True)
    run_id: Named[str] = Column(ForeignKey("runs.id", ondelete="CASCADE"), nullable=False)
    split: Named[str]
    branch: Named[str]
    name: Named[str]
    first_step: Named[int | None]
    last: Named[float | None]
    last_step: Named[int | None]
    last_epoch: Named[int | None]
    last_time: Named[float | None]
    minimum: Named[float | None]
    minimum_step: Named[int | None]
    maximum: Named[float | None]
    maximum_step: Named[int | None]
    num_points: Named[int]
    """The non-finite ones included."""
    non_finite: Named[int]


class PointColumns(TypedColumns):
    """One logged value; about 31 bytes in an SQLite file, pyramid included. Null is NaN."""

    series_id = Column(Integer, ForeignKey("series.id", ondelete="CASCADE"), primary_key=True)
    attempt = Column(Integer, primary_key=True, autoincrement=False)
    step = Column(Integer, primary_key=True, autoincrement=False)
    epoch: Named[int]
    value: Named[float | None]
    time_ms: Named[int] = Column(WIDE, nullable=False)
    """Milliseconds since the epoch, whole: two bytes less than a float in an SQLite file."""


class PyramidColumns(TypedColumns):
    """Exact digest of the points with `step >> level == bucket`, and where its ends lie."""

    series_id = Column(Integer, ForeignKey("series.id", ondelete="CASCADE"), primary_key=True)
    level = Column(Integer, primary_key=True, autoincrement=False)
    bucket = Column(Integer, primary_key=True, autoincrement=False)
    minimum: Named[float | None]
    minimum_step: Named[int | None]
    maximum: Named[float | None]
    maximum_step: Named[int | None]
    total: Named[float]
    """Sum of the finite values."""
    num_points: Named[int]
    """The non-finite ones included."""
    non_finite: Named[int]


class PredictionColumns(TypedColumns):
    """Scores of every branch for one sample, in the order of the split."""

    run_id = Column(String, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    split = Column(String, primary_key=True)
    position = Column(Integer, primary_key=True, autoincrement=False)
    sample_id: Named[str]
    label: Named[float | None]
    fusion: Named[float | None]
    text: Named[float | None]
    audio: Named[float | None]
    vision: Named[float | None]


series = Table("series", metadata, SeriesColumns, Unique("run_id", "split", "branch", "name"))
points = Table("points", metadata, PointColumns, sqlite_with_rowid=False)
pyramid = Table("pyramid", metadata, PyramidColumns, sqlite_with_rowid=False)
predictions = Table("predictions", metadata, PredictionColumns, sqlite_with_rowid=False)
