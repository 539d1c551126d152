"""What a name in a filter, an order or a list can mean: a column of a run, a setting or a metric.

Names become plain SQL, the same for every database, without SQLAlchemy: a command line that lists
runs starts often, and loading SQLAlchemy takes longer than everything else it does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from db.filters import Token, nearest, refused
from db.series_names import METRICS, is_higher_better, join_name, split_name

Execute = Callable[[str, Mapping[str, Any]], Sequence[Sequence[Any]]]
"""Runs one SELECT with named parameters (`:name`) and returns all rows."""


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
    """A name as SQL; a setting has its number, where it is one, beside its text."""

    kind: Kind
    sql: str
    number: str | None = None
    shown: str | None = None
    """What is selected, where it is not what is compared and sorted by."""


def _same(kind: Kind, names: str) -> Mapping[str, Field]:
    return {name: Field(kind, f"runs.{name}") for name in names.split()}


_GROUP = "(SELECT name FROM groups WHERE groups.id = runs.group_id)"
_DURATION = "(coalesce(runs.finished_at, runs.updated_at) - runs.started_at)"
_TEXTS = (
    "id name state dataset data_name model variant fingerprint note monitor host device error "
    "folder code_commit"
)
_NUMBERS = "seed job_id attempt epoch max_epochs step best_epoch best_valid parameters"  # of `runs`
MOMENTS = ("created", "started", "finished", "updated", "trashed")
"""Columns that hold seconds since the epoch; also with `_at`."""
COLUMNS: Mapping[str, Field] = {
    **_same(Kind.TEXT, _TEXTS),
    **_same(Kind.NUMBER, _NUMBERS),
    **{name: Field(Kind.MOMENT, f"runs.{name}_at") for name in MOMENTS},
    **{f"{name}_at": Field(Kind.MOMENT, f"runs.{name}_at") for name in MOMENTS},
    "data": Field(Kind.TEXT, "runs.data_name"),
    "commit": Field(Kind.TEXT, "runs.code_commit"),
    "group": Field(Kind.TEXT, _GROUP),
    "group_name": Field(Kind.TEXT, _GROUP),
    "job": Field(Kind.NUMBER, "runs.job_id"),
    "duration": Field(Kind.DURATION, _DURATION),
    "tag": Field(Kind.TAG, "NULL"),
    "tags": Field(Kind.TAG, "NULL"),
    "archived": Field(Kind.BOOLEAN, "runs.archived"),
    "dirty": Field(Kind.BOOLEAN, "runs.code_dirty"),
}
"""Names that every run has, some of them also as the record spells them."""

_SPLITS = ("train", "valid", "test")
_FIRST = "best"
_LAST = "last"


class Names:
    """The names of one database, as SQL; what users name is bound as a parameter.

    Settings and metrics are looked up when one is asked for.
    """

    def __init__(self, execute: Execute, *, prefix: str = "p") -> None:
        self.parameters: dict[str, Any] = {}
        """Values by the names that stand for them in the SQL."""
        self._execute = execute
        self._prefix = prefix
        self._settings: frozenset[str] | None = None

    def bind(self, value: Any) -> str:
        """Return the SQL that stands for a value."""
        key = f"{self._prefix}{len(self.parameters)}"
        self.parameters[key] = value
        return f":{key}"

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
            return self._setting(name)
        metric = name.removeprefix(f"{_FIRST}.").removeprefix(f"{_LAST}.")
        if _is_standard(metric) or (not known and "." in name) or self._is_logged(metric):
            return self._metric(name)
        alone = [setting for setting in known if setting.endswith(f".{name}")]
        if len(alone) == 1:
            return self._setting(alone[0])
        prefix = name[: len(name) - len(metric)]
        hint = nearest(name, {*COLUMNS, *known, *(prefix + one for one in self._metrics())})
        raise refused(text, token, f"There is nothing called `{name}`.{hint}")

    def _load(self) -> frozenset[str]:
        if self._settings is None:
            # Most runs have the same names: a step through the index a name, not a scan.
            self._settings = frozenset(_distinct(self._execute, "settings"))
        return self._settings

    def _is_logged(self, metric: str) -> bool:
        """Return True where some run has the metric: the first found is enough."""
        split, branch, inner = split_name(metric)
        values = {"split": split, "branch": branch, "inner": inner}
        in_series = (
            "SELECT 1 FROM series WHERE split = :split AND branch = :branch AND name = :inner "
            "LIMIT 1"
        )
        in_final = "SELECT 1 FROM final_metrics WHERE name = :name LIMIT 1"
        return bool(self._execute(in_series, values) or self._execute(in_final, {"name": metric}))

    def _metrics(self) -> set[str]:
        """Return the names of all metrics that there are or can be."""
        logged = self._execute("SELECT DISTINCT split, branch, name FROM series", {})
        return {
            *_distinct(self._execute, "final_metrics"),
            *(join_name(*row) for row in logged),
            *(f"{split}.{name}" for split in _SPLITS[1:] for name in METRICS),
        }

    def _setting(self, name: str) -> Field:
        where = f"FROM settings WHERE run_id = runs.id AND name = {self.bind(name)}"
        marked = "CASE WHEN number IS NULL THEN 't' ELSE 'n' END || text"
        return Field(
            Kind.SETTING,
            f"(SELECT text {where})",
            f"(SELECT number {where})",
            f"(SELECT {marked} {where})",
        )

    def _metric(self, name: str) -> Field:
        role, _, rest = name.partition(".")
        if role == _LAST:
            return Field(Kind.NUMBER, self._of_series(rest, "last"))
        if role == _FIRST:
            best = "maximum" if is_higher_better(rest) else "minimum"
            return Field(Kind.NUMBER, self._of_series(rest, best))
        where = f"run_id = runs.id AND name = {self.bind(name)}"
        final = f"SELECT value FROM final_metrics WHERE {where}"
        return Field(Kind.NUMBER, f"coalesce(({final}), {self._of_series(name, 'last')})")

    def _of_series(self, name: str, column: str) -> str:
        split, branch, inner = map(self.bind, split_name(name))
        return (
            f"(SELECT {column} FROM series WHERE run_id = runs.id AND split = {split} "
            f"AND branch = {branch} AND name = {inner})"
        )


def _is_standard(metric: str) -> bool:
    """Return True for a metric that every run can have, whether or not one has it yet."""
    split, _, name = split_name(metric)
    return split in _SPLITS and name in {*METRICS, "loss"}


def _distinct(execute: Execute, table: str) -> list[str]:
    """Return the different names in a table whose `name` is indexed."""
    query = (
        f"WITH RECURSIVE found(name) AS (SELECT min(name) FROM {table} UNION ALL "
        f"SELECT (SELECT min(name) FROM {table} WHERE {table}.name > found.name) FROM found "
        "WHERE found.name IS NOT NULL) SELECT name FROM found WHERE name IS NOT NULL"
    )
    return [row[0] for row in execute(query, {})]
