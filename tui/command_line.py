"""The options of `setgf-tui`, without a framework: the first frame should not wait."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from setgf.errors import SetgfError
from setgf.home import DATABASE_VARIABLE, HOME_VARIABLE, find_home, set_umask
from tui.app import Dashboard
from tui.database_gateway import DatabaseGateway
from tui.widgets.chrome import SCREENS

DEFAULT_SIZE = (160, 45)
MIN_SIZE = (40, 12)
NO_TERMINAL = (
    "setgf-tui: error: There is no terminal to draw on. Use `setgf watch` in a pipe or a log, or "
    "`setgf-tui --screenshot FILE.svg` for a picture."
)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    options = argparse.ArgumentParser(
        prog="setgf-tui",
        description="The dashboard: runs with live curves, queue and workers, comparison, data.",
    )
    options.add_argument("--home", metavar="FOLDER", help="folder, instead of $SETGF_HOME")
    options.add_argument("--db", metavar="URL", help="run database, instead of $SETGF_DATABASE_URL")
    options.add_argument("--read-only", action="store_true", help="change nothing, ever")
    options.add_argument(
        "--screen",
        choices=[name for name, _ in SCREENS],
        default="runs",
        help="screen to begin with",
    )
    options.add_argument(
        "--until-idle",
        action="store_true",
        help="leave when nothing waits in the queue and nothing runs",
    )
    options.add_argument(
        "--screenshot",
        metavar="FILE",
        type=Path,
        help="draw one screen into FILE (.svg or .txt) and leave; needs no terminal",
    )
    options.add_argument(
        "--size", metavar="WxH", type=_size, default=DEFAULT_SIZE, help="cells of the screenshot"
    )
    return options


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"`{text}` is not a size; expected `120x40`.")
    if int(width) < MIN_SIZE[0] or int(height) < MIN_SIZE[1]:
        raise argparse.ArgumentTypeError(f"`{text}` is too small; expected 40x12 or more.")
    return int(width), int(height)


def run(arguments: Sequence[str] | None = None) -> int:
    """Show the dashboard, or draw one screen; return the exit code."""
    chosen = parser().parse_args(arguments)
    for variable, value in ((HOME_VARIABLE, chosen.home), (DATABASE_VARIABLE, chosen.db)):
        if value is not None:
            os.environ[variable] = value
    try:
        home = find_home()
    except SetgfError as error:
        print(f"setgf-tui: error: {error}", file=sys.stderr)  # noqa: T201 - the command line
        return error.exit_code
    set_umask()
    gateway = DatabaseGateway(home.database_url, home, read_only=chosen.read_only)
    app = Dashboard(gateway, first=chosen.screen, until_idle=chosen.until_idle)
    if chosen.screenshot is not None:
        from tui.screenshot import save

        save(app, chosen.screenshot, chosen.size)
        return 0
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        print(NO_TERMINAL, file=sys.stderr)  # noqa: T201 - this is the command line
        return 2
    app.run()
    return app.return_code or 0
