"""The `setgf` command: assembles the groups and owns exit codes."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from setgf import __version__
from setgf.cli import (
    compare,
    configs,
    dashboard,
    data,
    database,
    evaluate,
    homes,
    metrics,
    model,
    plot,
    predict,
    queue,
    run_gc,
    runs,
    top,
    train,
    watch,
    worker,
)
from setgf.cli.output import DEBUG_VARIABLE, run_command, say

app = typer.Typer(
    name="setgf",
    help="Multimodal sentiment analysis: train, queue, watch and compare from the terminal.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(data.app, name="data")
app.add_typer(queue.app, name="queue")
app.add_typer(worker.app, name="worker")
app.add_typer(runs.app, name="runs")
app.add_typer(model.app, name="model")
app.add_typer(database.app, name="db")
app.add_typer(homes.app, name="home")
app.command("train")(train.train)
app.command("eval")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("metrics")(metrics.metrics)
app.command("compare")(compare.compare)
app.command("config")(configs.config)
app.command("gc")(run_gc.collect)
app.command("watch")(watch.watch)
app.command("plot")(plot.plot)
app.command("top")(top.top)
app.command("tui")(dashboard.dashboard)


@app.callback()
def options(
    home: Annotated[
        str | None, typer.Option(help="Folder of everything; instead of $SETGF_HOME.")
    ] = None,
    db: Annotated[
        str | None, typer.Option(help="Run database URL; instead of $SETGF_DATABASE_URL.")
    ] = None,
    debug: Annotated[bool, typer.Option(help="Show the traceback of an error.")] = False,
) -> None:
    """Options of every command."""
    from setgf.home import DATABASE_VARIABLE, HOME_VARIABLE, set_umask

    for variable, value in ((HOME_VARIABLE, home), (DATABASE_VARIABLE, db)):
        if value is not None:
            os.environ[variable] = value
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"
    set_umask()


@app.command("version")
def version() -> None:
    """Print the version."""
    say(__version__)


def main() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(run_command(lambda: app(standalone_mode=False)))


if __name__ == "__main__":
    main()
