"""The options of `setgf-tui`, without a framework: the first frame should not wait."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from db.errors import DatabaseError
from setgf.errors import SetgfError
from setgf.home import DATABASE_VARIABLE, HOME_VARIABLE, find_home, set_umask
from tui.app import SCREEN_CLASSES, Dashboard
from tui.database_gateway import DatabaseGateway
from tui.terminal import find_abilities
from tui.theme import CONTRAST, DARK, LIGHT

DEFAULT_SIZE = (160, 45)
MIN_SIZE = (40, 12)
DEFAULT_PORT = 8000
SWITCH_SECONDS = 0.001
"""So long a thread that reads may keep a key waiting."""
THEMES = {"dark": DARK.name, "light": LIGHT.name, "contrast": CONTRAST.name}
NO_TERMINAL = (
    "setgf-tui: error: There is no terminal to draw on. Use `setgf watch` in a pipe or a log, "
    "`setgf-tui --serve` for a browser, or `setgf-tui --screenshot FILE.svg` for a picture."
)
EXAMPLES = """\
examples:
  setgf-tui
  setgf-tui --read-only --db postgresql://ada@server/runs
  setgf-tui --screenshot compare.svg --size 120x40
  setgf-tui --serve --port 8000
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    options = argparse.ArgumentParser(
        prog="setgf-tui",
        description="The dashboard: runs with live curves, queue and workers, comparison, data.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("--home", metavar="FOLDER", help="folder, instead of $SETGF_HOME")
    options.add_argument("--db", metavar="URL", help="run database, instead of $SETGF_DATABASE_URL")
    options.add_argument("--read-only", action="store_true", help="change nothing, ever")
    options.add_argument("--screen", choices=list(SCREEN_CLASSES), help="screen to begin with")
    options.add_argument("--theme", choices=list(THEMES), help="instead of the remembered one")
    options.add_argument(
        "--ascii",
        action="store_true",
        help="draw with ASCII alone (so it is where the locale is not UTF-8)",
    )
    options.add_argument(
        "--until-idle",
        action="store_true",
        help="leave when nothing waits in the queue and nothing runs",
    )
    _add_pictures(options)
    options.add_argument(
        "--serve", action="store_true", help="show it in a browser of this machine instead"
    )
    options.add_argument(
        "--port", metavar="N", type=_port, default=DEFAULT_PORT, help="of --serve; default: 8000"
    )
    return options


def _add_pictures(options: argparse.ArgumentParser) -> None:
    options.add_argument(
        "--screenshot",
        metavar="FILE",
        type=Path,
        help="draw one screen into FILE (.svg, .png or .txt) and leave; needs no terminal. "
        "The screen is the one FILE is named after, unless --screen names one",
    )
    options.add_argument(
        "--size", metavar="WxH", type=_size, default=DEFAULT_SIZE, help="cells of the screenshot"
    )
    options.add_argument(
        "--press",
        metavar="KEYS",
        default="",
        help="keys to press before the screenshot, separated by commas: down,enter",
    )


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"`{text}` is not a size; expected `120x40`.")
    if int(width) < MIN_SIZE[0] or int(height) < MIN_SIZE[1]:
        raise argparse.ArgumentTypeError(f"`{text}` is too small; expected 40x12 or more.")
    return int(width), int(height)


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"`{text}` is no port; expected 1 to 65535.")
    return int(text)


def run(arguments: Sequence[str] | None = None) -> int:
    """Show the dashboard, serve it, or draw one screen; return the exit code."""
    chosen = parser().parse_args(arguments)
    for variable, value in ((HOME_VARIABLE, chosen.home), (DATABASE_VARIABLE, chosen.db)):
        if value is not None:
            os.environ[variable] = value
    try:
        if chosen.serve:
            return _serve(chosen)
        return _show(chosen)
    except (SetgfError, DatabaseError) as error:
        print(f"setgf-tui: error: {error}", file=sys.stderr)  # noqa: T201 - the command line
        return error.exit_code


def _show(chosen: argparse.Namespace) -> int:
    home = find_home()
    set_umask()
    gateway = DatabaseGateway(home.database_url, home, read_only=chosen.read_only)
    is_picture = chosen.screenshot is not None
    app = Dashboard(
        gateway,
        first=first_screen(chosen.screen, chosen.screenshot),
        until_idle=chosen.until_idle,
        abilities=find_abilities(
            wants_ascii=chosen.ascii, is_picture=chosen.screenshot is not None
        ),
        theme_name=THEMES.get(chosen.theme or "", ""),
        watches=not is_picture,
    )
    if is_picture:
        from tui.screenshot import save

        keys = [key.strip() for key in chosen.press.split(",") if key.strip()]
        save(app, chosen.screenshot, chosen.size, keys)
        return 0
    is_served = "TEXTUAL_DRIVER" in os.environ
    if not is_served and not (sys.stdin.isatty() and sys.stderr.isatty()):
        print(NO_TERMINAL, file=sys.stderr)  # noqa: T201 - this is the command line
        return 2
    gc.disable()  # the app turns it on again once it has something to show
    sys.setswitchinterval(SWITCH_SECONDS)
    app.run()
    gateway.remembered.save()
    return app.return_code or 0


def first_screen(named: str | None, picture: Path | None) -> str:
    """Return the screen to begin with: the one that is named, else the one of the picture."""
    if named is not None:
        return named
    return picture.stem if picture is not None and picture.stem in SCREEN_CLASSES else "runs"


def _serve(chosen: argparse.Namespace) -> int:
    from tui.serve import serve

    find_home()
    options = [
        *(["--read-only"] if chosen.read_only else []),
        *(["--ascii"] if chosen.ascii else []),
        *(["--screen", chosen.screen] if chosen.screen else []),
        *(["--theme", chosen.theme] if chosen.theme else []),
    ]
    serve(options, chosen.port)
    return 0
