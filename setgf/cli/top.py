"""`setgf top`: queue, workers and devices at a glance, refreshed where it stands."""

from __future__ import annotations

import os
import shutil
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from setgf.cli.job_words import ask_queue
from setgf.cli.output import say, say_json

if TYPE_CHECKING:
    from db.query import Query
    from setgf.cli.top_text import Glance

PIPE_SIZE = (120, 40)


def top(
    interval: Annotated[
        float, typer.Option(min=0.2, max=3600.0, help="Seconds between two looks.")
    ] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Print it once and leave.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it once as JSON.")] = False,
) -> None:
    """Show what runs, what waits, the workers and their devices; `q` leaves.

    Where stdout or stdin is no terminal it is printed once.

    Example: setgf top --once
    """
    from setgf.cli.top_text import as_plain, draw

    with ask_queue() as query:
        if as_json:
            say_json(as_plain(_look(query)))
        elif once or not (sys.stdout.isatty() and sys.stdin.isatty()):
            width, _ = shutil.get_terminal_size(PIPE_SIZE)
            lines = draw(_look(query), width if sys.stdout.isatty() else PIPE_SIZE[0], height=None)
            say("\n".join(line.text for line in lines))
        else:
            _run(query, interval)


def _look(query: Query) -> Glance:
    from setgf.cli.top_text import read

    return read(query, now=time.time())


def _run(query: Query, interval: float) -> None:
    """Draw again and again until `q`, Escape or Ctrl-C."""
    from setgf.cli.screen import Screen
    from setgf.cli.top_text import draw

    has_colour = not os.environ.get("NO_COLOR")
    with Screen() as screen:
        while True:
            try:
                lines = draw(_look(query), screen.width, height=screen.height)
            except Exception as error:
                if not type(error).__module__.startswith("db."):
                    raise
                # What is shown stays; the database may come back.
                screen.show_problem(str(error))
            else:
                screen.show([line.row(has_colour=has_colour) for line in lines])
            if screen.wait_for_key(interval) in ("q", "Q", "\x1b", "\x03"):
                return
