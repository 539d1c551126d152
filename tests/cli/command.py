"""Runs `setgf` inside the test's process: exit code, stdout and stderr as a user gets them."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

from setgf.cli.main import app
from setgf.cli.output import run_command


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, parsed."""
        return json.loads(self.out)


def run_setgf(*arguments: object) -> Outcome:
    """Run `setgf` with arguments."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = run_command(lambda: app([str(a) for a in arguments], standalone_mode=False))
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 0
    return Outcome(code, out.getvalue(), err.getvalue())
