"""From curves to lines: smoothing, bands, gaps, marks; nothing here needs an app."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.envelopes import thinned
from db.records import Checkpoint, Curve
from tui.plotting import raster
from tui.plotting.bands import band_line, group_lines, mean_and_sd
from tui.plotting.chart import Ink, MarkKind, View, draw
from tui.plotting.glyphs import ASCII
from tui.plotting.lines import Line, XAxis, line_of
from tui.plotting.scale import AxisKind
from tui.plotting.smoothing import smooth
from tui.screens.curves import (
    Cast,
    LineStore,
    Look,
    Style,
    chart_data,
    group_labels,
    marks_of,
    step_windows,
)
from tui.sources.curves import extended, spliced

VALUES = st.floats(-1e6, 1e6) | st.just(math.nan)


def curve(values: list[float], *, stride: int = 1, run_id: str = "r", epoch: int = 10) -> Curve:
    steps = np.arange(1, len(values) + 1, dtype=np.int64) * stride
    return Curve(
        run_id=run_id,
        series="train.loss",
        steps=steps,
        epochs=(steps - 1) // epoch + 1,
        values=np.asarray(values, dtype=np.float64),
        times=np.asarray(1000.0 + 2.0 * steps, dtype=np.float64),
        num_points=len(values),
    )


def line(y: list[float], *, x: list[float] | None = None, slot: int = 0, **more: object) -> Line:
    along = np.arange(len(y), dtype=np.float64) if x is None else np.asarray(x, np.float64)
    return Line(f"k{slot}", f"l{slot}", slot, along, np.asarray(y, np.float64), **more)  # type: ignore[arg-type]


def texts(lines: list[Line], **view: object) -> list[str]:
    picture = draw(lines, View(**({"width": 60, "height": 14} | view)))  # type: ignore[arg-type]
    return ["".join(span.text for span in row) for row in picture.rows]


# Smoothing


@given(st.lists(VALUES, max_size=80), st.sampled_from([0.6, 0.9, 0.98]))
def test_smoothing_is_the_average_one_value_after_the_other(
    values: list[float], weight: float
) -> None:
    average, mass, expected = 0.0, 0.0, []
    for value in values:
        if math.isnan(value):
            expected.append(math.nan)
            continue
        average = weight * average + (1 - weight) * value
        mass = weight * mass + (1 - weight)
        expected.append(average / mass)

    found = smooth(np.asarray(values, dtype=np.float64), weight)

    assert found == pytest.approx(np.asarray(expected), nan_ok=True, rel=1e-9, abs=1e-6)


@given(st.lists(st.tuples(st.floats(-10, 10), st.integers(1, 50)), min_size=1, max_size=20))
def test_a_bucket_counts_as_often_as_it_has_points(parts: list[tuple[float, int]]) -> None:
    means, counts = (np.asarray(part) for part in zip(*parts, strict=True))
    one_by_one = smooth(np.repeat(means.astype(float), counts), 0.9)

    bucketwise = smooth(means.astype(float), 0.9, counts)

    assert bucketwise == pytest.approx(one_by_one[np.cumsum(counts) - 1], abs=1e-9)


def test_the_smoothed_line_is_the_same_at_every_zoom() -> None:
    chance = np.random.default_rng(1)
    whole = curve((np.linspace(2, 1, 20_000) + chance.standard_normal(20_000)).tolist())
    coarse = line_of(thinned(whole, 200), label="a", slot=0, smoothing=0.98)
    exact = line_of(whole, label="a", slot=0, smoothing=0.98)

    assert coarse.smooth is not None and coarse.smooth_x is not None and exact.smooth is not None
    near = np.interp(coarse.smooth_x, exact.x, exact.smooth)
    assert np.abs(coarse.smooth - near)[5:].mean() < 0.15
    assert np.isfinite(coarse.smooth).all()


# No spike is lost


@settings(max_examples=100, deadline=None)
@given(
    st.integers(300, 5_000),
    st.floats(0, 1),
    st.integers(16, 120),
    st.floats(0, 0.9),
    st.sampled_from([1, 8, 50]),
)
def test_a_spike_is_seen_at_any_zoom_that_holds_it(
    length: int, where: float, width: int, before: float, columns: int
) -> None:
    place = int(where * (length - 1))
    values = [0.0] * length
    values[place] = 100.0
    shown = line_of(thinned(curve(values), columns), label="a", slot=0, smoothing=0.9)
    step = float(place + 1)
    window = (max(step - before * length - 1, 0.0), step + (1 - before) * length)

    picture = draw([shown], View(width=width, height=12, window=window))

    assert picture.span[1] >= 100.0
    top = [span for row in picture.rows[:1] for span in row]
    assert any(s.ink in (Ink.FAINT, Ink.LINE, Ink.MARKER) and s.text.strip() for s in top)


@given(st.integers(0, 10), st.integers(0, 30))
def test_a_dashed_line_keeps_its_spikes(slot: int, place: int) -> None:
    low = np.zeros(40)
    high = np.zeros(40)
    high[place] = 1.0
    hidden = np.ones(40, dtype=np.bool_)

    bits = raster.fill_dots(low, high, (0.0, 1.0), 8 + slot * 4, hidden)

    assert bits[:, place // 2].all()
    assert np.count_nonzero(bits[-1]) == 1


# Bands


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 6), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_bands_equal_numpy(seeds: int, length: int, chance: int) -> None:
    generator = np.random.default_rng(chance)
    values = generator.standard_normal((seeds, length))
    values[generator.random((seeds, length)) < 0.2] = np.nan
    mean, sd, number = mean_and_sd(values)

    for place in range(length):
        column = values[:, place]
        column = column[np.isfinite(column)]
        assert number[place] == len(column)
        if len(column):
            assert mean[place] == pytest.approx(column.mean())
        if len(column) > 1:
            assert sd[place] == pytest.approx(np.std(column, ddof=1))
        else:
            assert math.isnan(sd[place])


def test_a_band_takes_values_where_they_are_and_forgets_seeds_that_ended() -> None:
    lines = [line([1.0, 2.0, 3.0]), line([3.0, 4.0], slot=1)]

    band = band_line(lines, key="g", label="g", slot=0)

    assert band.x.tolist() == [0, 1, 2]
    assert band.y.tolist() == [2.0, 3.0, 3.0]
    assert band.band is not None
    assert band.band.sizes.tolist() == [2, 2, 1]
    assert band.breaks.tolist() == [1]
    assert band.band.high[0] == pytest.approx(2.0 + math.sqrt(2))
    assert math.isnan(band.band.high[2])
    assert band.band_at(0.0) == (pytest.approx(math.sqrt(2)), 2)


def test_seeds_with_points_at_other_steps_are_taken_between_them() -> None:
    lines = [line([0.0, 10.0], x=[0.0, 10.0]), line([0.0, 5.0, 0.0], x=[0.0, 5.0, 10.0])]

    band = band_line(lines, key="g", label="g", slot=0)

    assert band.x.tolist() == [0, 5, 10]
    assert band.y.tolist() == [0.0, 5.0, 5.0]


def test_groups_of_one_stay_lines_and_a_group_has_the_colour_of_its_first() -> None:
    lines = [line([1.0], slot=3), line([2.0], slot=4), line([3.0], slot=5)]

    grouped = group_lines(lines, {"k3": "a", "k5": "a", "k4": "b"}, {"a": "setgf"})

    assert [(one.label, one.slot) for one in grouped] == [("setgf n=2", 3), ("l4", 4)]


def test_a_band_is_drawn_behind_its_mean() -> None:
    lines = [line([5.0, 4.0, 1.0]), line([3.0, 3.0, 2.0], slot=1)]

    picture = draw([band_line(lines, key="g", label="g", slot=0)], View(width=50, height=14))

    inks = {span.ink for row in picture.rows for span in row}
    assert {Ink.FAINT, Ink.LINE} <= inks


def test_the_name_of_a_group_is_that_of_its_runs_without_the_seed() -> None:
    labels = {"a": "setgf-mosi-s1111", "b": "setgf-mosi-s1112", "c": "x"}
    cast = Cast(labels=labels, slots={}, groups={"a": "g", "b": "g", "c": "h"})

    assert group_labels(cast) == {"g": "setgf-mosi", "h": "x"}


# Gaps, axes, marks


def test_a_stretch_without_points_is_a_gap() -> None:
    away = curve([1.0] * 60)
    away = replace(away, times=away.times + np.where(np.arange(60) >= 30, 5_000.0, 0.0))

    by_time = line_of(away, label="a", slot=0, x_axis=XAxis.TIME)
    by_step = line_of(away, label="a", slot=0)

    assert by_time.breaks.tolist() == [29] and not len(by_step.breaks)
    low, _ = raster.column_ranges(by_time.x, by_time.y, (0.0, 5_200.0), 100, by_time.breaks)
    assert np.isnan(low[5:90]).all() and np.isfinite(low[[0, 97]]).all()


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=60))
def test_a_log_axis_leaves_out_and_counts_what_has_no_logarithm(values: list[float]) -> None:
    picture = draw([line(values)], View(width=60, height=12, log_y=True))

    assert picture.num_without_log == sum(value <= 0 for value in values)
    positive = [value for value in values if value > 0]
    if positive:
        assert picture.span[0] <= math.log10(min(positive))
        assert picture.span[1] >= math.log10(max(positive))


def test_outliers_are_cut_off_and_counted() -> None:
    values = [1.0 + 0.01 * (n % 7) for n in range(400)]
    values[200] = 500.0

    plain = draw([line(values)], View(width=60, height=12))
    robust = draw([line(values)], View(width=60, height=12, without_outliers=True))

    assert plain.span[1] > 400 and plain.num_clipped == 0
    assert robust.span[1] < 2 and robust.num_clipped == 1


def test_a_locked_range_stays() -> None:
    picture = draw([line([1.0, 5.0])], View(width=60, height=12, y_span=(0.0, 2.0)))

    assert picture.span == (0.0, 2.0)
    assert picture.num_clipped == 1


def test_clock_time_has_round_ticks_with_the_time_of_day() -> None:
    begin = 1_764_000_000.0
    times = [begin + 600 * n for n in range(30)]
    rows = texts([line([1.0] * 30, x=times)], width=90, x_kind=AxisKind.CLOCK)

    assert rows[-1].count(":00") >= 2 or rows[-1].count(":30") >= 2


def test_best_epoch_and_checkpoints_are_marked_on_the_axis_and_on_the_line() -> None:
    whole = curve([1.0 / n for n in range(1, 61)])
    kept = Checkpoint(
        run_id="r",
        attempt=1,
        role="last",
        path="last.pt",
        epoch=5,
        step=50,
        size=1,
        sha256="",
        created_at=0.0,
    )

    marks = marks_of([whole], XAxis.EPOCH, best_epoch=3, checkpoints=[kept])

    assert [(mark.kind, mark.x) for mark in marks] == [
        (MarkKind.CHECKPOINT, 5.0),
        (MarkKind.BEST, 3.0),
    ]
    shown = line_of(whole, label="a", slot=0, x_axis=XAxis.EPOCH, best_epoch=3)
    rows = texts([shown], marks=marks)
    assert rows[-2].count("★") == 1 and rows[-2].count("◇") == 1
    assert sum(row.count("★") for row in rows[:-2]) == 1


def test_nan_of_a_thinned_series_is_marked_and_counted() -> None:
    values = [1.0] * 500
    values[250] = math.nan
    shown = line_of(thinned(curve(values), 20), label="a", slot=0)

    assert shown.num_bad == 1
    assert texts([shown])[-2].count("✕") == 1


# Reading closely, and following


def test_a_window_is_read_closely_with_room_on_each_side() -> None:
    long = thinned(curve([1.0] * 10_000), 100)
    short = curve([1.0] * 50, run_id="s")

    windows = step_windows([long, short], XAxis.STEP, (4_000.0, 5_000.0))

    assert set(windows) == {"r"}
    assert windows["r"][0] <= 3_600 and windows["r"][1] >= 5_400
    assert step_windows([long], XAxis.STEP, None) == {}


def test_a_finer_stretch_takes_the_place_of_the_coarse_one() -> None:
    whole = curve([float(n % 97) for n in range(10_000)])
    coarse = thinned(whole, 100)
    assert coarse.buckets is not None
    first, last = int(coarse.buckets.starts[40]), int(coarse.buckets.ends[49])
    part = replace(
        whole,
        steps=whole.steps[first - 1 : last],
        epochs=whole.epochs[first - 1 : last],
        values=whole.values[first - 1 : last],
        times=whole.times[first - 1 : last],
    )

    joined = spliced(coarse, part, (first, last))

    assert joined.buckets is not None
    assert int(joined.buckets.counts.sum()) == 10_000
    inside = (joined.steps >= first) & (joined.steps <= last)
    assert joined.values[inside].tolist() == part.values.tolist()
    assert (np.diff(joined.steps) > 0).all()


def test_new_points_are_put_behind_a_thinned_curve() -> None:
    whole = curve([1.0] * 1_010)
    head = thinned(replace_points(whole, 0, 1_000), 50)

    grown = extended(head, replace_points(whole, 1_000, 1_010))

    assert grown.num_points == 1_010 and grown.steps[-1] == 1_010
    assert grown.buckets is not None and int(grown.buckets.counts.sum()) == 1_010


def replace_points(of: Curve, first: int, last: int) -> Curve:
    """Return some of the points; the series has all up to the last."""
    return replace(
        of,
        steps=of.steps[first:last],
        epochs=of.epochs[first:last],
        values=of.values[first:last],
        times=of.times[first:last],
        num_points=last,
    )


def test_the_line_of_a_curve_that_did_not_change_is_kept() -> None:
    store, look = LineStore(), Look()
    cast = Cast(labels={"r": "a", "s": "b"}, slots={"r": 0, "s": 1})
    still, grows = curve([1.0] * 60), curve([2.0] * 60, run_id="s")
    before = chart_data("loss", [still, grows], look, cast, store).lines

    after = chart_data("loss", [still, curve([2.0] * 61, run_id="s")], look, cast, store).lines

    assert after[0] is before[0] and after[1] is not before[1]
    bands = chart_data("loss", [still], replace(look, style=Style.BANDS), cast, store)
    assert bands.note == "smoothed 0.9, mean and sd by variant"


# Without colour, without Unicode


def test_ascii_draws_every_line_with_its_own_letter_and_nothing_else() -> None:
    lines = [line([1.0, 2.0, 3.0]), line([3.0, 2.0, 1.0, math.nan], slot=1)]

    rows = texts(lines, glyphs=ASCII, cursor=1.0)

    text = "\n".join(rows)
    assert text.isascii()
    assert text.count("o") > 10 and text.count("x") > 10 and "X" in rows[-2]


def test_without_colour_lines_are_dashed_differently() -> None:
    flat = [line([float(slot)] * 2, x=[0.0, 100.0], slot=slot) for slot in range(4)]

    rows = texts(flat, markers_along=True, width=100, height=20)

    drawn = {sum(0x2800 < ord(letter) < 0x2900 for letter in row) for row in rows}
    assert len(drawn - {0}) == 4


def test_the_baseline_is_dashed() -> None:
    plain = texts([line([1.0, 1.0])])
    dashed = texts([line([1.0, 1.0], is_baseline=True)])

    assert plain != dashed
