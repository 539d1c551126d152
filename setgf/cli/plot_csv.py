"""The points behind a chart as CSV: all of them, none thinned."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from db.errors import NotFoundError
from setgf.cli.plot_lines import PlotOptions, read_lines

if TYPE_CHECKING:
    from db.query import Query
    from db.records import Run

POINT_COLUMNS = ("run", "name", "seed", "series", "step", "epoch", "time", "value")
MEAN_COLUMNS = ("group", "series", "x", "mean", "sd", "n")


def csv_lines(
    database: Query, runs: Sequence[Run], metrics: Sequence[str], options: PlotOptions
) -> Iterator[str]:
    """Yield the heading and a line a point; times are seconds since the epoch.

    Raises:
        NotFoundError: no run has points of a series.
    """
    rows = _means if options.is_mean else _points
    # Asked first: half a table and then an error would be worse than the error alone.
    for metric in metrics:
        read_lines(database, runs, metric, options)
    yield _line(MEAN_COLUMNS if options.is_mean else POINT_COLUMNS)
    for metric in metrics:
        for row in rows(database, runs, metric, options):
            yield _line(row)


def _points(
    database: Query, runs: Sequence[Run], metric: str, options: PlotOptions
) -> Iterator[Iterable[object]]:
    from tui.plotting.smoothing import smooth

    for run in runs:
        try:
            points = database.points(run.id, metric)
        except NotFoundError:
            continue
        values = smooth(np.asarray(points.values), options.smoothing).tolist()
        rows = zip(points.steps, points.epochs, points.times, values, strict=True)
        for step, epoch, at, value in rows:
            yield run.id, run.name, run.seed, metric, step, epoch, f"{at:.3f}", value


def _means(
    database: Query, runs: Sequence[Run], metric: str, options: PlotOptions
) -> Iterator[Iterable[object]]:
    for line in read_lines(database, runs, metric, options):
        band = line.band
        size = len(line.x)
        sds = np.full(size, np.nan) if band is None else (band.high - band.low) / 2
        numbers = np.ones(size, np.int64) if band is None else band.sizes
        values = line.y if line.smooth is None or line.smooth_x is not None else line.smooth
        for x, mean, sd, number in zip(line.x, values, sds, numbers, strict=True):
            yield line.label, metric, f"{x:g}", mean, "" if np.isnan(sd) else sd, number


def _line(values: Iterable[object]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(values)
    return out.getvalue()
