"""Parquet files, when pyarrow is installed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from setgf.errors import ConfigError

ROWS_A_BATCH = 65536
_TYPES = {
    "step": "int64",
    "epoch": "int64",
    "value": "double",
    "time": "double",
    "label": "double",
    "prediction": "double",
    "text": "double",
    "audio": "double",
    "vision": "double",
}
_OF_SETTINGS = {"value": "string"}


def check_parquet() -> None:
    """Refuse when there is nothing to write Parquet with.

    Raises:
        ConfigError: pyarrow is not installed.
    """
    if find_spec("pyarrow") is None:
        raise ConfigError(
            "Parquet files need pyarrow, which is not installed. Install it with "
            "`pip install pyarrow`, or use `--format csv` or `jsonl`."
        )


def write_parquet(
    path: Path, records: Iterable[dict[str, Any]], columns: Sequence[str], what: str
) -> None:
    """Write records as one table, in batches; runs, whose types vary, at once."""
    pa: Any = import_module("pyarrow")
    writer_class: Any = import_module("pyarrow.parquet").ParquetWriter
    rows = iter(records)
    if what == "runs":
        table = pa.table({name: _column(pa, name, found) for name, found in _turn(rows, columns)})
        with writer_class(str(path), table.schema) as writer:
            writer.write_table(table)
        return
    types = {**_TYPES, **(_OF_SETTINGS if what == "config" else {})}
    schema = pa.schema([(name, pa.type_for_alias(types.get(name, "string"))) for name in columns])
    with writer_class(str(path), schema) as writer:
        while batch := list(islice(rows, ROWS_A_BATCH)):
            if what == "config":
                batch = [{**row, "value": _text(row["value"])} for row in batch]
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))


def _turn(
    records: Iterable[dict[str, Any]], columns: Sequence[str]
) -> Iterable[tuple[str, list[Any]]]:
    rows = list(records)
    return [(name, [row.get(name) for row in rows]) for name in columns]


def _column(pa: Any, name: str, values: list[Any]) -> Any:
    """Return a column of runs: numbers where all are, else text."""
    there = [value for value in values if value is not None]
    if name.startswith("metrics.") or (there and all(type(v) in (int, float) for v in there)):
        is_whole = bool(there) and all(type(value) is int for value in there)
        kind = pa.int64() if is_whole and not name.startswith("metrics.") else pa.float64()
        return pa.array(values, kind)
    if there and all(type(value) is bool for value in there):
        return pa.array(values, pa.bool_())
    return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
