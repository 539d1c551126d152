"""Mean and standard deviation over the lines of a group: usually the seeds of one variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tui.plotting.lines import Band, Line
from tui.plotting.raster import values_at

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MAX_PLACES = 4096
"""Places of x of a band; of lines with more the places are spread evenly."""


def mean_and_sd(values: Floats) -> tuple[Floats, Floats, Ints]:
    """Return mean, sample standard deviation (ddof 1) and number of the finite values.

    Args:
        values: (S, N) one row a seed; NaN where a seed has none.

    Returns:
        Three (N,) arrays. The mean is NaN without values, the deviation with fewer than two.
    """
    finite = np.isfinite(values)
    number = finite.sum(axis=0)
    clean = np.where(finite, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(number > 0, clean.sum(axis=0) / number, np.nan)
        squares = np.where(finite, (clean - mean) ** 2, 0.0).sum(axis=0)
        sd = np.where(number > 1, np.sqrt(squares / (number - 1)), np.nan)
    return mean, sd, number


def band_line(lines: Sequence[Line], *, key: str, label: str, slot: int) -> Line:
    """Return the mean of some lines with their standard deviation as its band.

    Smoothed lines are averaged as they are drawn. Where lines have points at different places,
    they are taken as straight between their own; a line that ended no longer counts.
    """
    shapes = [_drawn(line) for line in lines if len(line.x)]
    places = _places([x for x, _, _ in shapes])
    values = np.stack([_values(x, y, places, breaks) for x, y, breaks in shapes])
    mean, sd, number = mean_and_sd(values)
    return Line(
        key=key,
        label=label,
        slot=slot,
        x=places,
        y=mean,
        # The mean of fewer seeds is another mean: no line leads from one to the other.
        breaks=np.flatnonzero(np.diff(number)),
        num_points=sum(line.total for line in lines),
        band=Band(low=mean - sd, high=mean + sd, sizes=number),
    )


def _drawn(line: Line) -> tuple[Floats, Floats, Ints]:
    if line.smooth is None:
        return line.x, line.y, line.breaks
    x = line.x if line.smooth_x is None else line.smooth_x
    return x, line.smooth, line.breaks if line.smooth_x is None else line.breaks[:0]


def _places(several: Sequence[Floats]) -> Floats:
    places: Floats = np.unique(np.concatenate(several))
    if len(places) > MAX_PLACES:
        return np.linspace(places[0], places[-1], MAX_PLACES, dtype=np.float64)
    return places


def _values(x: Floats, y: Floats, places: Floats, breaks: Ints) -> Floats:
    """Return a line's values at the places: its own points exactly, straight lines between."""
    values = values_at(x, y, places, breaks)
    at = np.searchsorted(x, places)
    at[at == len(x)] = 0
    own = x[at] == places
    values[own] = y[at[own]]
    return values


def group_lines(
    lines: Sequence[Line], groups: Mapping[str, str], labels: Mapping[str, str]
) -> tuple[Line, ...]:
    """Return one line with a band for each group of at least two lines, and all other lines.

    Args:
        lines: to be grouped; a group is drawn in the colour of its first line.
        groups: group by key of a line; lines without one stay as they are.
        labels: names of the groups.
    """
    members: dict[str, list[Line]] = {}
    for line in lines:
        members.setdefault(groups.get(line.key, line.key), []).append(line)
    made: list[Line] = []
    for group, some in members.items():
        filled = [line for line in some if len(line.x)]
        if len(filled) < 2:
            made += some
            continue
        label = f"{labels.get(group, group)} n={len(filled)}"
        band = band_line(filled, key=group, label=label, slot=filled[0].slot)
        is_baseline = any(line.is_baseline for line in filled)
        made.append(replace(band, is_baseline=is_baseline))
    return tuple(made)
