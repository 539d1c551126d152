"""The one place that prints: results to stdout, errors to stderr with their exit code."""

from __future__ import annotations

import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from rich.console import Console

USAGE_EXIT_CODE = 2
INTERRUPTED_EXIT_CODE = 130
_PARSER_WORDS = re.compile(r"^Invalid value for '?([^':]+)'?: ")
DEBUG_VARIABLE = "SETGF_DEBUG"


def say(text: str) -> None:
    """Print a line of result."""
    print(text)


def note(text: str) -> None:
    """Print a remark that is no result, to stderr."""
    print(text, file=sys.stderr)


def say_json(value: Any) -> None:
    """Print a value as JSON; NaN and infinities become null."""
    print(json.dumps(_finite(value), indent=2, ensure_ascii=False, default=str))


def say_json_line(value: Any) -> None:
    """Print a value as JSON on one line, for programs that read on as lines come."""
    print(json.dumps(_finite(value), ensure_ascii=False, default=str))


def say_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[str] = ()
) -> None:
    """Print rows under column names; cut to the terminal's width only when there is a terminal."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    on_right = set(right)
    for column in columns:
        justify = "right" if column in on_right else "left"
        table.add_column(column, justify=justify, no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*row)
    make_console().print(table)


def make_console() -> Console:
    """Return a console on stdout, as wide as the terminal or 1000 where there is none."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 1000
    return Console(width=width, markup=False, highlight=False)


def run_command(command: Callable[[], Any]) -> int:
    """Run a command; turn what went wrong into one line on stderr and an exit code."""
    from setgf.errors import SetgfError

    try:
        left = command()
    except SetgfError as error:
        return _report(error, error.exit_code)
    except KeyboardInterrupt:
        note("setgf: interrupted.")
        return INTERRUPTED_EXIT_CODE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        code = getattr(error, "exit_code", None)
        if isinstance(code, int) and type(error).__module__.startswith("db."):
            return _report(error, code)
        if isinstance(error, OSError):
            return _report(OSError(_describe(error)), 1)
        if callable(getattr(error, "format_message", None)):
            return _report_usage(error)
        raise
    return left if isinstance(left, int) else 0


def _report_usage(error: Any) -> int:
    """Report what the command line's own parser refuses; a group without a command is helped."""
    message = str(error.format_message())
    if message.startswith("Usage:"):
        note(message)
        return USAGE_EXIT_CODE
    words = _PARSER_WORDS.sub(r"`\1`: ", message).strip()
    end = "" if words.endswith((".", "?")) else "."
    command = error.ctx.command_path if getattr(error, "ctx", None) else "setgf"
    return _report(ValueError(f"{words}{end} See `{command} --help`."), USAGE_EXIT_CODE)


def _report(error: BaseException, code: int) -> int:
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exception(error)
    for line in str(error).splitlines() or [type(error).__name__]:
        note(f"setgf: error: {line}")
    return code


def _describe(error: OSError) -> str:
    """Return a sentence for what the system refused."""
    words = error.strerror or str(error)
    where = "The system refuses" if error.filename is None else f"{error.filename} can't be used"
    return f"{where}: {words}."


def _finite(value: Any) -> Any:
    """Return `value` with non-finite floats replaced by None, recursively."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, Mapping):
        pairs = cast(Mapping[Any, Any], value).items()
        return {str(name): _finite(entry) for name, entry in pairs}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in cast(Sequence[Any], value)]
    return value
