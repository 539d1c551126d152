"""`setgf plot`: curves of runs, printed into the scrollback or a pipe."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from setgf.cli.completion import complete_plotted
from setgf.cli.output import say
from setgf.errors import ConfigError

if TYPE_CHECKING:
    from db.query import Query
    from setgf.cli.plot_lines import PlotOptions

DEFAULT_METRIC = "train.loss"
PIPE_WIDTH, DEFAULT_HEIGHT = 100, 18
NARROWEST, LOWEST = 20, 5
LARGEST = 1000


def plot(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUNS",
            help="Runs by the beginning of their ids, jobs (3 5-9), or group:NAME.",
            autocompletion=complete_plotted,
        ),
    ] = None,
    where: Annotated[
        str | None, typer.Option("--where", metavar="FILTER", help="Runs that match: 'seed < 3'.")
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option("--metric", "-m", help="A series; may be repeated. Default: train.loss."),
    ] = None,
    smooth: Annotated[
        float, typer.Option("--smooth", min=0.0, max=0.999, help="Share of the past: 0.9.")
    ] = 0.0,
    mean: Annotated[
        bool, typer.Option("--mean", help="Runs that differ in the seed as mean +- deviation.")
    ] = False,
    log_y: Annotated[bool, typer.Option("--log-y", help="A logarithmic vertical axis.")] = False,
    x: Annotated[
        Literal["step", "epoch", "time", "clock"],
        typer.Option("--x", help="What the horizontal axis counts."),
    ] = "step",
    width: Annotated[
        int | None, typer.Option(min=NARROWEST, max=LARGEST, help="Cells; default: the terminal.")
    ] = None,
    height: Annotated[
        int | None, typer.Option(min=LOWEST, max=LARGEST, help="Rows of a chart; default: 18.")
    ] = None,
    ascii_only: Annotated[
        bool, typer.Option("--ascii", help="Only characters that every terminal has.")
    ] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Every point as CSV; of `--mean` mean, sd, n.")
    ] = False,
) -> None:
    """Draw series of runs as the dashboard does: every extreme kept, colours where there are some.

    Example: setgf plot group:seeds -m valid.mae --mean --x epoch
    """
    from db import query
    from setgf.cli.plot_lines import PlotOptions
    from setgf.home import find_home

    if not words and where is None:
        raise ConfigError(
            "Name the runs: by the beginning of their ids, as jobs (`3 5-9`), as `group:NAME`, or "
            "by a filter (`--where 'model == setgf'`)."
        )
    options = PlotOptions(smoothing=smooth, x=x, is_mean=mean)
    with query.open(find_home().database_url) as database:
        names = tuple(metrics or (DEFAULT_METRIC,))
        if as_csv:
            _say_csv(database, words or (), where, names, options)
            return
        look = _Look(_size(width, height), log_y=log_y, ascii_only=ascii_only)
        for place, text in enumerate(_charts(database, words or (), where, names, options, look)):
            say(f"\n{text}" if place else text)


@dataclass(frozen=True, slots=True)
class _Look:
    """How the charts are to look."""

    size: tuple[int, int]
    log_y: bool
    ascii_only: bool


def _charts(
    database: Query,
    words: list[str] | tuple[str, ...],
    where: str | None,
    metrics: tuple[str, ...],
    options: PlotOptions,
    look: _Look,
) -> list[str]:
    from setgf.cli.plot_lines import choose_runs, read_lines
    from setgf.cli.plot_text import ChartText

    runs = choose_runs(database, words, where)
    text = ChartText(size=look.size, x=options.x, log_y=look.log_y, ascii_only=look.ascii_only)
    return [
        text.draw(metric, read_lines(database, runs, metric, options), note=_note(options))
        for metric in metrics
    ]


def _say_csv(
    database: Query,
    words: list[str] | tuple[str, ...],
    where: str | None,
    metrics: tuple[str, ...],
    options: PlotOptions,
) -> None:
    from setgf.cli.plot_csv import csv_lines
    from setgf.cli.plot_lines import choose_runs

    for line in csv_lines(database, choose_runs(database, words, where), metrics, options):
        say(line)


def _size(width: int | None, height: int | None) -> tuple[int, int]:
    """Return the cells of a chart: as asked for, else as wide as the terminal."""
    if not sys.stdout.isatty():
        return width or PIPE_WIDTH, height or DEFAULT_HEIGHT
    terminal = shutil.get_terminal_size()
    room = max(terminal.lines - 4, LOWEST)
    return width or max(terminal.columns, NARROWEST), height or min(DEFAULT_HEIGHT, room)


def _note(options: PlotOptions) -> str:
    """Return how the lines were made, where that is not plain."""
    words = [f"smoothed {options.smoothing:g}"] if options.smoothing else []
    return ", ".join([*words, "mean +- sd over seeds"] if options.is_mean else words)
