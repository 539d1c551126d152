"""Lays a comparison out in lines of text: ours, the floors, the published rows and their notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from setgf.analysis.comparison import Comparison
from setgf.analysis.display import show_value
from setgf.analysis.leaderboard import Row, best_rows
from setgf.analysis.published import PublishedRow
from setgf.analysis.statistics import MetricSummary
from setgf.metrics.names import metric_names
from setgf.terms import Dataset, Task

COMPARABLE_LEAGUE = "bert-base"
_NOT_SHOWN = ("acc3",)
"""Computed by the protocol of MOSI and MOSEI, but reported by nobody."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One value, its deviation where there is one, and whether it is the best of its section."""

    text: str
    deviation: str = ""
    best: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table."""

    model: str
    seeds: str
    """Seeds that count, and what failed or is to come; empty for what was not run here."""
    cells: tuple[Cell, ...]
    note: str = ""
    """Number of the note that says how a published value was selected."""


@dataclass(frozen=True, slots=True)
class Section:
    """Lines of one kind under a title."""

    title: str
    lines: tuple[Line, ...]


def shown_metrics(dataset: Dataset, task: Task = Task.REGRESSION) -> tuple[str, ...]:
    """Return the metrics that are columns when none are asked for."""
    names = metric_names(dataset, task)
    return tuple(n for n in names if n not in _NOT_SHOWN) if "acc7" in names else names


def sections_of(comparison: Comparison, names: Sequence[str]) -> tuple[Section, ...]:
    """Return the sections that have lines: ours with their floors a feature store, then published.

    Values are the best of one section only: those of another were measured on other samples.
    """
    notes = notes_of(comparison)
    stores = dict.fromkeys(row.data_name for row in comparison.rows)
    near = [row for row in comparison.published if row.league == COMPARABLE_LEAGUE]
    far = [row for row in comparison.published if row.league != COMPARABLE_LEAGUE]
    sections = (
        *(Section(f"ours on {name}", _own_lines(comparison, name, names)) for name in stores),
        Section("published", _published_lines(near, names, notes)),
        Section("larger encoders", _published_lines(far, names, notes)),
    )
    return tuple(section for section in sections if section.lines)


def notes_of(comparison: Comparison) -> dict[str, int]:
    """Return the number of every text that says how published values were selected, from 1."""
    texts = (_note_text(row) for row in comparison.published)
    return {text: number for number, text in enumerate(dict.fromkeys(texts), 1)}


def _note_text(row: PublishedRow) -> str:
    more = ", ".join(text for text in (row.setting, row.note) if text)
    return f"{row.selection}; {row.source}" + (f" ({more})" if more else "")


def _own_lines(comparison: Comparison, data_name: str, names: Sequence[str]) -> tuple[Line, ...]:
    rows = [row for row in comparison.rows if row.data_name == data_name]
    means = [{name: row.metrics[name].mean for name in names} for row in rows]
    floors = (
        Line(f"{row.name} (floor)", "", _cells(row.metrics, names))
        for row in comparison.floors
        if row.data_name == data_name
    )
    return (*_mark_best([_own_line(row, names) for row in rows], means, names), *floors)


def _own_line(row: Row, names: Sequence[str]) -> Line:
    counts = [str(row.n)]
    counts += [f"{row.failed} failed"] if row.failed else []
    counts += [f"{row.unfinished} to come"] if row.unfinished else []
    cells = tuple(_summary_cell(name, row.metrics[name]) for name in names)
    return Line(row.label, ", ".join(counts), cells)


def _summary_cell(name: str, summary: MetricSummary) -> Cell:
    if summary.mean is None:
        return Cell("undefined" if summary.undefined else "-")
    text = show_value(name, summary.mean)
    deviation = "" if summary.sd is None else show_value(name, summary.sd)
    if summary.undefined:
        text += f" ({summary.undefined} undefined)"
    return Cell(text, deviation)


def _published_lines(
    rows: Sequence[PublishedRow], names: Sequence[str], notes: Mapping[str, int]
) -> tuple[Line, ...]:
    lines = [
        Line(
            row.model,
            "",
            _cells(row.metrics, names),
            f"{notes[_note_text(row)]}",
        )
        for row in rows
    ]
    return _mark_best(lines, [dict(row.metrics) for row in rows], names)


def _cells(metrics: Mapping[str, float], names: Sequence[str]) -> tuple[Cell, ...]:
    return tuple(Cell(show_value(name, metrics.get(name))) for name in names)


def _mark_best(
    lines: Sequence[Line], values: Sequence[Mapping[str, float | None]], names: Sequence[str]
) -> tuple[Line, ...]:
    """Mark the best value of every column; one line alone has nothing to be better than."""
    if len(lines) < 2:
        return tuple(lines)
    best = best_rows(values, names)
    return tuple(
        replace(line, cells=tuple(_marked(line.cells, [place in best[name] for name in names])))
        for place, line in enumerate(lines)
    )


def _marked(cells: Sequence[Cell], best: Sequence[bool]) -> Iterator[Cell]:
    for cell, is_best in zip(cells, best, strict=True):
        yield replace(cell, best=is_best)
