"""Curves to be drawn: nothing is lost that the eye could see, and little is read."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import db.envelopes as envelopes
from db.engine import Database, open_database
from db.envelopes import read_curve, read_heads, read_tail, thinned
from db.metrics import ingest
from db.records import Curve, Point
from tests.db.builders import NOW, running_job

NAME = "train.loss"


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return open_database(str(tmp_path / "setgf.db"))


def store(database: Database, values: list[float], first: int = 1) -> str:
    run_id = running_job(database).run_id
    points = [
        Point(series=NAME, step=step, epoch=step // 1000 + 1, value=value, time=NOW + step)
        for step, value in enumerate(values, first)
    ]
    with database.write(durable=False) as connection:
        ingest(connection, run_id, 1, points, points_offset=28 * len(points))
    return run_id


def read(
    database: Database, run_id: str, columns: int, steps: tuple[int, int] | None = None
) -> Curve:
    with database.read() as connection:
        (head,) = read_heads(connection, [run_id, "nosuchone"], NAME)
        return read_curve(connection, head, columns, steps)


def whole(values: list[float], first: int = 1) -> Curve:
    steps = np.arange(first, first + len(values), dtype=np.int64)
    return Curve(
        run_id="r",
        series=NAME,
        steps=steps,
        epochs=steps // 1000 + 1,
        values=np.asarray(values, dtype=np.float64),
        times=np.asarray(NOW + steps, dtype=np.float64),
        num_points=len(values),
    )


VALUES = st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf])


@settings(max_examples=150, deadline=None)
@given(st.lists(VALUES, max_size=400), st.integers(1, 60))
def test_each_bucket_keeps_its_extremes_mean_and_count(values: list[float], columns: int) -> None:
    curve = thinned(whole(values), columns)

    if len(values) <= 2 * columns:
        assert curve.buckets is None and len(curve.steps) == len(values)
        return
    assert curve.buckets is not None and curve.bad_steps is not None
    all_values = np.asarray(values)
    assert curve.bad_steps.tolist() == (np.flatnonzero(~np.isfinite(all_values)) + 1).tolist()
    assert int(curve.buckets.counts.sum()) == int(np.isfinite(all_values).sum())
    b = curve.buckets
    for start, end, mean in zip(b.starts, b.ends, b.means, strict=True):
        inside = all_values[start - 1 : end]
        inside = inside[np.isfinite(inside)]
        kept = curve.values[(curve.steps >= start) & (curve.steps <= end)]
        assert (kept.min(), kept.max()) == (inside.min(), inside.max())
        assert mean == pytest.approx(inside.mean(), abs=1e-6)
    assert len(curve.steps) <= 2 * columns


def test_a_long_series_is_read_from_the_pyramid_and_equals_its_points(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(envelopes, "POINTS_AT_ONCE", 1000)
    chance = np.random.default_rng(0)
    values = chance.standard_normal(9_000).tolist()
    values[4_321], values[5_000], values[5_001] = 99.0, math.nan, math.inf
    run_id = store(database, values)

    curve = read(database, run_id, 20)

    assert curve.buckets is not None and curve.bad_steps is not None
    assert curve.num_points == 9_000
    assert int(curve.buckets.counts.sum()) == 8_998
    assert len(curve.bad_steps) == 1
    assert abs(int(curve.bad_steps[0]) - 5_001) < 128
    array = np.asarray(values)
    for start, end, mean in zip(
        curve.buckets.starts, curve.buckets.ends, curve.buckets.means, strict=True
    ):
        inside = array[start - 1 : end]
        inside = inside[np.isfinite(inside)]
        kept = curve.values[(curve.steps >= start) & (curve.steps <= end)]
        assert (kept.min(), kept.max()) == (inside.min(), inside.max())
        assert mean == pytest.approx(inside.mean())
    assert curve.times[0] == NOW + curve.steps[0]


def test_a_stretch_of_a_long_series_is_read_closely(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(envelopes, "POINTS_AT_ONCE", 1000)
    values = np.sin(np.arange(6_000) / 50).tolist()
    run_id = store(database, values)

    curve = read(database, run_id, 400, (2_001, 2_600))

    assert curve.steps.tolist() == list(range(2_001, 2_601))
    assert curve.values.tolist() == values[2_000:2_600]


def test_few_points_are_all_read_with_nan_and_infinity(database: Database) -> None:
    run_id = store(database, [1.0, math.nan, math.inf, 2.0])

    curve = read(database, run_id, 100)

    assert curve.buckets is None
    assert math.isnan(curve.values[1]) and math.isinf(curve.values[2])
    assert curve == curve
    assert curve == read(database, run_id, 100)


def test_only_what_is_new_is_read_of_the_tail(database: Database) -> None:
    run_id = store(database, [1.0, 2.0, 3.0, 4.0])

    with database.read() as connection:
        (head,) = read_heads(connection, [run_id], NAME)
        tail = read_tail(connection, head, 2)

    assert tail.values.tolist() == [3.0, 4.0]


def test_runs_without_the_series_are_left_out(database: Database) -> None:
    run_id = store(database, [1.0])

    with database.read() as connection:
        assert [h.run_id for h in read_heads(connection, ["other", run_id], NAME)] == [run_id]
        assert read_heads(connection, [run_id], "valid.mae") == ()
        assert read_heads(connection, [], NAME) == ()
