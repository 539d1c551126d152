"""Records as tables of pandas or polars, where they are installed. Needs neither to be loaded.

Runs get a column a setting (`config.optim.lr`) and a metric (`metrics.test.mae`); points and
predictions are rows as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from importlib import import_module
from typing import Any, cast

_OF_SERIES = {"steps": "step", "epochs": "epoch", "values": "value", "times": "time"}
"""Columns of a series' record, by its fields."""


def to_pandas(records: Any) -> Any:
    """Return records as a pandas table: what `runs`, `points`, `predictions`, `jobs` return.

    >>> from db import query
    >>> frame = query.to_pandas(query.runs(sort="test.mae"))
    >>> frame[["id", "config.optim.lr", "metrics.test.mae"]].values.tolist()
    [['aaaaaaaa', 0.0005, 0.5]]
    >>> with query.open() as q:
    ...     curve = q.to_pandas(q.points("aaaaaaaa", "train.loss"))
    >>> curve["value"].tolist()
    [3.0, 2.0, 1.0]

    Raises:
        ImportError: pandas is not installed.
    """
    return _load("pandas").DataFrame(columns_of(records))


def to_polars(records: Any) -> Any:
    """Return records as a polars table: what `runs`, `points`, `predictions`, `jobs` return.

    >>> from db import query
    >>> query.to_polars(query.runs())["metrics.test.mae"].to_list()
    [0.5]
    >>> query.to_polars(query.points("aaaaaaaa", "train.loss")).columns
    ['run_id', 'series', 'step', 'epoch', 'value', 'time']

    Raises:
        ImportError: polars is not installed.
    """
    return _load("polars").DataFrame(columns_of(records), strict=False)


def columns_of(records: Any) -> dict[str, list[Any]]:
    """Return records as columns: a value a record, None where one has none.

    >>> from db.records import Points
    >>> curve = Points(run_id="a", series="train.loss", steps=(1, 2), epochs=(1, 1),
    ...                values=(3.0, 2.5), times=(0.0, 1.0))
    >>> columns_of(curve)["value"], columns_of([curve, curve])["step"]
    ([3.0, 2.5], [1, 2, 1, 2])
    """
    single = is_dataclass(records) and not isinstance(records, type)
    found: list[Any] = [records] if single else list(cast(Iterable[Any], records))
    rows = [row for record in found for row in _rows(record)]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _rows(record: Any) -> Iterable[dict[str, Any]]:
    """Return the rows of one record; one of a series has many."""
    names = [field.name for field in fields(record)]
    values = {name: getattr(record, name) for name in names}
    if "steps" not in values:
        return [_flat(values)]
    plain = {name: value for name, value in values.items() if name not in _OF_SERIES}
    columns = [(_OF_SERIES[name], _listed(values[name])) for name in names if name in _OF_SERIES]
    heads = [name for name, _ in columns]
    return [
        {**plain, **dict(zip(heads, cells, strict=True))}
        for cells in zip(*(column for _, column in columns), strict=True)
    ]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            row.update(_flat(cast(Mapping[str, Any], value), f"{prefix}{name}."))
        else:
            row[f"{prefix}{name}"] = _plain(value)
    return row


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return list(cast(tuple[Any, ...], value)) if isinstance(value, tuple) else value


def _listed(values: Any) -> list[Any]:
    """Return a tuple or a numpy array as a list of plain numbers."""
    return values.tolist() if hasattr(values, "tolist") else list(values)


def _load(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(
            f"Tables of {name} need {name}, which is not installed. Install it with "
            f"`pip install {name}`.",
            name=name,
        ) from error
