"""What a table shows: columns over frozen records, and the pure parts of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, Generic, TypeVar

from tui.formatting import Role

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Cell:
    """Text of a cell, and how it looks."""

    text: str
    role: Role = Role.PLAIN
    slot: int | None = None
    """Colour of a series instead of the role's."""
    spans: bool = False
    """Takes the rest of the row: the row is a heading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Generic[Row]):
    """One column of a table of records."""

    key: str
    title: str
    width: int
    """Cells; of a growing column the least."""
    cell: Callable[[Row], Cell]
    sort: Callable[[Row], Any] | None = None
    """What to sort by; None: the column can't be sorted. A None value sorts last."""
    value: Callable[[Row], Any] | None = None
    """What a copy or a file holds; None: what is sorted by, else the text of the cell."""
    is_right: bool = False
    cuts_middle: bool = False
    """Too long a text loses its middle instead of its end."""
    takes_colour: bool = False
    """Wears the colour of the row's line in a chart, where it has one."""
    grows: bool = False
    """Takes what is left of the width."""
    rank: int = 0
    """Where there is no room, columns of the highest rank go first; 0 always stays."""


def plain_value(column: Column[Row], row: Row) -> Any:
    """Return what a cell stands for, in full: the number rather than its rounded text."""
    find = column.value or column.sort
    return column.cell(row).text if find is None else find(row)


def fit_columns(
    columns: Sequence[Column[Row]], width: int, keep: str = ""
) -> tuple[tuple[Column[Row], int], ...]:
    """Return the columns that fit, each with its width; a blank cell stands between two.

    Args:
        columns: in their order.
        width: cells there are.
        keep: key of a column that stays as long as any does.
    """
    kept = list(columns)
    while len(kept) > 1 and _needed(kept) > width:
        loose = [column for column in kept if column.key != keep]
        worst = max(loose, key=lambda column: (column.rank, columns.index(column)))
        if worst.rank == 0:
            break
        kept.remove(worst)
    spare = max(width - _needed(kept), 0)
    growing = sum(column.grows for column in kept)
    fitted: list[tuple[Column[Row], int]] = []
    for column in kept:
        extra = 0
        if column.grows:
            extra = spare // growing
            spare, growing = spare - extra, growing - 1
        fitted.append((column, column.width + extra))
    return tuple(fitted)


def _needed(columns: Sequence[Column[Row]]) -> int:
    return sum(column.width + 1 for column in columns) - 1


def sort_rows(rows: Sequence[Row], column: Column[Row] | None, *, reverse: bool) -> tuple[Row, ...]:
    """Return the rows sorted, equal ones in their old order; rows without a value come last."""
    if column is None or column.sort is None:
        return tuple(rows)
    value = column.sort
    keyed = [(value(row), row) for row in rows]
    known = [pair for pair in keyed if _is_known(pair[0])]
    unknown = [row for key, row in keyed if not _is_known(key)]
    known.sort(key=lambda pair: pair[0], reverse=reverse)
    return (*(row for _, row in known), *unknown)


def _is_known(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and isnan(value))
