"""Plotting: nothing is lost between the points and the cells."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.records import Points
from tui.plotting import axes, raster, scale
from tui.plotting.chart import Ink, View, draw
from tui.plotting.lines import Line, XAxis, line_from_points, smooth
from tui.plotting.palette import DARK, LIGHT, MARKERS, assign_slots
from tui.plotting.scale import AxisKind
from tui.plotting.spark import bar, meter, sparkline

VALUES = st.floats(-1e6, 1e6, allow_nan=False) | st.sampled_from([math.nan, math.inf, -math.inf])
BRAILLE = range(0x2800, 0x2900)


def line(y: list[float], *, x: list[float] | None = None, slot: int = 0, **more: object) -> Line:
    along = np.arange(len(y), dtype=np.float64) if x is None else np.asarray(x, np.float64)
    return Line("a", "a", slot, along, np.asarray(y, np.float64), **more)  # type: ignore[arg-type]


def text_of(lines: list[Line], **view: object) -> list[str]:
    picture = draw(lines, View(**({"width": 60, "height": 12} | view)))  # type: ignore[arg-type]
    return ["".join(span.text for span in row) for row in picture.rows]


# The envelope


@settings(max_examples=200, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=300), st.integers(2, 80))
def test_every_point_lies_in_the_range_of_its_column(values: list[float], columns: int) -> None:
    y = np.asarray(values)
    x = np.arange(len(y), dtype=np.float64)
    window = (0.0, max(float(len(y) - 1), 1.0))

    low, high = raster.column_ranges(x, y, window, columns)

    for at, value in zip(x.tolist(), values, strict=True):
        if math.isfinite(value):
            column = min(int((at - window[0]) * columns / (window[1] - window[0])), columns - 1)
            assert low[column] <= value <= high[column]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(-100, 100), min_size=2, max_size=200),
    st.integers(16, 60),
    st.integers(2, 12),
)
def test_every_point_lights_its_dot(values: list[float], across: int, down: int) -> None:
    y = np.asarray(values)
    x = np.arange(len(y), dtype=np.float64)
    span = scale.padded_range(float(y.min()), float(y.max()))
    low, high = raster.column_ranges(x, y, (0.0, float(len(y) - 1)), across * 2)

    bits = raster.fill_dots(low, high, span, down * 4)

    rows = raster.dot_rows(y, span, down * 4)
    for at, row in zip(x.tolist(), rows.tolist(), strict=True):
        column = min(int(at * across * 2 / (len(y) - 1)), across * 2 - 1)
        assert bits[row // 4, column // 2] & raster._DOTS[row % 4, column % 2]


def test_a_single_spike_among_a_million_points_is_seen() -> None:
    y = np.zeros(1_000_000)
    y[777_777] = 5.0
    x = np.arange(1_000_000, dtype=np.float64)

    _, high = raster.column_ranges(x, y, (0.0, 999_999.0), 200)

    assert high.max() == 5.0
    assert int(high.argmax()) == int(777_777 / 999_999 * 200)


def test_the_line_is_unbroken_between_distant_points() -> None:
    low, high = raster.column_ranges(np.array([0.0, 100.0]), np.array([0.0, 1.0]), (0, 100), 50)

    assert np.isfinite(low).all()
    assert (high[:-1] == pytest.approx(low[1:])) or (high[:-1] >= low[1:] - 1e-9).all()


def test_nothing_is_drawn_across_a_gap() -> None:
    y = [1.0] * 40 + [math.nan] * 20 + [1.0] * 40
    low, _ = raster.column_ranges(np.arange(100.0), np.asarray(y), (0.0, 99.0), 100)

    assert np.isnan(low[42:58]).all()
    assert np.isfinite(low[:39]).all() and np.isfinite(low[61:]).all()


def test_zoomed_in_between_two_points_the_line_is_still_there() -> None:
    low, _ = raster.column_ranges(np.array([0.0, 10.0]), np.array([0.0, 10.0]), (4.0, 6.0), 10)

    assert np.isfinite(low).all()
    assert low[0] == pytest.approx(4.0)


def test_where_lines_meet_none_hides_the_other() -> None:
    layers = [np.full((4, 10), 0xFF, np.uint8)] * 3

    _, owner = raster.overlay(layers, (4, 10))

    shares = np.bincount(owner.ravel(), minlength=3)
    assert shares.min() >= 13 - 3


# The picture


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(VALUES, max_size=50), max_size=4),
    st.integers(1, 130),
    st.integers(1, 40),
    st.booleans(),
)
def test_any_data_at_any_size_gives_rows_of_that_size(
    series: list[list[float]], width: int, height: int, log_y: bool
) -> None:
    lines = [line(values, slot=slot) for slot, values in enumerate(series)]

    picture = draw(lines, View(width=width, height=height, log_y=log_y, cursor=1.0))

    assert len(picture.rows) == height
    for row in picture.rows:
        assert sum(len(span.text) for span in row) == width


@pytest.mark.parametrize(("height", "row"), [(12, -2), (6, -2)])
def test_nan_and_infinite_values_are_marked_on_the_axis(height: int, row: int) -> None:
    rows = text_of([line([1.0, 2.0, math.nan, 1.0, math.inf, 2.0])], height=height)

    assert rows[row].count("✕") == 1
    assert rows[row].count("∞") == 1


def test_log_axis_has_powers_of_ten_and_leaves_out_what_has_no_logarithm() -> None:
    rows = text_of([line([1e-4, 1e-2, 0.0, -1.0, 1.0])], log_y=True, height=20)

    labels = [row.split("┤")[0].strip() for row in rows if "┤" in row]
    assert labels == ["1", "0.1", "0.01", "1e-3", "1e-4"] or "1e-4" in labels


def test_the_newest_value_carries_the_marker_of_its_line() -> None:
    picture = draw([line([3.0, 2.0, 1.0], slot=2)], View(width=40, height=10))

    markers = [span for row in picture.rows for span in row if span.ink is Ink.MARKER]
    assert [span.text for span in markers] == [MARKERS[2]]


def test_raw_values_lie_faint_behind_the_smoothed_line() -> None:
    values = [math.sin(n) for n in range(200)]
    raw = line(values, smooth=smooth(np.asarray(values), 0.9))

    picture = draw([raw], View(width=60, height=12))

    inks = {span.ink for row in picture.rows for span in row}
    assert Ink.FAINT in inks and Ink.LINE in inks


def test_cells_are_braille() -> None:
    glyphs = set("".join(raster.glyphs(np.arange(256, dtype=np.uint8).reshape(16, 16)).ravel()))

    assert all(glyph == " " or ord(glyph) in BRAILLE for glyph in glyphs)


# Axes


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(1, 12))
def test_ticks_are_few_round_and_within_the_range(low: float, width: float, count: int) -> None:
    ticks = scale.nice_ticks(low, low + width, count)

    assert len(ticks) <= count + 2
    slack = 1e-6 * max(abs(low), width)
    assert all(low - slack <= tick <= low + width + slack for tick in ticks)


def test_labels_of_an_axis_have_equally_many_decimals() -> None:
    assert scale.tick_labels([0.5, 0.75, 1.0]) == ["0.50", "0.75", "1.00"]
    assert scale.tick_labels([0, 5000, 20000]) == ["0", "5k", "20k"]
    assert scale.tick_labels([0, 90, 3600], AxisKind.SECONDS) == ["0", "1m30", "1h"]


@given(st.floats(-50, 50), st.floats(0.01, 100), st.integers(5, 40))
def test_the_vertical_axis_has_at_least_two_labels(low: float, width: float, down: int) -> None:
    assert len(axes.y_ticks((low, low + width), down, log_y=False)) >= 2


def test_epochs_have_no_half_ticks() -> None:
    assert scale.whole_ticks(1, 3, 8) == [1, 2, 3]


def test_an_axis_of_equal_values_is_not_empty() -> None:
    low, high = scale.padded_range(2.0, 2.0)

    assert low < 2.0 < high


# Lines


def points(num: int) -> Points:
    steps = tuple(range(1, num + 1))
    return Points(
        run_id="r",
        series="train.loss",
        steps=steps,
        epochs=tuple((step - 1) // 10 + 1 for step in steps),
        values=tuple(1.0 / step for step in steps),
        times=tuple(100.0 + 2 * step for step in steps),
    )


def test_epochs_spread_their_steps_and_end_whole() -> None:
    made = line_from_points(points(25), label="a", slot=0, x_axis=XAxis.EPOCH)

    assert made.x[9] == pytest.approx(1.0)
    assert made.x[19] == pytest.approx(2.0)
    assert made.x[24] == pytest.approx(2.5)


def test_relative_time_begins_at_zero() -> None:
    made = line_from_points(points(5), label="a", slot=0, x_axis=XAxis.TIME)

    assert made.x.tolist() == [0, 2, 4, 6, 8]


def test_smoothing_is_unbiased_keeps_gaps_and_leaves_short_series_alone() -> None:
    flat = smooth(np.asarray([2.0, 2.0, math.nan, 2.0]), 0.9)
    assert flat[[0, 1, 3]].tolist() == pytest.approx([2.0, 2.0, 2.0])
    assert math.isnan(flat[2])

    assert line_from_points(points(10), label="a", slot=0, smoothing=0.9).smooth is None
    assert line_from_points(points(60), label="a", slot=0, smoothing=0.9).smooth is not None


def test_the_value_at_the_cursor_is_that_of_the_nearest_point() -> None:
    made = line([5.0, 6.0, 7.0], x=[0.0, 10.0, 20.0])

    assert made.value_at(11.0) == 6.0
    assert made.value_at(19.0) == 7.0
    assert made.value_at(25.0) is None


# Colours and small bars


def test_colours_and_markers_are_all_different() -> None:
    for palette in (DARK, LIGHT, MARKERS):
        assert len(set(palette)) == len(palette) == 8


def test_a_run_keeps_its_colour_when_others_come_and_go() -> None:
    first = assign_slots(["a", "b", "c"], {})
    held = dict(first)
    second = assign_slots(["c", "d"], held)
    held |= second

    assert second["c"] == first["c"]
    assert second["d"] != second["c"]
    again = assign_slots(["b", "c"], held)
    assert again["b"] == first["b"]


@given(st.lists(VALUES, max_size=100), st.integers(0, 30))
def test_a_sparkline_is_never_wider_than_asked(values: list[float], width: int) -> None:
    assert len(sparkline(values, width)) <= width


@given(st.floats(allow_nan=True, allow_infinity=True), st.integers(0, 40))
def test_bars_have_exactly_their_width(share: float, width: int) -> None:
    assert len(bar(share, width)) == width
    assert len(meter(share, width)) == width


def test_a_sparkline_falls_as_its_values_do_and_keeps_a_spike() -> None:
    assert sparkline([4, 3, 2, 1], 8) == "⠳⢤"
    assert sparkline([0.0] * 200 + [5.0] + [0.0] * 200, 10) == "⣀⣀⣀⣀⣸⣇⣀⣀⣀⣀"
    assert sparkline([math.nan, math.inf], 8) == ""


def test_a_bar_shows_its_spread_beyond_its_end() -> None:
    assert bar(0.5, 8) == "━━━━    "
    assert bar(0.5, 8, 0.25) == "━━━━──  "
    assert bar(0.45, 10) == "━━━━╸     "
