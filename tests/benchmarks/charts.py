"""Charts: repaint, follow, a million points, a thousand runs grouped.

    python -m tests.benchmarks.charts

The targets, of CPU: a repaint of 8 smoothed series on 200x50 at most 15 ms; a series of a million
points read through the gateway and drawn with its exact envelope in less than 500 ms; a thousand
runs grouped to bands in less than 3 s. Nothing is painted when nothing changed, and a growing curve
changes few cells.
"""

import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.style import Style
from textual.strip import Strip

from db.engine import Database, open_database
from db.jobs import add_attempt
from db.metrics import ingest
from db.records import Curve, Point
from db.runs import add_run
from db.upkeep import vacuum
from setgf.home import Home
from tests.benchmarks.table import heading, median, show
from tests.db.builders import NOW, new_attempt, new_run, running_job
from tui.database_gateway import DatabaseGateway
from tui.plotting.chart import View, draw
from tui.plotting.lines import XAxis
from tui.screens.curves import Cast, LineStore, Look, chart_data, step_windows
from tui.screens.curves import Style as Drawn
from tui.widgets.chart_strips import CellStrips, ChartData
from tui.widgets.repaint import changed_regions

NUM_POINTS, NUM_RUNS, POINTS_A_RUN = 1_000_000, 1_000, 500
WIDTH, HEIGHT = 200, 50
ROUNDS = 15
SPIKE_STEP, SPIKE = 777_777, 25.0
_BATCH = 50_000


def main() -> None:
    """Print CPU and wall milliseconds of everything a chart does."""
    rows = [*_repaints(), *_following()]
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        database = open_database(_path(home))
        rows += _million(home, database)
        rows += _thousand(home, database)
        database.close()
    show(["chart", "CPU ms", "worst", "wall ms", "target", ""], rows)


def _path(home: Home) -> str:
    return str(home.root / "setgf.db")


def _curve(number: int, points: int) -> Curve:
    chance = np.random.default_rng(number)
    steps = np.arange(1, points + 1, dtype=np.int64)
    fall = np.exp(-steps / 600) + 0.05 * number
    return Curve(
        run_id=f"run{number}",
        series="train.loss",
        steps=steps,
        epochs=steps // 100 + 1,
        values=fall + 0.1 * chance.standard_normal(points),
        times=np.asarray(NOW + steps * 0.2, dtype=np.float64),
        num_points=points,
    )


def _data(curves: list[Curve], store: LineStore, look: Look | None = None) -> ChartData:
    ids = [curve.run_id for curve in curves]
    cast = Cast(
        labels={run_id: f"setgf-mosi-{run_id}" for run_id in ids},
        slots={run_id: place for place, run_id in enumerate(ids)},
        groups={run_id: f"variant {place % 10}" for place, run_id in enumerate(ids)},
    )
    return chart_data("train.loss", curves, look or Look(), cast, store, is_growing=True)


def _view(window: tuple[float, float] | None = None) -> View:
    return View(width=WIDTH, height=HEIGHT - 4, window=window, is_growing=True)


def _repaints() -> list[list[str]]:
    """Measure whole repaints: another window each time, points to strips."""
    store, painter = LineStore(), CellStrips()
    curves = [_curve(number, 2_000) for number in range(8)]
    data = _data(curves, store)
    turn = iter(range(10_000))

    def paint() -> None:
        window = (1.0 + next(turn), 1_900.0)
        picture = draw(data.lines, _view(window))
        painter.strips(picture.cells, dark=True, ground=Style())

    def prepare() -> None:
        _data(curves, LineStore())

    same = draw(data.lines, _view()).cells

    def unchanged() -> None:
        painter.strips(same, dark=True, ground=Style())

    unchanged()
    return [
        _time("repaint, 8 smoothed series, 200x50", paint, "15"),
        _time("smoothing 8 series anew", prepare, ""),
        _time("the same cells again", unchanged, "", remark="no strip made"),
    ]


def _following() -> list[list[str]]:
    """Measure what 25 more points of each of 8 series change."""
    store, painter = LineStore(), CellStrips()
    whole = [_curve(number, 2_000) for number in range(8)]
    length = 1_200
    changed: list[int] = []

    def first(points: int) -> list[Curve]:
        return [
            Curve(
                run_id=curve.run_id,
                series=curve.series,
                steps=curve.steps[:points],
                epochs=curve.epochs[:points],
                values=curve.values[:points],
                times=curve.times[:points],
                num_points=points,
            )
            for curve in whole
        ]

    def look(points: int) -> list[Strip]:
        data = _data(first(points), store)
        picture = draw(data.lines, _view())
        return painter.strips(picture.cells, dark=True, ground=Style())

    strips = look(length)

    def follow() -> None:
        nonlocal length, strips
        length += 25
        before, strips = strips, look(length)
        regions = changed_regions(before, strips)
        changed.append(sum(region.width for region in regions))

    row = _time("25 more points of each of 8 series", follow, "")
    row[-1] = f"{median(changed):.0f} of {WIDTH * (HEIGHT - 4):,} cells sent"
    return [row]


def _million(home: Home, database: Database) -> list[list[str]]:
    """Measure a series of a million points from the gateway to the cells."""
    run_id = running_job(database).run_id
    chance = random.Random(0)
    for begin in range(0, NUM_POINTS, _BATCH):
        batch = [
            Point(
                series="train.loss",
                step=step,
                epoch=step // 10_000 + 1,
                value=SPIKE if step == SPIKE_STEP else chance.random(),
                time=NOW + step,
            )
            for step in range(begin + 1, begin + _BATCH + 1)
        ]
        with database.write(durable=False) as connection:
            ingest(connection, run_id, 1, batch, points_offset=28 * (begin + _BATCH))
    vacuum(database)
    exact: list[str] = []

    def whole() -> None:
        gateway = DatabaseGateway(_path(home), home)
        _check(gateway.read_curves([run_id], "train.loss"), None, exact)

    gateway = DatabaseGateway(_path(home), home)
    curves = gateway.read_curves([run_id], "train.loss")
    window = (770_000.0, 790_000.0)

    def zoomed() -> None:
        fresh = DatabaseGateway(_path(home), home)
        windows = step_windows(curves, XAxis.STEP, window)
        _check(fresh.read_curves([run_id], "train.loss", windows), window, exact)

    def again() -> None:
        gateway.read_curves([run_id], "train.loss")

    return [
        _time("1 M points, from a new gateway to cells", whole, "500", exact=exact),
        _time("the same, zoomed to 2 %, both readings", zoomed, "500", exact=exact),
        _time("the same, nothing new", again, "", remark="one look at its head"),
    ]


def _check(curves: tuple[Curve, ...], window: tuple[float, float] | None, exact: list[str]) -> None:
    data = _data(list(curves), LineStore(), Look(smoothing=0.9))
    picture = draw(data.lines, View(width=WIDTH, height=HEIGHT - 4, window=window))
    is_seen = picture.span[1] >= SPIKE and max(curves[0].values) == SPIKE
    exact.append(f"{curves[0].num_points:,} points, spike {'seen' if is_seen else 'LOST'}")


def _thousand(home: Home, database: Database) -> list[list[str]]:
    """Measure a thousand runs averaged in ten groups."""
    chance = random.Random(1)
    ids: list[str] = []
    for number in range(NUM_RUNS):
        run_id = f"many{number:04}"
        ids.append(run_id)
        batch = [
            Point(series="train.loss", step=s, epoch=1, value=chance.random(), time=NOW + s)
            for s in range(1, POINTS_A_RUN + 1)
        ]
        with database.write(durable=False) as connection:
            add_run(connection, new_run(run_id))
            add_attempt(connection, new_attempt(run_id))
            ingest(connection, run_id, 1, batch, points_offset=28 * POINTS_A_RUN)

    def grouped() -> None:
        gateway = DatabaseGateway(_path(home), home)
        curves = list(gateway.read_curves(ids, "train.loss"))
        data = _data(curves, LineStore(), Look(style=Drawn.BANDS))
        draw(data.lines, View(width=WIDTH, height=HEIGHT - 4))

    return [_time("1,000 runs of 500 points to 10 bands", grouped, "3000", rounds=5)]


def _time(
    name: str,
    call: Callable[[], object],
    target: str,
    *,
    rounds: int = ROUNDS,
    remark: str = "",
    exact: list[str] | None = None,
) -> list[str]:
    call()
    cpu: list[float] = []
    wall: list[float] = []
    for _ in range(rounds):
        started, used = time.perf_counter(), time.process_time()
        call()
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - used)
    figures = (median(cpu), max(cpu), median(wall))
    said = exact[-1] if exact else remark
    return [name, *(f"{1e3 * value:.2f}" for value in figures), target, said]


if __name__ == "__main__":
    heading("charts", __doc__ or "")
    main()
