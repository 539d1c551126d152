"""`setgf tui`: the dashboard, in the same words as `setgf-tui`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer


def dashboard(
    screen: Annotated[
        Literal["runs", "queue", "run", "compare", "data"],
        typer.Option(help="Screen to begin with."),
    ] = "runs",
    read_only: Annotated[bool, typer.Option(help="Change nothing, ever.")] = False,
    until_idle: Annotated[
        bool, typer.Option(help="Leave when nothing waits in the queue and nothing runs.")
    ] = False,
    screenshot: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Draw one screen into FILE (.svg, .txt) and leave."),
    ] = None,
    size: Annotated[str, typer.Option(help="Cells of the screenshot.")] = "160x45",
) -> None:
    """Show the dashboard: runs with live curves, queue, comparison, data.

    Example: setgf tui --screen queue --read-only
    """
    from tui.app import main

    arguments = ["--screen", screen, "--size", size]
    arguments += ["--read-only"] * read_only + ["--until-idle"] * until_idle
    if screenshot is not None:
        arguments += ["--screenshot", screenshot]
    raise typer.Exit(main(arguments))
