"""Values as text."""

from __future__ import annotations

import math

import pytest

from tui.formatting import count, cut, cut_middle, duration, number, plural, size


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.92856, "0.9286"),
        (1.0349, "1.035"),
        (12.3456, "12.35"),
        (0.0, "0.0000"),
        (-0.5, "-0.5000"),
        (5e-5, "5e-5"),
        (1.234e-5, "1.2e-5"),
        (2_000_000, "2e6"),
        (math.nan, "NaN"),
        (-math.inf, "-Inf"),
        (None, "-"),
    ],
)
def test_numbers_have_four_digits_that_count(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(8, "8s"), (185, "3m05"), (4800, "1h20"), (187200, "2d04"), (None, "-")]
)
def test_durations_have_their_two_largest_units(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_long_names_lose_their_middle_not_what_tells_them_apart() -> None:
    assert cut_middle("setgf-mosi-seed-1111", 12) == "setg…ed-1111"
    assert len(cut_middle("x" * 50, 12)) == 12
    assert cut("abcdef", 4) == "abc…"


def test_counts_and_sizes_are_short() -> None:
    assert count(950) == "950"
    assert count(12_345) == "12.3k"
    assert size(91_600_000) == "91.6 MB"
    assert plural(1, "run") == "1 run"
    assert plural(2000, "run") == "2,000 runs"
