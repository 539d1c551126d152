"""How unimodal labels drift, as lines and rows. No widgets.

Shapes: E epochs, M modalities, N samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from db.records import Curve
from tui.formatting import Role
from tui.plotting.lines import Line
from tui.plotting.spark import sparkline
from tui.run_records import LabelDrift
from tui.widgets.columns import Cell, Column

Floats = NDArray[np.float64]
SPARK_WIDTH = 8
MOVED, FAR_MOVED = 0.5, 1.5


class Measure(StrEnum):
    """What is drawn by epoch; the value is what the user reads."""

    SHIFT = "mean shift from the annotation"
    CHANGE = "mean change in an epoch"
    CORRELATION = "correlation with the annotation"
    HUMAN = "correlation with human labels"
    HUMAN_DISTANCE = "mean distance to human labels"


SERIES = {
    Measure.SHIFT: "mean_shift",
    Measure.CHANGE: "mean_change",
    Measure.CORRELATION: "correlation",
}
"""Last word of the series that hold a measure where no history was kept."""


def measures_of(drift: LabelDrift | None) -> tuple[Measure, ...]:
    """Return the measures that can be drawn."""
    if drift is None or not drift.human:
        return (Measure.SHIFT, Measure.CHANGE, Measure.CORRELATION)
    return tuple(Measure)


def measured(drift: LabelDrift, measure: Measure, modality: str) -> Floats:
    """Return a measure (E,) of one modality; NaN where it is undefined."""
    own = drift.labels[:, drift.modalities.index(modality)].astype(np.float64)
    annotated = drift.annotated.astype(np.float64)
    if measure is Measure.SHIFT:
        return np.abs(own - annotated).mean(axis=1)
    if measure is Measure.CHANGE:
        return np.abs(np.diff(own, axis=0, prepend=annotated[None])).mean(axis=1)
    other = annotated
    if measure in (Measure.HUMAN, Measure.HUMAN_DISTANCE):
        other = drift.human[modality].astype(np.float64)
    known = np.isfinite(other)
    if measure is Measure.HUMAN_DISTANCE:
        return np.abs(own[:, known] - other[known]).mean(axis=1)
    return np.asarray([_correlation(row[known], other[known]) for row in own])


def _correlation(first: Floats, second: Floats) -> float:
    if len(first) < 2 or not first.std() or not second.std():
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def drift_lines(drift: LabelDrift, measure: Measure) -> tuple[Line, ...]:
    """Return a line a modality."""
    epochs = np.asarray(drift.epochs, dtype=np.float64)
    return tuple(
        Line(
            key=modality,
            label=modality,
            slot=place,
            x=epochs,
            y=measured(drift, measure, modality),
        )
        for place, modality in enumerate(drift.modalities)
        if measure not in (Measure.HUMAN, Measure.HUMAN_DISTANCE) or modality in drift.human
    )


def series_lines(curves: Sequence[Curve], measure: Measure) -> tuple[Line, ...]:
    """Return the lines of a measure from the run's series."""
    wanted = [curve for curve in curves if curve.series.endswith(f".{SERIES.get(measure, '-')}")]
    return tuple(
        Line(
            key=curve.series,
            label=curve.series.split(".")[1],
            slot=place,
            x=curve.epochs.astype(np.float64),
            y=curve.values,
        )
        for place, curve in enumerate(wanted)
    )


def trajectory_lines(drift: LabelDrift, place: int) -> tuple[Line, ...]:
    """Return how one sample's labels went: a line a modality, from the annotation on."""
    epochs = np.asarray([drift.epochs[0] - 1, *drift.epochs], dtype=np.float64)
    annotated = float(drift.annotated[place])
    lines = [
        Line(
            key=modality,
            label=modality,
            slot=number,
            x=epochs,
            y=np.concatenate([[annotated], drift.labels[:, number, place].astype(np.float64)]),
        )
        for number, modality in enumerate(drift.modalities)
    ]
    ends = epochs[[0, -1]]
    for number, (modality, values) in enumerate(drift.human.items(), start=len(lines)):
        value = float(values[place])
        if np.isfinite(value):
            said = np.full(2, value)
            name = f"human {modality}"
            lines.append(Line(key=name, label=name, slot=number, x=ends, y=said))
    flat = np.full(2, annotated)
    whole = Line(key="annotation", label="annotation", slot=7, x=ends, y=flat, is_baseline=True)
    return (*lines, whole)


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One train sample: its annotation and the labels it has now."""

    place: int
    """Where it stands in the history."""
    sample_id: str
    annotated: float
    labels: tuple[float, ...]
    """By modality, after the newest epoch."""
    human: tuple[float | None, ...]
    """By modality; None where nobody was asked."""
    most: int
    """Modality whose label is furthest from the annotation."""
    shift: float
    """That label less the annotation."""
    transcript: str


def label_rows(drift: LabelDrift) -> tuple[LabelRow, ...]:
    """Return a row a sample, in the order of the train split."""
    newest = drift.labels[-1]
    shifts = newest - drift.annotated
    most = np.abs(shifts).argmax(axis=0)
    largest = shifts[most, np.arange(len(most))].tolist()
    human = [drift.human.get(name) for name in drift.modalities]
    said = [[None] * len(most) if one is None else one.tolist() for one in human]
    return tuple(
        LabelRow(
            place=place,
            sample_id=sample_id,
            annotated=annotated,
            labels=labels,
            human=people,
            most=furthest,
            shift=shift,
            transcript=drift.transcripts.get(sample_id, ""),
        )
        for place, (sample_id, annotated, labels, people, furthest, shift) in enumerate(
            zip(
                drift.sample_ids,
                drift.annotated.tolist(),
                zip(*newest.tolist(), strict=True),
                zip(*said, strict=True),
                most.tolist(),
                largest,
                strict=True,
            )
        )
    )


def label_columns(drift: LabelDrift) -> tuple[Column[LabelRow], ...]:
    """Return the columns: annotation, each modality's label and human label, shift, path, text."""

    def path(row: LabelRow) -> Cell:
        values = drift.labels[:, row.most, row.place].tolist()
        return Cell(sparkline([row.annotated, *values], SPARK_WIDTH), slot=row.most)

    modalities = [
        column
        for place, name in enumerate(drift.modalities)
        for column in _modality_columns(place, name, has_human=name in drift.human)
    ]
    return (
        Column(
            key="sample",
            title="train sample",
            width=14,
            cell=lambda r: Cell(r.sample_id, Role.DIM),
            sort=lambda r: r.sample_id,
            cuts_middle=True,
        ),
        Column(
            key="annotated",
            title="label",
            width=6,
            cell=lambda r: Cell(f"{r.annotated:.2f}", Role.STRONG),
            sort=lambda r: r.annotated,
            is_right=True,
        ),
        *modalities,
        Column(
            key="shift",
            title="shift",
            width=6,
            cell=_shift_cell,
            sort=lambda r: abs(r.shift),
            is_right=True,
        ),
        Column(key="path", title="path", width=SPARK_WIDTH, cell=path, rank=2),
        Column(
            key="transcript",
            title="transcript",
            width=16,
            cell=lambda r: Cell(r.transcript, Role.DIM),
            sort=lambda r: r.transcript,
            grows=True,
            rank=3,
        ),
    )


def _modality_columns(place: int, name: str, *, has_human: bool) -> list[Column[LabelRow]]:
    own: Column[LabelRow] = Column(
        key=name,
        title=name,
        width=6,
        cell=lambda r: Cell(f"{r.labels[place]:.2f}"),
        sort=lambda r: r.labels[place],
        is_right=True,
    )
    if not has_human:
        return [own]

    def said(row: LabelRow) -> Cell:
        value = row.human[place]
        return Cell("" if value is None or value != value else f"{value:.2f}", Role.DIM)

    human: Column[LabelRow] = Column(
        key=f"human {name}",
        title="human",
        width=6,
        cell=said,
        sort=lambda r: r.human[place],
        is_right=True,
        rank=1,
    )
    return [own, human]


def _shift_cell(row: LabelRow) -> Cell:
    size = abs(row.shift)
    role = Role.BAD if size >= FAR_MOVED else Role.WARN if size >= MOVED else Role.DIM
    return Cell(f"{row.shift:+.2f}", role)
