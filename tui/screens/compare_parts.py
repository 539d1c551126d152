"""The comparison as values: bars and table columns. No widgets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tui.formatting import Role, number, percent
from tui.records import CompareBody, ModelRow, RowKind, Score
from tui.widgets.bar_chart import Bar, BarPanel
from tui.widgets.columns import Cell, Column

TITLES = {
    "acc2_has0": "Acc-2 has0",
    "acc2_non0": "Acc-2 non0",
    "acc2": "Acc-2",
    "acc3": "Acc-3",
    "acc5": "Acc-5",
    "acc7": "Acc-7",
    "f1_has0": "F1 has0",
    "f1_non0": "F1 non0",
    "f1": "F1",
    "mae": "MAE",
    "corr": "Corr",
}
BARS = ("acc2_non0", "acc2", "acc3", "acc5", "acc7")
MORE_BARS = ("mae", "corr", "f1_non0", "f1")
MAX_PUBLISHED_BARS = 3
HEADINGS = {
    RowKind.RUNS: "Ours, mean ± sd over seeds",
    RowKind.FLOOR: "Floors: what looks at nothing",
    RowKind.PUBLISHED: "Published",
}
RANKS = {"mae": 0, "acc2_non0": 1, "acc2": 1, "acc7": 2, "acc5": 3, "corr": 4, "f1_non0": 6}
"""Columns in the order they are given up in a narrow window, last first."""


@dataclass(frozen=True, slots=True)
class CompareRow:
    """A line of the table: a heading or a model."""

    key: str
    label: str
    row: ModelRow | None = None
    """None for a heading."""
    best: frozenset[str] = frozenset()
    """Metrics in which it is the best of its section."""


def written(metric: str, score: Score | None, *, short: bool = False) -> str:
    """Return `84.00 ±1.03` for shares and `0.950 ±.012` for MAE and Corr."""
    if score is None:
        return ""
    if metric in ("mae", "corr"):
        sd = "" if score.sd is None or short else f" ±{number(score.sd, 3)[:5].lstrip('0')}"
        return f"{score.mean:.3f}{sd}"
    sd = "" if score.sd is None or short else f" ±{percent(score.sd)}"
    return percent(score.mean) + sd


def bar_panels(body: CompareBody, slots: Mapping[str, int], *, more: bool) -> tuple[BarPanel, ...]:
    """Return one panel for each accuracy the protocol has: ours, then the best published ones.

    `more` adds panels for MAE, Corr and F1.
    """
    wanted = (*BARS, *MORE_BARS) if more else BARS
    names = [name for name in wanted if name in body.metrics]
    if "acc7" in names and "acc3" in names:
        names.remove("acc3")
    rows = [row for row in body.rows if row.kind is RowKind.RUNS and row.scores]
    most = MAX_PUBLISHED_BARS if more else 1
    others = [row for row in body.rows if row.kind is RowKind.PUBLISHED][:most]
    return tuple(
        BarPanel(
            TITLES[name] + (" (less is better)" if name in body.lower_is_better else ""),
            tuple(_bar(name, row, slots) for row in (*rows, *others) if name in row.scores),
        )
        for name in names
    )


def _bar(metric: str, row: ModelRow, slots: Mapping[str, int]) -> Bar:
    score = row.scores.get(metric)
    return Bar(
        label=row.label,
        value=score.mean if score else None,
        spread=score.sd if score else None,
        text=written(metric, score) or "-",
        slot=slots.get(row.key),
    )


def compare_rows(body: CompareBody) -> tuple[CompareRow, ...]:
    """Return the lines of the table, each section under its heading."""
    lines: list[CompareRow] = []
    for kind in RowKind:
        rows = [row for row in body.rows if row.kind is kind]
        if rows:
            lines.append(CompareRow(f"heading {kind}", HEADINGS[kind]))
        for row in rows:
            best = frozenset(m for m in body.metrics if _is_best(m, row, rows, body))
            best = best if len(rows) > 1 else frozenset[str]()
            lines.append(CompareRow(row.key, row.label, row, best))
    return tuple(lines)


def _is_best(metric: str, row: ModelRow, rows: Iterable[ModelRow], body: CompareBody) -> bool:
    means = [other.scores[metric].mean for other in rows if metric in other.scores]
    if metric not in row.scores or not means or row.kind is not RowKind.RUNS:
        return False
    choose = min if metric in body.lower_is_better else max
    return row.scores[metric].mean == choose(means)


def compare_columns(metrics: Sequence[str]) -> tuple[Column[CompareRow], ...]:
    """Return label, seeds, one column a metric, and how a published value was selected."""
    label: Column[CompareRow] = Column(
        key="model", title="model", width=22, cell=_label, cuts_middle=True
    )
    seeds: Column[CompareRow] = Column(key="seeds", title="seeds", width=5, cell=_seeds, rank=5)
    remark: Column[CompareRow] = Column(
        key="remark", title="how it was selected", width=18, cell=_remark, grows=True, rank=9
    )
    return (label, seeds, *(_metric_column(name) for name in metrics), remark)


def _label(line: CompareRow) -> Cell:
    if line.row is None:
        return Cell(line.label, Role.ACCENT, spans=True)
    is_ours = line.row.kind is RowKind.RUNS
    return Cell("  " + line.label, Role.PLAIN if is_ours else Role.DIM)


def _seeds(line: CompareRow) -> Cell:
    row = line.row
    if row is None or row.kind is not RowKind.RUNS:
        return Cell("")
    failed = f" {row.num_failed}✗" if row.num_failed else ""
    going = f" {row.num_unfinished}●" if row.num_unfinished else ""
    role = Role.WARN if row.num_failed else Role.LIVE if row.num_unfinished else Role.DIM
    return Cell(f"{row.num_seeds}{failed or going}", role)


def _metric_column(name: str) -> Column[CompareRow]:
    def cell(line: CompareRow) -> Cell:
        if line.row is None:
            return Cell("")
        text = written(name, line.row.scores.get(name))
        if name in line.best:
            return Cell(text, Role.GOOD)
        return Cell(text, Role.PLAIN if line.row.kind is RowKind.RUNS else Role.DIM)

    title, rank = TITLES.get(name, name), RANKS.get(name, 7)
    return Column(key=name, title=title, width=12, cell=cell, rank=rank)


def _remark(line: CompareRow) -> Cell:
    return Cell(line.row.remark if line.row else "", Role.DIM)
