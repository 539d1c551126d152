"""`setgf worker notify`: whom the worker tells that jobs have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from setgf.cli.output import note, say

if TYPE_CHECKING:
    from setgf.worker.notify import Settings


def notify(
    test: Annotated[
        bool, typer.Option("--test", help="Tell everybody that this is a test.")
    ] = False,
    init: Annotated[
        bool, typer.Option("--init", help="Write a private notify.toml to fill in.")
    ] = False,
) -> None:
    """Show who is told that jobs finish, fail or are all done, and try it.

    Who is told stands in `notify.toml` in the home: URLs of Apprise, and a program of yours. The
    file is private; a running worker takes changes over by itself.

    Example: setgf worker notify --test
    """
    from setgf.errors import ConfigError
    from setgf.home import find_home
    from setgf.worker.notify import read_settings, write_template

    home = find_home()
    if init:
        say(f"Wrote {write_template(home)}. Fill it in, then try `setgf worker notify --test`.")
        return
    settings = read_settings(home)
    if settings is None:
        raise ConfigError(
            f"Nobody is told anything: there is no {home.notify}. Write one with "
            "`setgf worker notify --init`."
        )
    for line in _describe(settings):
        say(line)
    if test:
        _test(settings)


def _describe(settings: Settings) -> list[str]:
    from setgf.worker.notify import mask

    lines = [f"Told: {', '.join(sorted(settings.on)) or 'nothing'}"]
    lines += [f"  {mask(url)}" for url in settings.urls]
    if settings.hook:
        lines.append(f"  program {settings.hook[0]}, {settings.hook_seconds:g} seconds at most")
    return lines if settings.has_any else [*lines, "  nobody; add `urls` or a `[hook]`"]


def _test(settings: Settings) -> None:
    from setgf.errors import WorkerError
    from setgf.home import find_home
    from setgf.worker.news import trial_news
    from setgf.worker.notifier import deliver

    if not settings.urls and not settings.hook:
        raise WorkerError("There is nobody to tell; add `urls` or a `[hook]` to notify.toml.")
    problems = deliver(find_home(), settings, trial_news())
    for problem in problems:
        note(f"setgf: warning: {problem}")
    ways = len(settings.urls) + bool(settings.hook)
    if problems:
        raise WorkerError(f"{len(problems)} of {ways} could not be told.")
    say(f"Told {ways}.")
