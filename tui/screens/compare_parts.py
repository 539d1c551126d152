"""The comparison as values: bars and table columns. No widgets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tui.compare_records import CompareBody, CompareSection, ModelRow, RowKind, Score
from tui.formatting import Role, number, percent
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
MORE_BARS = ("mae", "corr", "f1_non0", "f1", "acc2_has0", "f1_has0")
BARS_OF_ALL = ("acc2_non0", "acc2", "mae")
"""Of several data sets, one panel each."""
MAX_PUBLISHED_BARS = 3
HEADINGS = {
    RowKind.FLOOR: "Floors: what looks at nothing",
    RowKind.PUBLISHED: "Published, with how each was selected",
}
RANKS = {"mae": 0, "acc2_non0": 1, "acc2": 1, "acc7": 2, "acc5": 3, "corr": 4, "f1_non0": 6}
"""Columns in the order they are given up in a narrow window, last first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareLook:
    """How the comparison is shown."""

    intervals: bool = False
    """What follows a mean: half the 95 % interval instead of the standard deviation."""
    published: bool | None = None
    """Whether published rows are shown; None: where they are of the same test samples."""

    def shows_published(self, section: CompareSection) -> bool:
        """Return whether the published rows of a section are shown."""
        return section.is_comparable if self.published is None else self.published

    def spread(self, score: Score) -> float | None:
        """Return what follows the mean."""
        return score.half_interval if self.intervals else score.sd


@dataclass(frozen=True, slots=True)
class CompareRow:
    """A line of the table: a heading or a model."""

    key: str
    label: str
    row: ModelRow | None = None
    """None for a heading."""
    best: frozenset[str] = frozenset()
    """Metrics in which it is the best of its section."""


def written(metric: str, score: Score | None, spread: float | None) -> str:
    """Return `84.00 ±1.03` for shares and `0.950 ±.012` for MAE and Corr."""
    if score is None:
        return ""
    if metric in ("mae", "corr"):
        after = "" if spread is None else f" ±{number(spread, 3)[:5].lstrip('0')}"
        return f"{score.mean:.3f}{after}"
    return percent(score.mean) + ("" if spread is None else f" ±{percent(spread)}")


def shown_rows(section: CompareSection, look: CompareLook) -> tuple[ModelRow, ...]:
    """Return the rows of a section, without the published ones where they are not shown."""
    has_published = look.shows_published(section)
    return tuple(r for r in section.rows if has_published or r.kind is not RowKind.PUBLISHED)


def bar_panels(
    body: CompareBody, look: CompareLook, slots: Mapping[str, int], *, more: bool
) -> tuple[BarPanel, ...]:
    """Return one panel for each accuracy the protocol has: ours, then the best published ones.

    Of several data sets: panels of the main metrics for each. `more` adds MAE, Corr and F1.
    """
    panels: list[BarPanel] = []
    is_one = len(body.sections) == 1
    for section in body.sections:
        wanted = ((*BARS, *MORE_BARS) if more else BARS) if is_one else BARS_OF_ALL
        names = [name for name in wanted if name in section.metrics]
        rows = [row for row in section.of_kind(RowKind.RUNS) if row.scores]
        most = (MAX_PUBLISHED_BARS if more else 1) if look.shows_published(section) else 0
        others = section.of_kind(RowKind.PUBLISHED)[:most]
        for name in names:
            less = " (less is better)" if name in body.lower_is_better else ""
            where = "" if is_one else f" on {section.data_name}"
            bars = tuple(
                _bar(name, row, look, slots) for row in (*rows, *others) if name in row.scores
            )
            if bars:
                panels.append(BarPanel(f"{TITLES[name]}{where}{less}", bars))
    return tuple(panels)


def _bar(metric: str, row: ModelRow, look: CompareLook, slots: Mapping[str, int]) -> Bar:
    score = row.scores.get(metric)
    spread = look.spread(score) if score else None
    return Bar(
        label=row.label,
        value=score.mean if score else None,
        spread=spread,
        text=written(metric, score, spread) or "-",
        slot=slots.get(row.key),
    )


def compare_rows(body: CompareBody, look: CompareLook) -> tuple[CompareRow, ...]:
    """Return the lines of the table, each section under its heading."""
    lines: list[CompareRow] = []
    for section in body.sections:
        rows = shown_rows(section, look)
        for kind in RowKind:
            members = [row for row in rows if row.kind is kind]
            if members:
                heading = _heading(kind, section, look, is_one=len(body.sections) == 1)
                lines.append(CompareRow(f"heading {section.data_name} {kind}", heading))
            for row in members:
                best = frozenset(m for m in section.metrics if _is_best(m, row, members, body))
                best = best if len(members) > 1 else frozenset[str]()
                lines.append(CompareRow(row.key, row.label, row, best))
    return tuple(lines)


def _heading(kind: RowKind, section: CompareSection, look: CompareLook, *, is_one: bool) -> str:
    if kind is not RowKind.RUNS:
        return HEADINGS[kind]
    spread = "half the 95 % interval" if look.intervals else "sd"
    where = "Ours" if is_one else f"{section.data_name} ({section.dataset})"
    against = next((row for row in section.rows if row.is_baseline), None)
    tested = f"; {_tested(section)} tested against {against.label}" if against else ""
    return f"{where}, mean ± {spread} over seeds{tested}"


def _tested(section: CompareSection) -> str:
    """Return the metric that is tested, as its title."""
    return TITLES["mae" if "mae" in section.metrics else "acc3"]


def _is_best(metric: str, row: ModelRow, rows: Iterable[ModelRow], body: CompareBody) -> bool:
    means = [other.scores[metric].mean for other in rows if metric in other.scores]
    if metric not in row.scores or not means or row.kind is not RowKind.RUNS:
        return False
    best = min(means) if metric in body.lower_is_better else max(means)
    return row.scores[metric].mean == best


def compare_columns(
    metrics: Sequence[str], look: CompareLook, *, has_baseline: bool
) -> tuple[Column[CompareRow], ...]:
    """Return label, seeds, difference, one column a metric, and how published ones were chosen."""
    label: Column[CompareRow] = Column(
        key="model", title="model", width=22, cell=_label, cuts_middle=True
    )
    seeds: Column[CompareRow] = Column(key="seeds", title="seeds", width=5, cell=_seeds, rank=5)
    against: Column[CompareRow] = Column(
        key="against", title="MAE - base (p)", width=15, cell=_against, rank=0
    )
    remark: Column[CompareRow] = Column(
        key="remark", title="how it was selected", width=18, cell=_remark, grows=True, rank=9
    )
    tested = (against,) if has_baseline else ()
    return (label, seeds, *tested, *(_metric_column(name, look) for name in metrics), remark)


def _label(line: CompareRow) -> Cell:
    if line.row is None:
        return Cell(line.label, Role.ACCENT, spans=True)
    is_ours = line.row.kind is RowKind.RUNS
    mark = "≡ " if line.row.is_baseline else "  "
    return Cell(mark + line.label, Role.PLAIN if is_ours else Role.DIM)


def _seeds(line: CompareRow) -> Cell:
    row = line.row
    if row is None or row.kind is not RowKind.RUNS:
        return Cell("")
    failed = f" {row.num_failed}✗" if row.num_failed else ""
    going = f" {row.num_unfinished}●" if row.num_unfinished else ""
    role = Role.WARN if row.num_failed else Role.LIVE if row.num_unfinished else Role.DIM
    return Cell(f"{row.num_seeds}{failed or going}", role)


def _against(line: CompareRow) -> Cell:
    row = line.row
    if row is None or row.kind is not RowKind.RUNS:
        return Cell("")
    if row.is_baseline:
        return Cell("baseline", Role.DIM)
    if row.against is None:
        return Cell("too few seeds", Role.DIM)
    role = Role.DIM
    if row.against.is_clear:
        role = Role.GOOD if row.against.mean < 0 else Role.BAD
    return Cell(f"{row.against.mean:+.3f} ({p_text(row.against.p)})", role)


def p_text(p: float) -> str:
    """Return a p value with three decimals: `.043`, `<.001`."""
    return "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def _metric_column(name: str, look: CompareLook) -> Column[CompareRow]:
    def cell(line: CompareRow) -> Cell:
        if line.row is None:
            return Cell("")
        score = line.row.scores.get(name)
        text = written(name, score, look.spread(score) if score else None)
        if name in line.best:
            return Cell(text, Role.GOOD)
        return Cell(text, Role.PLAIN if line.row.kind is RowKind.RUNS else Role.DIM)

    title, rank = TITLES.get(name, name), RANKS.get(name, 7)
    return Column(key=name, title=title, width=12, cell=cell, rank=rank)


def _remark(line: CompareRow) -> Cell:
    return Cell(line.row.remark if line.row else "", Role.DIM)


def row_in_full(row: ModelRow) -> str:
    """Return everything of a row in one line: how it was selected, or its intervals and test."""
    if row.kind is not RowKind.RUNS:
        return f"{row.label}: {row.remark}" if row.remark else row.label
    said = [f"{row.label}: {row.num_seeds} seeds"]
    told = row.against
    if told is not None:
        side = "better than" if told.mean < 0 else "worse than"
        clear = f"{side} the baseline" if told.is_clear else "no clear difference to the baseline"
        said.append(
            f"MAE {told.mean:+.3f} [{told.low:+.3f}, {told.high:+.3f}], p {p_text(told.p)}: {clear}"
        )
    for name in ("mae", "acc2_non0", "acc2", "acc7", "acc5", "corr"):
        score = row.scores.get(name)
        if score is not None and score.low is not None and score.high is not None:
            scale = 1 if name in ("mae", "corr") else 100
            digits = 3 if scale == 1 else 2
            low, high = (f"{scale * end:.{digits}f}" for end in (score.low, score.high))
            said.append(f"{TITLES[name]} [{low}, {high}]")
    return " · ".join(said)
