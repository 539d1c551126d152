"""The user's own program that is told news: without a shell, in its own session, for a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress

from setgf.errors import WorkerError
from setgf.home import HOME_VARIABLE, Home
from setgf.worker.notify import News

VARIABLES = {
    "SETGF_JOB_ID": "job_id",
    "SETGF_JOB_NAME": "name",
    "SETGF_RUN_ID": "run_id",
    "SETGF_STATE": "state",
    "SETGF_ERROR": "error",
}
SAID_BYTES = 500


def run_hook(home: Home, command: Sequence[str], seconds: float, news: News) -> None:
    """Run a program with news as JSON on standard input and as `SETGF_*` variables.

    What it prints goes nowhere but into the error; it and all of its session that is left when its
    time is over is killed.

    Raises:
        WorkerError: it can't be started, ends with another code than 0, or takes too long.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        given.write(json.dumps({"event": news.kind, **news.details}, default=str).encode())
        given.seek(0)
        try:
            # Files, not pipes: what it leaves running can't hold us up.
            process = subprocess.Popen(
                list(command),
                stdin=given,
                stdout=said,
                stderr=said,
                env=_environment(home, news),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            words = error.strerror if isinstance(error, OSError) else str(error)
            raise WorkerError(f"The hook `{command[0]}` can't be started: {words}.") from error
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise WorkerError(
                f"The hook `{command[0]}` was killed: it took longer than {seconds:g} seconds "
                "(`hook.seconds`)."
            ) from None
        finally:
            _end(process)
        if code:
            said.seek(0)
            words = said.read()[-SAID_BYTES:].decode("utf-8", "replace").strip() or "nothing"
            raise WorkerError(f"The hook `{command[0]}` ended with code {code}, saying: {words}")


def _environment(home: Home, news: News) -> dict[str, str]:
    told = {
        variable: str(news.details[name]).replace("\0", "")
        for variable, name in VARIABLES.items()
        if news.details.get(name) is not None
    }
    known = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    return {**known, **told, "SETGF_EVENT": news.kind, HOME_VARIABLE: str(home.root)}


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of its session's group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
