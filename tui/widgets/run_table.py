"""The table of runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from db.records import JobState, Run
from tui.formatting import (
    MISSING,
    STATE_GLYPHS,
    STATE_ORDER,
    STATE_ROLES,
    Role,
    duration,
    moment,
    number,
    percent,
)
from tui.plotting.spark import sparkline
from tui.widgets.columns import Cell, Column
from tui.widgets.table import Table

SPARK_WIDTH = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run with what the table adds to it."""

    run: Run
    spark: tuple[float, ...] = ()
    now: float = 0.0


class RunTable(Table[RunRow]):
    """Runs; the marker on the left is that of the run's line in the chart."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the toolkit's word
        super().__init__(RUN_COLUMNS, lambda row: row.run.id, selectable=True, opens=True, id=id)


def test_metric(*names: str) -> Callable[[RunRow], float | None]:
    """Return a function that finds the first of these final metrics on the test split."""

    def find(row: RunRow) -> float | None:
        metrics: Mapping[str, float] = row.run.metrics
        return next((metrics[f"test.{n}"] for n in names if f"test.{n}" in metrics), None)

    return find


def _state(row: RunRow) -> Cell:
    return Cell(STATE_GLYPHS[row.run.state], STATE_ROLES[row.run.state])


def _name(row: RunRow) -> Cell:
    role = Role.DIM if row.run.state is JobState.CANCELLED else Role.PLAIN
    return Cell(row.run.name, role)


def _epoch(row: RunRow) -> Cell:
    role = Role.PLAIN if row.run.state.is_live else Role.DIM
    return Cell(f"{row.run.epoch}/{row.run.max_epochs}", role)


def _metric(find: Callable[[RunRow], float | None], *, as_percent: bool) -> Callable[..., Cell]:
    def cell(row: RunRow) -> Cell:
        value = find(row)
        return Cell(percent(value) if as_percent else number(value), _known(value))

    return cell


def _known(value: object) -> Role:
    return Role.DIM if value is None else Role.PLAIN


def _age(row: RunRow) -> Cell:
    return Cell(moment(row.run.created_at, row.now), Role.DIM)


def _took(row: RunRow) -> Cell:
    return Cell(duration(seconds_taken(row)), Role.DIM)


def seconds_taken(row: RunRow) -> float | None:
    """Return for how long the run has trained; None before it starts."""
    if row.run.started_at is None:
        return None
    return (row.run.finished_at or row.now) - row.run.started_at


_mae, _acc2 = test_metric("mae"), test_metric("acc2_non0", "acc2")
_acc7 = test_metric("acc7", "acc5")

RUN_COLUMNS: tuple[Column[RunRow], ...] = (
    Column(key="state", title="", width=1, cell=_state, sort=lambda r: STATE_ORDER[r.run.state]),
    Column(
        key="name",
        title="run",
        width=20,
        cell=_name,
        sort=lambda r: r.run.name,
        grows=True,
        cuts_middle=True,
    ),
    Column(
        key="model",
        title="model",
        width=9,
        cell=lambda r: Cell(r.run.model, Role.DIM),
        sort=lambda r: r.run.model,
        rank=7,
    ),
    Column(
        key="data",
        title="data",
        width=10,
        cell=lambda r: Cell(r.run.data_name, Role.DIM),
        sort=lambda r: r.run.data_name,
        rank=8,
    ),
    Column(
        key="seed",
        title="seed",
        width=5,
        cell=lambda r: Cell(str(r.run.seed), Role.DIM),
        sort=lambda r: r.run.seed,
        is_right=True,
        rank=6,
    ),
    Column(
        key="epoch",
        title="epoch",
        width=7,
        cell=_epoch,
        sort=lambda r: r.run.epoch,
        is_right=True,
    ),
    Column(
        key="best",
        title="best",
        width=6,
        cell=lambda r: Cell(number(r.run.best_valid), _known(r.run.best_valid)),
        sort=lambda r: r.run.best_valid,
        is_right=True,
        rank=1,
    ),
    Column(
        key="spark",
        title="curve",
        width=SPARK_WIDTH,
        cell=lambda r: Cell(sparkline(r.spark, SPARK_WIDTH) or MISSING, Role.DIM),
        takes_colour=True,
        rank=2,
    ),
    Column(
        key="mae",
        title="MAE",
        width=6,
        cell=_metric(_mae, as_percent=False),
        sort=_mae,
        is_right=True,
        rank=4,
    ),
    Column(
        key="acc2",
        title="Acc-2",
        width=6,
        cell=_metric(_acc2, as_percent=True),
        sort=_acc2,
        is_right=True,
        rank=9,
    ),
    Column(
        key="acc7",
        title="Acc-7",
        width=6,
        cell=_metric(_acc7, as_percent=True),
        sort=_acc7,
        is_right=True,
        rank=10,
    ),
    Column(
        key="took",
        title="took",
        width=5,
        cell=_took,
        sort=seconds_taken,
        is_right=True,
        rank=5,
    ),
    Column(
        key="age",
        title="since",
        width=5,
        cell=_age,
        sort=lambda r: -r.run.created_at,
        is_right=True,
        rank=3,
    ),
)
