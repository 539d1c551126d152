"""The columns of the table of runs: those every run has, and any setting or metric by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from db.records import JobState
from tui.formatting import (
    MISSING,
    STATE_GLYPHS,
    STATE_ORDER,
    STATE_ROLES,
    Role,
    count,
    duration,
    moment,
    number,
    percent,
)
from tui.plotting.spark import sparkline
from tui.widgets.columns import Cell, Column
from tui.widgets.run_rows import RunLine, RunRow, find_value, is_number, label_of

SPARK_WIDTH = 10
SCORE_WIDTH = 13
"""Cells of `0.9512±.0123`, at least."""
DELTA = "delta."
TINY = 1e-12
"""A mean nearer to zero than this is rounding."""
NOT_PERCENT = ("mae", "corr", "loss")
SHARES = ("acc", "f1")
DEFAULT_COLUMNS = (
    *("state", "name", "model", "data", "seed", "epoch", "best", "delta"),
    *("spark", "mae", "acc2", "acc7", "took", "eta", "age"),
)


def run_column(
    key: str,
    title: str,
    width: int,
    value: Callable[[RunRow], Any],
    *,
    show: Callable[[Any], str] = label_of,
    role: Callable[[RunRow], Role] | None = None,
    sort: Callable[[RunRow], Any] | None = None,
    **options: Any,
) -> Column[RunLine]:
    """Return a column that shows a value of a run, and of a group its mean or what is common."""

    def cell(line: RunLine) -> Cell:
        if not isinstance(line, RunRow):
            return Cell(_of_group(line, key, value, show), Role.STRONG)
        found = value(line)
        if found is None or found in ("", ()):
            return Cell(MISSING, Role.DIM)
        return Cell(show(found), role(line) if role else Role.PLAIN)

    def order(line: RunLine) -> Any:
        if isinstance(line, RunRow):
            found = (sort or value)(line)
            return found if is_number(found) or found is None else label_of(found).lower()
        score = line.score(key, sort or value)
        return line.label.lower() if score is None else score.mean

    def plain(line: RunLine) -> Any:
        return value(line) if isinstance(line, RunRow) else cell(line).text

    return Column(key=key, title=title, width=width, cell=cell, sort=order, value=plain, **options)


def _of_group(line: Any, key: str, value: Callable[[RunRow], Any], show: Callable[..., str]) -> str:
    score = line.score(key, value)
    if score is not None:
        tiny = abs(score.mean) < TINY
        spread = "" if score.sd is None else f"±{_short(show(score.sd).removeprefix('+'))}"
        return f"{show(0.0 if tiny else score.mean)}{spread}"
    found = {label_of(value(row)) for row in line.runs} - {"(none)"}
    return next(iter(found)) if len(found) == 1 else f"{len(found)} values" if found else ""


def _short(text: str) -> str:
    """Return a number without the zero before its point."""
    return text.removeprefix("0") if text.startswith("0.") else text


def _name_column() -> Column[RunLine]:
    def cell(line: RunLine) -> Cell:
        if isinstance(line, RunRow):
            role = Role.DIM if line.run.state is JobState.CANCELLED else Role.PLAIN
            return Cell(line.run.name, role)
        return Cell(f"{line.label}  n={len(line.runs)}", Role.STRONG)

    return Column(
        key="name",
        title="run",
        width=20,
        cell=cell,
        sort=lambda line: line.run.name if isinstance(line, RunRow) else line.label,
        value=lambda line: line.run.name if isinstance(line, RunRow) else line.label,
        grows=True,
        cuts_middle=True,
    )


def _state_column() -> Column[RunLine]:
    def cell(line: RunLine) -> Cell:
        if isinstance(line, RunRow):
            return Cell(STATE_GLYPHS[line.run.state], STATE_ROLES[line.run.state])
        return Cell("▸" if line.is_folded else "▾", Role.ACCENT)

    def order(line: RunLine) -> int:
        rows = (line,) if isinstance(line, RunRow) else line.runs
        return min(STATE_ORDER[row.run.state] for row in rows)

    return Column(
        key="state",
        title="",
        width=1,
        cell=cell,
        sort=order,
        value=lambda line: line.run.state.value if isinstance(line, RunRow) else "group",
    )


def _nothing(_line: RunLine) -> str:
    return ""


def _spark_column() -> Column[RunLine]:
    def cell(line: RunLine) -> Cell:
        if not isinstance(line, RunRow):
            return Cell("")
        return Cell(sparkline(line.spark, SPARK_WIDTH) or MISSING, Role.DIM)

    options: dict[str, Any] = {"takes_colour": True, "rank": 2, "value": _nothing}
    return Column(key="spark", title="curve", width=SPARK_WIDTH, cell=cell, **options)


def test_metric(*names: str) -> Callable[[RunRow], float | None]:
    """Return a function that finds the first of these final metrics on the test split."""

    def find(row: RunRow) -> float | None:
        metrics = row.run.metrics
        return next((metrics[f"test.{n}"] for n in names if f"test.{n}" in metrics), None)

    return find


def seconds_taken(row: RunRow) -> float | None:
    """Return for how long the run has trained; None before it starts."""
    run = row.run
    end = row.now if run.state.is_live else run.finished_at
    return None if run.started_at is None or end is None else end - run.started_at


def seconds_left(row: RunRow) -> float | None:
    """Return how long a live run will train on at most, as fast as up to now."""
    run, taken = row.run, seconds_taken(row)
    if not run.state.is_live or taken is None or not run.epoch:
        return None
    return max(run.max_epochs - run.epoch, 0) * taken / run.epoch


def difference(row: RunRow, value: Callable[[RunRow], Any]) -> float | None:
    """Return how far a value is from that of the baseline; None where either has none."""
    here = value(row)
    there = None if row.baseline is None else value(row.baseline)
    if row.baseline is None or row.baseline.run.id == row.run.id:
        return None
    return here - there if is_number(here) and is_number(there) else None


def signed(value: float) -> str:
    """Return a difference with its sign."""
    return f"+{number(value, 3)}" if value > 0 else number(value, 3)


def _dim(_row: RunRow) -> Role:
    return Role.DIM


def _epoch_role(row: RunRow) -> Role:
    return Role.PLAIN if row.run.state.is_live else Role.DIM


def _best(row: RunRow) -> float | None:
    return row.run.best_valid


def _numeric(rank: int) -> dict[str, Any]:
    return {"is_right": True, "rank": rank}


def _epoch_column() -> Column[RunLine]:
    column = run_column(
        *("epoch", "epoch", 7), lambda r: r.run.epoch, show=lambda v: f"{v:.0f}", is_right=True
    )

    def cell(line: RunLine) -> Cell:
        if isinstance(line, RunRow):
            return Cell(f"{line.run.epoch}/{line.run.max_epochs}", _epoch_role(line))
        return column.cell(line)

    options: dict[str, Any] = {"sort": column.sort, "value": column.value, "is_right": True}
    return Column(key="epoch", title="epoch", width=7, cell=cell, **options)


def _age_column() -> Column[RunLine]:
    def cell(line: RunLine) -> Cell:
        if isinstance(line, RunRow):
            return Cell(moment(line.run.created_at, line.now), Role.DIM)
        return Cell("")

    def newest(line: RunLine) -> float:
        rows = (line,) if isinstance(line, RunRow) else line.runs
        return -max(row.run.created_at for row in rows)

    return Column(
        key="age", title="since", width=5, cell=cell, sort=newest, is_right=True, rank=3,
        value=lambda line: line.run.created_at if isinstance(line, RunRow) else "",
    )  # fmt: skip


_COLUMNS: Sequence[Column[RunLine]] = (
    _state_column(),
    _name_column(),
    run_column("model", "model", 9, lambda r: r.run.model, role=_dim, rank=7),
    run_column("data", "data", 10, lambda r: r.run.data_name, role=_dim, rank=8),
    run_column("seed", "seed", 5, lambda r: str(r.run.seed), sort=lambda r: r.run.seed,
               role=_dim, **_numeric(6)),
    _epoch_column(),
    run_column("best", "best", 6, _best, show=number, **_numeric(1)),
    run_column("delta", "Δbest", 7, lambda r: difference(r, _best), show=signed, **_numeric(1)),
    _spark_column(),
    run_column("mae", "MAE", 6, test_metric("mae"), show=number, **_numeric(4)),
    run_column("acc2", "Acc-2", 6, test_metric("acc2_non0", "acc2"), show=percent, **_numeric(9)),
    run_column("acc7", "Acc-7", 6, test_metric("acc7", "acc5"), show=percent, **_numeric(10)),
    run_column("took", "took", 5, seconds_taken, show=duration, role=_dim, **_numeric(5)),
    run_column("eta", "left", 5, seconds_left, show=duration, role=_dim, **_numeric(11)),
    _age_column(),
    run_column("id", "id", 8, lambda r: r.run.id, role=_dim, rank=12),
    run_column("job", "job", 5, lambda r: None if r.run.job_id is None else str(r.run.job_id),
               sort=lambda r: r.run.job_id, role=_dim, **_numeric(12)),
    run_column("status", "state", 9, lambda r: r.run.state.value, rank=12,
               role=lambda r: STATE_ROLES[r.run.state]),
    run_column("dataset", "dataset", 7, lambda r: r.run.dataset, role=_dim, rank=12),
    run_column("variant", "variant", 8, lambda r: r.run.variant, role=_dim, rank=12),
    run_column("group", "group", 10, lambda r: r.run.group_name, role=_dim, rank=12),
    run_column("tags", "tags", 12, lambda r: r.run.tags, rank=12),
    run_column("note", "note", 20, lambda r: " ".join(r.run.note.split()), role=_dim, rank=12),
    run_column("error", "error", 24, lambda r: " ".join((r.run.error or "").split()),
               role=lambda _: Role.BAD, rank=12),
    run_column("best_epoch", "at", 4, lambda r: r.run.best_epoch, **_numeric(12)),
    run_column("step", "step", 7, lambda r: r.run.step, show=lambda v: count(round(v)),
               **_numeric(12)),
    run_column("attempt", "try", 3, lambda r: r.run.attempt, show=lambda v: f"{v:g}",
               **_numeric(12)),
    run_column("parameters", "params", 6, lambda r: r.run.parameters,
               show=lambda v: count(round(v)), **_numeric(12)),
    run_column("host", "host", 10, lambda r: r.run.host, role=_dim, rank=12),
    run_column("device", "device", 7, lambda r: r.run.device, role=_dim, rank=12),
    run_column("commit", "commit", 8, lambda r: (r.run.code_commit or "")[:8], role=_dim, rank=12),
)  # fmt: skip
RUN_COLUMNS = {column.key: column for column in _COLUMNS}
"""The columns every run has, by key."""


def columns_of(names: Iterable[str], *, has_baseline: bool, groups: bool) -> tuple[Any, ...]:
    """Return columns by their names: of every run, a setting, a metric, or `delta.` and a metric.

    Args:
        names: the chosen ones in their order; none for the default ones.
        has_baseline: a run is pinned, so differences mean something.
        groups: numbers need room for their spread.
    """
    from dataclasses import replace

    chosen = tuple(dict.fromkeys(names))
    columns = [column_of(name) for name in chosen or DEFAULT_COLUMNS]
    if not chosen and not has_baseline:
        columns = [column for column in columns if column.key != "delta"]
    if chosen:  # the user's order says what has to go first where there is no room
        columns = [replace(c, rank=0 if c.key in ("state", "name") else 1) for c in columns]
    if groups:
        wide = ("epoch", "took", "eta", "age", "seed", "job", "attempt", "best_epoch")
        columns = [
            replace(c, width=max(c.width, SCORE_WIDTH)) if c.is_right and c.key not in wide else c
            for c in columns
        ]
    return tuple(columns)


def column_of(name: str) -> Column[RunLine]:
    """Return the column of a name."""
    if name in RUN_COLUMNS:
        return RUN_COLUMNS[name]
    if name.startswith(DELTA):
        inner = name.removeprefix(DELTA)
        value = value_of(inner)
        title = f"Δ{_title(inner)}"
        return run_column(name, title, max(8, len(title)), lambda r: difference(r, value),
                          show=signed, **_numeric(12))  # fmt: skip
    title = _title(name)
    is_share = name.rpartition(".")[2].startswith(SHARES)

    def show(value: Any) -> str:
        if not is_number(value):
            return label_of(value)
        return percent(value) if is_share else number(value)

    return run_column(
        name, title, max(7, len(title) + 1), value_of(name), show=show, **_numeric(12)
    )


def value_of(name: str) -> Callable[[RunRow], Any]:
    """Return what finds the value of a name in a run: to group by, to compare, to show."""
    if name in RUN_COLUMNS:
        find = RUN_COLUMNS[name].value
        assert find is not None
        return find
    return lambda row: find_value(row, name)


def names_to_read(names: Iterable[str]) -> tuple[str, ...]:
    """Return the settings and metrics among names, sorted: what the runs' records may not hold."""
    inner = {name.removeprefix(DELTA) for name in names if name}
    return tuple(sorted(inner - RUN_COLUMNS.keys()))


def _title(name: str) -> str:
    """Return the end of a name, with its split where that says which: `test.mae`, `lr`."""
    parts = name.split(".")
    if parts[0] in ("train", "valid", "test", "best", "last"):
        return name if len(name) <= 14 else name[-14:]
    return parts[-1]
