"""What a name in a filter or an order can mean: a column of a run, a setting or a metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, select

from db.filters import Token, nearest, refused
from db.series_names import METRICS, is_higher_better, join_name, split_name
from db.tables import final_metrics, groups, runs, series, settings


class Kind(Enum):
    """What a name can be compared with."""

    TEXT = auto()
    NUMBER = auto()
    MOMENT = auto()
    DURATION = auto()
    BOOLEAN = auto()
    SETTING = auto()
    TAG = auto()


@dataclass(frozen=True, slots=True)
class Field:
    """A name as SQL; a setting has its value as text and, where it is one, as a number."""

    kind: Kind
    expression: ColumnElement[Any]
    number: ColumnElement[Any] | None = None


_GROUP = (
    select(groups.c.name)
    .where(groups.c.id == runs.c.group_id)
    .correlate(runs)  # not with the `groups` that a list of runs is joined to
    .scalar_subquery()
)
_DURATION = func.coalesce(runs.c.finished_at, runs.c.updated_at) - runs.c.started_at
COLUMNS: Mapping[str, Field] = {
    "id": Field(Kind.TEXT, runs.c.id),
    "name": Field(Kind.TEXT, runs.c.name),
    "state": Field(Kind.TEXT, runs.c.state),
    "dataset": Field(Kind.TEXT, runs.c.dataset),
    "data": Field(Kind.TEXT, runs.c.data_name),
    "data_name": Field(Kind.TEXT, runs.c.data_name),
    "model": Field(Kind.TEXT, runs.c.model),
    "group": Field(Kind.TEXT, _GROUP),
    "variant": Field(Kind.TEXT, runs.c.variant),
    "fingerprint": Field(Kind.TEXT, runs.c.fingerprint),
    "note": Field(Kind.TEXT, runs.c.note),
    "monitor": Field(Kind.TEXT, runs.c.monitor),
    "host": Field(Kind.TEXT, runs.c.host),
    "device": Field(Kind.TEXT, runs.c.device),
    "commit": Field(Kind.TEXT, runs.c.code_commit),
    "error": Field(Kind.TEXT, runs.c.error),
    "seed": Field(Kind.NUMBER, runs.c.seed),
    "job": Field(Kind.NUMBER, runs.c.job_id),
    "attempt": Field(Kind.NUMBER, runs.c.attempt),
    "epoch": Field(Kind.NUMBER, runs.c.epoch),
    "max_epochs": Field(Kind.NUMBER, runs.c.max_epochs),
    "step": Field(Kind.NUMBER, runs.c.step),
    "best_epoch": Field(Kind.NUMBER, runs.c.best_epoch),
    "best_valid": Field(Kind.NUMBER, runs.c.best_valid),
    "parameters": Field(Kind.NUMBER, runs.c.parameters),
    "created": Field(Kind.MOMENT, runs.c.created_at),
    "started": Field(Kind.MOMENT, runs.c.started_at),
    "finished": Field(Kind.MOMENT, runs.c.finished_at),
    "updated": Field(Kind.MOMENT, runs.c.updated_at),
    "trashed": Field(Kind.MOMENT, runs.c.trashed_at),
    "duration": Field(Kind.DURATION, _DURATION),
    "job_id": Field(Kind.NUMBER, runs.c.job_id),
    "group_name": Field(Kind.TEXT, _GROUP),
    "code_commit": Field(Kind.TEXT, runs.c.code_commit),
    "created_at": Field(Kind.MOMENT, runs.c.created_at),
    "started_at": Field(Kind.MOMENT, runs.c.started_at),
    "finished_at": Field(Kind.MOMENT, runs.c.finished_at),
    "updated_at": Field(Kind.MOMENT, runs.c.updated_at),
    "trashed_at": Field(Kind.MOMENT, runs.c.trashed_at),
    "tag": Field(Kind.TAG, runs.c.id),
    "tags": Field(Kind.TAG, runs.c.id),
    "archived": Field(Kind.BOOLEAN, runs.c.archived),
    "dirty": Field(Kind.BOOLEAN, runs.c.code_dirty),
}
"""Names that every run has, some of them also as the record spells them."""

_SPLITS = ("train", "valid", "test")
_FIRST = "best"
_LAST = "last"


class Names:
    """The names of one database; settings and metrics are looked up when one is first asked for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._settings: frozenset[str] | None = None
        self._metrics: frozenset[str] = frozenset()

    def find(self, text: str, token: Token) -> Field:
        """Return what a name means.

        Raises:
            FilterError: nothing is called like that; names the nearest.
        """
        name = token.text
        if name in COLUMNS:
            return COLUMNS[name]
        known = self._load()
        if name in known:
            return _setting(name)
        metric = name.removeprefix(f"{_FIRST}.").removeprefix(f"{_LAST}.")
        if metric in self._metrics or _is_standard(metric) or (not known and "." in name):
            return _metric(name)
        alone = [setting for setting in known if setting.endswith(f".{name}")]
        if len(alone) == 1:
            return _setting(alone[0])
        prefix = name[: len(name) - len(metric)]
        hint = nearest(name, {*COLUMNS, *known, *(prefix + one for one in self._metrics)})
        raise refused(text, token, f"There is nothing called `{name}`.{hint}")

    def _load(self) -> frozenset[str]:
        if self._settings is None:
            run = self._connection.execute
            self._settings = frozenset(run(select(settings.c.name).distinct()).scalars())
            logged = select(series.c.split, series.c.branch, series.c.name).distinct()
            self._metrics = frozenset(
                {
                    *run(select(final_metrics.c.name).distinct()).scalars(),
                    *(join_name(*row) for row in run(logged)),
                    *(f"{split}.{name}" for split in _SPLITS[1:] for name in METRICS),
                }
            )
        return self._settings


def _is_standard(metric: str) -> bool:
    """Return True for a metric that every run can have, whether or not one has it yet."""
    split, _, name = split_name(metric)
    return split in _SPLITS and name in {*METRICS, "loss"}


def _setting(name: str) -> Field:
    here = and_(settings.c.run_id == runs.c.id, settings.c.name == name)
    return Field(
        Kind.SETTING,
        select(settings.c.text).where(here).scalar_subquery(),
        select(settings.c.number).where(here).scalar_subquery(),
    )


def _metric(name: str) -> Field:
    role, _, rest = name.partition(".")
    if role == _LAST:
        return Field(Kind.NUMBER, _of_series(rest, series.c.last))
    if role == _FIRST:
        best = series.c.maximum if is_higher_better(rest) else series.c.minimum
        return Field(Kind.NUMBER, _of_series(rest, best))
    final = select(final_metrics.c.value).where(
        final_metrics.c.run_id == runs.c.id, final_metrics.c.name == name
    )
    value = func.coalesce(final.scalar_subquery(), _of_series(name, series.c.last))
    return Field(Kind.NUMBER, value)


def _of_series(name: str, column: ColumnElement[Any]) -> ColumnElement[Any]:
    split, branch, inner = split_name(name)
    return (
        select(column)
        .where(
            series.c.run_id == runs.c.id,
            series.c.split == split,
            series.c.branch == branch,
            series.c.name == inner,
        )
        .scalar_subquery()
    )
