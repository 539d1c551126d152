"""`setgf runs diff`: two runs side by side, only what is different."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from setgf.cli.completion import complete_run
from setgf.cli.output import note, say, say_json
from setgf.cli.run_text import say_plain_table, show_text

if TYPE_CHECKING:
    from db.records import RunDetail
    from setgf.cli.run_difference import Difference, MetricDifference

MOST_PATCH_LINES = 20


def diff_runs(
    first: Annotated[
        str,
        typer.Argument(
            metavar="A", help="Id of a run, or its beginning.", autocompletion=complete_run
        ),
    ],
    second: Annotated[
        str, typer.Argument(metavar="B", help="Id of the other.", autocompletion=complete_run)
    ],
    code: Annotated[
        bool, typer.Option("--code", help="All lines in which uncommitted changes differ.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Unrounded data.")] = False,
) -> None:
    """Show what is different between two runs: settings, code, data, environment, metrics.

    Example: setgf runs diff 4kz2 9a0f
    """
    from setgf.cli.job_words import ask_queue
    from setgf.cli.run_difference import compare_runs

    with ask_queue() as query:
        a, b = query.detail(first), query.detail(second)
    difference = compare_runs(a, b)
    if as_json:
        say_json({"a": a.run.id, "b": b.run.id, **difference.to_dict()})
        return
    if a.run.id == b.run.id:
        note(f"Both are run {a.run.id}.")
    _show(a, b, difference, all_code=code)


def _show(a: RunDetail, b: RunDetail, difference: Difference, *, all_code: bool) -> None:
    for letter, detail in (("A", a), ("B", b)):
        say(f"{letter}  {detail.run.id}  {show_text(detail.run.name)}  {detail.run.state}")
    _show_pairs("Settings", difference.settings)
    _show_pairs("Code", difference.code)
    if difference.patch:
        _show_patch(difference.patch, all_lines=all_code)
    _show_pairs("Data", difference.data)
    _show_pairs("Environment", difference.environment)
    _show_metrics(difference.metrics)


def _show_pairs(title: str, pairs: Mapping[str, tuple[Any, Any]]) -> None:
    if not pairs:
        say(f"\n{title}: the same")
        return
    say(f"\n{title}")
    rows = [(name, _show_entry(a), _show_entry(b)) for name, (a, b) in pairs.items()]
    say_plain_table(("", "A", "B"), rows)


def _show_patch(lines: tuple[str, ...], *, all_lines: bool) -> None:
    say("\nUncommitted changes differ")
    shown = lines if all_lines else lines[:MOST_PATCH_LINES]
    say("\n".join(show_text(line) for line in shown))
    if len(shown) < len(lines):
        say(f"... {len(lines) - len(shown)} more lines; `--code` shows all.")


def _show_metrics(metrics: Mapping[str, MetricDifference]) -> None:
    from setgf.analysis.display import show_value

    if not metrics:
        say("\nMetrics: neither has any yet")
        return
    say("\nMetrics (accuracies and F1 in percent; * the better one)")
    rows: list[tuple[str, str, str, str]] = []
    for name, metric in metrics.items():
        marks = {side: "*" if metric.better == side else " " for side in ("a", "b")}
        delta = "" if metric.delta is None else _signed(name, metric.delta)
        rows.append(
            (
                name,
                show_value(name, metric.a) + marks["a"],
                show_value(name, metric.b) + marks["b"],
                delta,
            )
        )
    say_plain_table(("", "A", "B", "B - A"), rows, right=("A", "B", "B - A"))


def _signed(name: str, delta: float) -> str:
    from setgf.analysis.display import show_value

    return ("+" if delta >= 0 else "") + show_value(name, delta)


def _show_entry(value: Any) -> str:
    """Return a setting or a fact for people; `-` where a run has none."""
    from setgf.analysis.display import show_setting

    if value is None:
        return "-"
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return show_setting(value)
