"""Ingest exactly once, what a resume replaces, and an exact pyramid; reading the curves back."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from db.digest import LEVELS, Digest
from db.engine import Database
from db.errors import NotFoundError
from db.jobs import finish_attempt
from db.metrics import ingest, supersede
from db.query import Query
from db.records import Point
from db.series_names import join_name, split_name
from db.tables import points as points_table
from db.tables import pyramid, series
from tests.db.builders import NOW, points, running_job, take

RUN = "run00001"


def store(
    database: Database, new: Sequence[Point], offset: int, *, attempt: int = 1, run: str = RUN
) -> int:
    with database.write(durable=False) as connection:
        return ingest(connection, run, attempt, new, points_offset=offset)


def resume(database: Database, step: int) -> None:
    """End attempt 1 as lost and begin attempt 2 from a checkpoint at `step`."""
    with database.write(durable=False) as connection:
        finish_attempt(connection, 1, 1, outcome="lost", requeue=True, now=NOW)
        take(connection, 1, now=NOW)
        supersede(connection, RUN, 2, step)


def pyramid_of(database: Database, name: str = "loss") -> dict[tuple[int, int], Digest]:
    with database.read() as connection:
        rows = connection.execute(
            select(*pyramid.c).join(series).where(series.c.name == name)
        ).mappings()
        return {
            (row["level"], row["bucket"]): Digest(
                minimum=row["minimum"],
                minimum_step=row["minimum_step"],
                maximum=row["maximum"],
                maximum_step=row["maximum_step"],
                total=row["total"],
                count=row["num_points"],
                non_finite=row["non_finite"],
            )
            for row in rows
        }


def expected_pyramid(values: dict[int, float]) -> dict[tuple[int, int], Digest]:
    """The plain version: every bucket looks at every point of its own."""
    result: dict[tuple[int, int], Digest] = {}
    for level in LEVELS:
        for bucket in {step >> level for step in values}:
            inside = {s: v for s, v in values.items() if s >> level == bucket}
            finite = {s: v for s, v in inside.items() if math.isfinite(v)}
            low = min(finite.values(), default=None)
            high = max(finite.values(), default=None)
            result[level, bucket] = Digest(
                minimum=low,
                minimum_step=next((s for s in sorted(finite) if finite[s] == low), None),
                maximum=high,
                maximum_step=next((s for s in sorted(finite) if finite[s] == high), None),
                total=math.fsum(finite.values()),
                count=len(inside),
                non_finite=len(inside) - len(finite),
            )
    return result


def assert_same_pyramid(
    found: dict[tuple[int, int], Digest], expected: dict[tuple[int, int], Digest]
) -> None:
    assert found.keys() == expected.keys()
    for key, one in expected.items():
        other = found[key]
        assert other.total == pytest.approx(one.total, abs=1e-6)
        for name in ("minimum", "maximum", "count", "non_finite"):
            assert getattr(other, name) == getattr(one, name), (key, name)


def test_points_come_back_in_order_with_their_epochs_and_times(database: Database) -> None:
    running_job(database)
    new = points([0.5, math.nan, math.inf, -1.0])

    assert store(database, new, 112) == 4

    curve = Query(database).points(RUN, "train.loss")
    assert curve.steps == (1, 2, 3, 4)
    assert curve.epochs == (1, 1, 1, 1)
    assert curve.times == tuple(NOW + step for step in (1, 2, 3, 4))
    assert [repr(value) for value in curve.values] == ["0.5", "nan", "inf", "-1.0"]


def test_times_are_kept_to_the_millisecond(database: Database) -> None:
    run_id = running_job(database).run_id
    times = (NOW + 0.0014, NOW + 1.9996, math.nan)
    new = [
        Point(series="train.loss", step=step, epoch=1, value=1.0, time=at)
        for step, at in enumerate(times, start=1)
    ]
    with database.write() as connection:
        ingest(connection, run_id, 1, new, points_offset=84)

    query = Query(database)
    assert query.points(run_id, "train.loss").times == (NOW + 0.001, NOW + 2.0, 0.0)
    assert query.sql("SELECT time FROM point ORDER BY step")[1][0] == (NOW + 0.001,)


def test_the_summary_counts_what_is_not_finite_apart(database: Database) -> None:
    running_job(database)
    store(database, points([0.5, math.nan, -math.inf, -1.0]), 112)

    summary = Query(database).detail(RUN).summaries["train.loss"]
    assert (summary.last, summary.last_step) == (-1.0, 4)
    assert (summary.minimum, summary.maximum) == (-1.0, 0.5)
    assert (summary.count, summary.non_finite) == (4, 2)


def test_a_batch_handed_in_twice_counts_once(database: Database) -> None:
    running_job(database)
    new = points([3.0, 1.0, 2.0])
    assert store(database, new, 84) == 3
    before = Query(database).detail(RUN), pyramid_of(database)

    assert store(database, new, 84) == 0
    assert store(database, new, 56) == 0
    after = Query(database).detail(RUN), pyramid_of(database)
    assert after == before


def test_batches_that_overlap_store_each_point_once(database: Database) -> None:
    running_job(database)
    values = [float(step) for step in range(300)]
    store(database, points(values[:200]), 5600)

    assert store(database, points(values), 8400) == 100

    curve = Query(database).points(RUN, "train.loss")
    assert curve.values == tuple(values)
    assert_same_pyramid(pyramid_of(database), expected_pyramid(dict(enumerate(values, 1))))


def test_the_offset_is_stored_with_the_points_or_not_at_all(database: Database) -> None:
    running_job(database)

    with pytest.raises(ZeroDivisionError), database.write() as connection:
        ingest(connection, RUN, 1, points([1.0]), points_offset=28)
        raise ZeroDivisionError

    attempt = Query(database).detail(RUN).attempts[0]
    assert attempt.points_offset == 0
    assert Query(database).series(RUN) == ()


def test_an_attempt_that_is_not_there_is_refused(database: Database) -> None:
    running_job(database)

    with pytest.raises(NotFoundError, match=r"Run `run00001` has no attempt 7"):
        store(database, points([1.0]), 28, attempt=7)


def test_a_resume_replaces_what_came_after_its_checkpoint(database: Database) -> None:
    running_job(database)
    store(database, points([float(step) for step in range(1, 301)]), 8400)

    resume(database, 200)
    store(database, points([-1.0] * 150, first=201), 4200, attempt=2)
    store(database, points([99.0] * 60, first=301), 9999, attempt=1)

    curve = Query(database).points(RUN, "train.loss")
    expected = {step: float(step) for step in range(1, 201)} | dict.fromkeys(range(201, 351), -1.0)
    assert dict(zip(curve.steps, curve.values, strict=True)) == expected
    assert len(curve.steps) == len(expected)
    assert_same_pyramid(pyramid_of(database), expected_pyramid(expected))
    summary = Query(database).detail(RUN).summaries["train.loss"]
    assert (summary.count, summary.maximum, summary.last_step) == (350, 200.0, 350)


def test_points_of_the_old_attempt_that_came_late_still_count_before_the_checkpoint(
    database: Database,
) -> None:
    running_job(database)
    store(database, points([1.0] * 50), 1400)
    resume(database, 100)
    store(database, points([3.0] * 10, first=101), 280, attempt=2)

    assert store(database, points([2.0] * 100, first=51), 4200, attempt=1) == 50

    curve = Query(database).points(RUN, "train.loss")
    assert curve.steps == tuple(range(1, 111))
    assert curve.values == (1.0,) * 50 + (2.0,) * 50 + (3.0,) * 10


def test_points_stored_before_the_resume_was_known_end_up_right(database: Database) -> None:
    running_job(database)
    store(database, points([1.0] * 20), 560)
    with database.write() as connection:
        finish_attempt(connection, 1, 1, outcome="lost", requeue=True, now=NOW)
        take(connection, 1, now=NOW)
    store(database, points([2.0] * 20, first=11), 560, attempt=2)

    with database.write() as connection:
        assert supersede(connection, RUN, 2, 10) == 10

    expected = dict.fromkeys(range(1, 11), 1.0) | dict.fromkeys(range(11, 31), 2.0)
    curve = Query(database).points(RUN, "train.loss")
    assert dict(zip(curve.steps, curve.values, strict=True)) == expected
    assert_same_pyramid(pyramid_of(database), expected_pyramid(expected))


def test_a_series_whose_points_were_all_replaced_is_empty_until_new_ones_come(
    database: Database,
) -> None:
    running_job(database)
    store(database, points([1.0, 2.0], series="valid.mae"), 56)

    resume(database, 0)

    assert Query(database).points(RUN, "valid.mae").steps == ()
    assert "valid.mae" not in Query(database).detail(RUN).summaries


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_batches_with_any_resume_leave_exact_points_and_pyramid(
    make_database: Callable[[], Database], data: st.DataObject
) -> None:
    size = data.draw(st.integers(1, 400), label="size")
    start = data.draw(st.integers(0, 70_000), label="first step")
    chance = random.Random(data.draw(st.integers(0, 99), label="seed"))
    special = (math.nan, math.inf, -math.inf)
    steps = sorted(chance.sample(range(start + 1, start + 3 * size + 1), size))
    values = {
        step: chance.choice(special) if chance.random() < 0.1 else chance.uniform(-5, 5)
        for step in steps
    }
    cuts = sorted(data.draw(st.lists(st.integers(0, size), max_size=4), label="cuts"))
    resumed = data.draw(st.none() | st.integers(start, start + 3 * size), label="resume step")

    database = make_database()
    running_job(database)
    new = [Point(series="train.loss", step=s, epoch=1, value=values[s], time=0.0) for s in steps]
    for low, high in zip([0, *cuts], [*cuts, size], strict=True):
        store(database, new[max(low - 5, 0) : high], high * 28)
    if resumed is not None:
        resume(database, resumed)
        values = {step: value for step, value in values.items() if step <= resumed}
    curve = Query(database).points(RUN, "train.loss")
    found = pyramid_of(database)
    with database.read() as connection:
        rows = connection.execute(select(points_table.c.step)).scalars().all()

    assert sorted(rows) == sorted(values)
    assert repr(dict(zip(curve.steps, curve.values, strict=True))) == repr(values)
    assert_same_pyramid(found, expected_pyramid(values))


def envelope_is_exact(database: Database, values: dict[int, float], max_points: int) -> None:
    curve = Query(database).points(RUN, "train.loss", max_points=max_points)
    assert len(curve.steps) <= max_points
    assert list(curve.steps) == sorted(set(curve.steps))
    assert all(values[s] == v for s, v in zip(curve.steps, curve.values, strict=True))
    finite = [value for value in values.values() if math.isfinite(value)]
    assert (min(curve.values), max(curve.values)) == (min(finite), max(finite))


@pytest.mark.parametrize("max_points", [2, 7, 50, 800, 4000])
def test_a_thinned_curve_has_real_points_and_every_extreme(
    database: Database, max_points: int
) -> None:
    running_job(database)
    chance = random.Random(0)
    values = {step: chance.random() for step in range(1, 20_001)}
    values[7_777] = 50.0
    values[13_131] = math.nan
    new = [
        Point(series="train.loss", step=s, epoch=1, value=v, time=0.0) for s, v in values.items()
    ]
    store(database, new, 28)

    envelope_is_exact(database, values, max_points)


def test_every_column_of_a_thinned_curve_has_its_own_ends(database: Database) -> None:
    running_job(database)
    values = [math.sin(step / 500) for step in range(8192)]
    store(database, points(values, first=0), 28)

    curve = Query(database).points(RUN, "train.loss", max_points=128)

    width = 128
    shown = set(curve.steps)
    for begin in range(0, 8192, width):
        column = range(begin, begin + width)
        assert min(column, key=lambda step: values[step]) in shown
        assert max(column, key=lambda step: values[step]) in shown


@pytest.mark.parametrize("max_points", [20, 100, 256])
def test_an_envelope_has_most_of_the_columns_asked_for_each_exact(
    database: Database, max_points: int
) -> None:
    running_job(database)
    chance = random.Random(1)
    values = [chance.choice([chance.random(), math.nan]) for _ in range(33_000)]
    store(database, points(values), 28)

    shown = set(Query(database).points(RUN, "train.loss", max_points=max_points).steps)

    num_columns = len(shown) // 2
    assert max_points // 2 * 0.5 <= num_columns <= max_points // 2
    finite = {step: value for step, value in enumerate(values, 1) if math.isfinite(value)}
    width = -(-((33_000 >> 7) + 1) // (max_points // 2)) << 7
    for begin in range(0, 33_001, width) if max_points == 256 else ():
        column = [step for step in range(begin, begin + width) if step in finite]
        assert min(column, key=finite.__getitem__) in shown
        assert max(column, key=finite.__getitem__) in shown


def test_arrays_hold_every_point_with_what_is_not_finite(database: Database) -> None:
    running_job(database)
    values = [1.5, math.nan, math.inf, -math.inf, -2.0]
    store(database, points(values), 140)
    resume(database, 4)
    store(database, points([7.0], first=5), 28, attempt=2)

    found = Query(database).arrays(RUN, "train.loss")

    assert (found.steps.dtype, found.values.dtype) == ("int64", "float64")
    assert found.steps.tolist() == [1, 2, 3, 4, 5]
    assert repr(found.values.tolist()) == repr([*values[:4], 7.0])
    with pytest.raises(NotFoundError, match="no series `los`"):
        Query(database).arrays(RUN, "los")


def test_arrays_are_in_order_of_step_whichever_attempt_came_last(database: Database) -> None:
    running_job(database)
    store(database, points([1.0] * 2), 56)
    resume(database, 4)
    store(database, points([5.0], first=5), 28, attempt=2)
    store(database, points([3.0, 4.0], first=3), 112)

    found = Query(database).arrays(RUN, "train.loss")

    assert found.steps.tolist() == [1, 2, 3, 4, 5]
    assert found.values.tolist() == [1.0, 1.0, 3.0, 4.0, 5.0]


def test_a_short_curve_is_not_thinned(database: Database) -> None:
    running_job(database)
    store(database, points([1.0, math.nan]), 56)

    assert Query(database).points(RUN, "train.loss", max_points=2).steps == (1, 2)


def test_a_live_curve_is_read_from_a_step_on(database: Database) -> None:
    running_job(database)
    store(database, points([1.0, 2.0, 3.0]), 84)

    assert Query(database).points(RUN, "train.loss", after_step=2).values == (3.0,)
    assert Query(database).points(RUN, "train.loss", after_step=9).values == ()


def test_an_unknown_series_names_those_that_are_there(database: Database) -> None:
    running_job(database)
    store(database, points([1.0]) + points([1.0], series="valid.text.mae"), 56)

    assert Query(database).series(RUN) == ("train.loss", "valid.text.mae")
    with pytest.raises(NotFoundError, match=r"no series `los`; it has `train.loss`, `valid.text.m"):
        Query(database).points(RUN, "los")
    with pytest.raises(NotFoundError, match=r"There is no run `nope`"):
        Query(database).points("nope", "train.loss")


@given(
    st.sampled_from(["train", "valid", "test", "labels", ""]),
    st.sampled_from(["fusion", "text", "audio", "vision"]),
    st.from_regex(r"[a-z0-9_]{1,8}", fullmatch=True),
)
def test_the_name_of_a_series_and_its_parts_mean_the_same(
    split: str, branch: str, name: str
) -> None:
    if not split and branch != "fusion":
        return
    assert split_name(join_name(split, branch, name)) == (split, branch, name)


def test_a_million_points_are_shown_in_a_moment(database: Database) -> None:
    """The target is 20 ms; half a second here means the pyramid was not used."""
    from time import process_time

    running_job(database)
    with database.write(durable=False) as connection:
        connection.exec_driver_sql(
            "INSERT INTO series (id, run_id, split, branch, name, first_step, last_step, "
            "num_points, non_finite) VALUES (1, 'run00001', 'train', 'fusion', 'loss', 0, "
            "1048575, 1048576, 0)"
        )
        for level in LEVELS:
            ends = {"minimum": -1.0, "maximum": 1.0, "total": 0.0, "non_finite": 0}
            rows = [
                {
                    "series_id": 1,
                    "level": level,
                    "bucket": bucket,
                    "minimum_step": bucket << level,
                    "maximum_step": (bucket << level) + 1,
                    "num_points": 1 << level,
                    **ends,
                }
                for bucket in range(1_048_576 >> level)
            ]
            connection.execute(pyramid.insert(), rows)
    query = Query(database)
    query.points(RUN, "train.loss", max_points=800)

    begin = process_time()
    query.points(RUN, "train.loss", max_points=800)
    assert process_time() - begin < 0.5
