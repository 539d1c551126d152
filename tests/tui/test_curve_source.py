"""Curves through the real gateway: nothing is read twice, and growth costs only what is new."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from db.engine import Database, open_database
from db.jobs import add_attempt
from db.metrics import ingest, supersede
from db.records import Curve, Point
from setgf.home import Home
from tests.db.builders import NOW, new_attempt, running_job
from tui.database_gateway import DatabaseGateway
from tui.plotting.lines import XAxis
from tui.screens.curves import step_windows
from tui.sources import curves as source

NAME = "train.loss"


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return open_database(str(tmp_path / "setgf.db"))


@pytest.fixture
def gateway(tmp_path: Path, database: Database) -> DatabaseGateway:
    del database
    return DatabaseGateway(str(tmp_path / "setgf.db"), Home(tmp_path))


def grow(database: Database, run_id: str, values: list[float], first: int) -> None:
    points = [
        Point(series=NAME, step=step, epoch=1, value=value, time=NOW + step)
        for step, value in enumerate(values, first)
    ]
    with database.write(durable=False) as connection:
        ingest(connection, run_id, 1, points, points_offset=28 * (first + len(points)))


def read(gateway: DatabaseGateway, run_id: str) -> Curve:
    (curve,) = gateway.read_curves([run_id], NAME)
    return curve


def test_a_curve_that_did_not_change_is_the_same_object(
    database: Database, gateway: DatabaseGateway
) -> None:
    run_id = running_job(database).run_id
    assert gateway.read_curves([run_id], NAME) == ()
    grow(database, run_id, [3.0, 2.0, math.nan], 1)

    assert read(gateway, run_id) is read(gateway, run_id)


def test_of_a_growing_curve_only_new_points_are_read(
    database: Database, gateway: DatabaseGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = running_job(database).run_id
    grow(database, run_id, [float(n) for n in range(3_000)], 1)
    whole = read(gateway, run_id)
    assert whole.buckets is not None
    monkeypatch.setattr(source, "read_curve", lambda *_: pytest.fail("read anew"))

    grow(database, run_id, [7.0, 8.0], 3_001)

    grown = read(gateway, run_id)
    assert grown.num_points == 3_002 and grown.values[-2:].tolist() == [7.0, 8.0]
    assert grown.buckets is not None and int(grown.buckets.counts.sum()) == 3_002


def test_points_that_were_taken_back_are_forgotten(
    database: Database, gateway: DatabaseGateway
) -> None:
    run_id = running_job(database).run_id
    grow(database, run_id, [1.0, 2.0, 3.0, 4.0], 1)
    assert len(read(gateway, run_id).steps) == 4

    with database.write() as connection:
        add_attempt(connection, replace(new_attempt(run_id), number=2))
        supersede(connection, run_id, 2, 2)

    assert read(gateway, run_id).steps.tolist() == [1, 2]


def test_a_zoomed_curve_has_every_point_of_its_window(
    database: Database, gateway: DatabaseGateway
) -> None:
    run_id = running_job(database).run_id
    values = np.random.default_rng(0).standard_normal(20_000).tolist()
    grow(database, run_id, values, 1)
    coarse = read(gateway, run_id)
    assert len(coarse.steps) <= 2 * source.COLUMNS

    windows = step_windows([coarse], XAxis.STEP, (7_000.0, 7_200.0))
    (fine,) = gateway.read_curves([run_id], NAME, windows)

    inside = (fine.steps >= 7_000) & (fine.steps <= 7_200)
    assert fine.values[inside].tolist() == values[6_999:7_200]
    assert fine.steps[0] == coarse.steps[0] and fine.steps[-1] == coarse.steps[-1]
    assert fine.buckets is not None and int(fine.buckets.counts.sum()) == 20_000
    assert gateway.read_curves([run_id], NAME, windows) == (fine,)
