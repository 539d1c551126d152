"""`setgf watch`: follow the queue, a job or a run as lines of text, one whenever it changed."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from setgf.cli.completion import complete_job_or_run
from setgf.cli.job_words import ask_queue
from setgf.cli.output import note, say, say_json_line
from setgf.cli.watch_jobs import Watcher
from setgf.errors import ConfigError

if TYPE_CHECKING:
    from db.query import Query
    from setgf.cli.watch_jobs import JobNews
    from setgf.cli.watch_run import RunNews

POLL_SECONDS = 0.3
INTERRUPTED_CODE = 130


def watch(
    work: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]",
            help="A job, or a run by the beginning of its id; default: the whole queue.",
            autocompletion=complete_job_or_run,
        ),
    ] = None,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="End when no job waits or runs.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line instead of text.")
    ] = False,
) -> None:
    """Follow a job or a run to its end, a line an epoch; without an ID the whole queue.

    Of a job or a run the exit code is its end: 0 succeeded, 1 failed or lost, 3 cancelled (or, in
    the foreground, paused). Ctrl-C leaves what is watched alone and gives 130.

    Example: setgf watch 3 && setgf compare
    """
    if work is not None and until_idle:
        raise ConfigError("Name either a job or a run, which is watched to its end, or "
                          "`--until-idle` for the whole queue.")  # fmt: skip
    with ask_queue() as query:
        if work is None:
            _watch_queue(query, until_idle=until_idle, as_json=as_json)
            return
        try:
            code = _watch_one(query, work, as_json=as_json)
        except KeyboardInterrupt:
            note("Not watching any longer; what was watched goes on.")
            code = INTERRUPTED_CODE
    if code:
        raise typer.Exit(code)


def _watch_queue(query: Query, *, until_idle: bool, as_json: bool) -> None:
    watcher = Watcher(query)
    while True:
        for news in watcher.look(time.time()):
            _say(news, as_json=as_json)
        if until_idle and watcher.is_idle:
            note("The queue is idle.")
            return
        watcher.wait(POLL_SECONDS)


def _watch_one(query: Query, work: str, *, as_json: bool) -> int:
    from setgf.cli.live_line import LiveLine
    from setgf.cli.watch_run import RunWatcher, find_work

    watcher = RunWatcher(query, find_work(query, work))
    with LiveLine(is_on=sys.stdout.isatty() and not as_json) as live:
        while True:
            for news in watcher.look(time.time()):
                live.clear()
                _say(news, as_json=as_json)
            if watcher.exit_code is not None:
                return watcher.exit_code
            live.show(watcher.now_doing)
            time.sleep(POLL_SECONDS)


def _say(news: JobNews | RunNews, *, as_json: bool) -> None:
    if as_json:
        say_json_line(news.plain())
    else:
        say(news.text())
    sys.stdout.flush()
