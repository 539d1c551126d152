"""The table of runs as CSV: every run as it is shown, or a row a group with mean, sd and n."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from tui.widgets.columns import Column, plain_value
from tui.widgets.run_columns import value_of
from tui.widgets.run_rows import RunGroup, RunLine, RunRow

NOT_EXPORTED = ("spark",)


def runs_csv(columns: Sequence[Column[RunLine]], rows: Iterable[RunRow]) -> str:
    """Return a row a run, in full precision."""
    kept = [column for column in columns if column.key not in NOT_EXPORTED]
    lines: list[list[Any]] = [["id", *(column.key for column in kept if column.key != "id")]]
    for row in rows:
        values = (plain_value(column, row) for column in kept if column.key != "id")
        lines.append([row.run.id, *map(_plain, values)])
    return _csv(lines)


def groups_csv(columns: Sequence[Column[RunLine]], name: str, groups: Sequence[RunGroup]) -> str:
    """Return a row a group: its value, the number of runs, and mean and sd of every number."""
    keys = [
        column.key
        for column in columns
        if column.key not in (*NOT_EXPORTED, "state", "name")
        and any(group.score(column.key, value_of(column.key)) for group in groups)
    ]
    titles = [title for key in keys for title in (f"{key}.mean", f"{key}.sd")]
    lines: list[list[Any]] = [[name, "n", *titles]]
    for group in groups:
        line: list[Any] = [group.label, len(group.runs)]
        for key in keys:
            score = group.score(key, value_of(key))
            line += ["", ""] if score is None else [score.mean, _plain(score.sd)]
        lines.append(line)
    return _csv(lines)


def _plain(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return " ".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return str(value).lower() if isinstance(value, bool) else value


def _csv(lines: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()
