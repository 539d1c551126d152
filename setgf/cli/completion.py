"""What the shell offers after Tab: ids and names from the run database, and the package's words.

Completing must never print an error, wait long or change anything: where something can't be read,
nothing is offered. The database is read by plain SQL, without SQLAlchemy.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from db.statements import Statements

Found = list[tuple[str, str]]
"""Words to offer, each with a few words about it."""
MOST = 500
GROUP = "group:"
_VARIABLE = "_SETGF_COMPLETE"
_SAFE_WORD = re.compile(r"[\w@%+=:,./ -]+")
_UNSAFE = re.compile(r"[^\w@%+=,. -]")
_UNFINISHED = "('held', 'queued', 'starting', 'running', 'stopping', 'paused', 'lost')"


def complete_job(ctx: typer.Context, incomplete: str) -> Found:
    """Offer the ids of jobs, those that are not over first."""
    return _quietly(ctx, lambda: _jobs(incomplete))


def complete_jobs(ctx: typer.Context, incomplete: str) -> Found:
    """Offer the ids of jobs and the names of groups as `group:NAME`."""
    named: Sequence[str] = ctx.params.get("jobs") or ()
    return _quietly(ctx, lambda: _jobs_or_groups(named, incomplete))


def complete_needed(ctx: typer.Context, incomplete: str) -> Found:
    """Offer the ids of jobs to wait for, those that are not over first."""
    return _quietly(ctx, lambda: _jobs(incomplete))


def complete_group(ctx: typer.Context, incomplete: str) -> Found:
    """Offer the names of groups, the newest first."""
    return _quietly(ctx, lambda: _groups(incomplete))


def complete_run(ctx: typer.Context, incomplete: str) -> Found:
    """Offer the ids of runs with their names, the newest first."""
    return _quietly(ctx, lambda: _runs(incomplete))


def complete_job_or_run(ctx: typer.Context, incomplete: str) -> Found:
    """Offer the ids of jobs and of runs."""
    return _quietly(ctx, lambda: [*_jobs(incomplete), *_runs(incomplete)])


def complete_plotted(ctx: typer.Context, incomplete: str) -> Found:
    """Offer the ids of runs and jobs, and the names of groups as `group:NAME`."""
    named: Sequence[str] = ctx.params.get("words") or ()
    return _quietly(ctx, lambda: [*_runs(incomplete), *_jobs_or_groups(named, incomplete)])


def complete_store(ctx: typer.Context, incomplete: str) -> Found:
    """Offer the names of feature stores."""

    def stores() -> Found:
        from setgf.data.find_store import store_names
        from setgf.home import find_home

        return _beginning(((name, "") for name in store_names(find_home())), incomplete)

    return _quietly(ctx, stores)


def complete_model(ctx: typer.Context, incomplete: str) -> Found:
    """Offer the names of models; after a comma another."""

    def models() -> Found:
        from setgf.worker.submit import MODEL_NAMES

        named, comma, _ = incomplete.rpartition(",")
        chosen = named.split(",")
        return _beginning(
            ((f"{named}{comma}{name}", "") for name in MODEL_NAMES if name not in chosen),
            incomplete,
        )

    return _quietly(ctx, models)


def complete_preset(ctx: typer.Context, incomplete: str) -> Found:
    """Offer the names of the package's presets."""

    def presets() -> Found:
        from setgf.config import preset_names

        return _beginning(((name, "") for name in preset_names()), incomplete)

    return _quietly(ctx, presets)


def complete_setting(ctx: typer.Context, incomplete: str) -> Found:
    """Offer the names of settings with `=`; also bare ones, once they are begun."""

    def settings() -> Found:
        from setgf.config import ExperimentConfig, short_name

        defaults = ExperimentConfig().flatten()
        offered = {name: str(value) for name, value in defaults.items()}
        if incomplete:
            offered |= {short_name(name): str(value) for name, value in defaults.items()}
        found = _beginning(((f"{name}=", "") for name in offered), incomplete)
        if len(found) == 1:  # with a second one the shell puts no space behind the `=`
            only = found[0][0]
            found.append((only + offered[only.removesuffix("=")], "as it is by default"))
        return found

    return _quietly(ctx, settings)


def complete_setting_name(ctx: typer.Context, incomplete: str) -> Found:
    """Offer the names of settings."""

    def names() -> Found:
        from setgf.config import setting_names, short_name

        bare = [short_name(name) for name in setting_names()] if incomplete else []
        return _beginning(
            ((name, "") for name in dict.fromkeys((*setting_names(), *bare))), incomplete
        )

    return _quietly(ctx, names)


def _jobs_or_groups(named: Sequence[str], incomplete: str) -> Found:
    # Bash takes `group:NAME` for three words, and replaces only the last.
    words = [*named, incomplete]
    if words[-3:-1] == ["group", ":"] or words[-2:] == ["group", ":"]:
        return _groups("" if incomplete == ":" else incomplete)
    if incomplete.startswith(GROUP):
        return [(GROUP + name, words) for name, words in _groups(incomplete[len(GROUP) :])]
    found = _jobs(incomplete)
    if GROUP.startswith(incomplete):
        found += [(GROUP + name, words) for name, words in _groups("")]
    return found


def _jobs(incomplete: str) -> Found:
    with _statements() as statements:
        rows = statements.rows(
            "SELECT id, name, state FROM jobs WHERE cleared_at IS NULL "
            f"ORDER BY state NOT IN {_UNFINISHED}, id DESC LIMIT {10 * MOST}",
            {},
        )
    return _beginning(
        ((str(job_id), f"{name}, {state}") for job_id, name, state in rows), incomplete
    )


def _groups(incomplete: str) -> Found:
    with _statements() as statements:
        rows = statements.rows("SELECT name, kind FROM groups ORDER BY id DESC", {})
    return _beginning(((str(name), str(kind)) for name, kind in rows), incomplete)


def _runs(incomplete: str) -> Found:
    with _statements() as statements:
        rows = statements.rows(
            f"SELECT id, name, state FROM runs ORDER BY created_at DESC LIMIT {10 * MOST}", {}
        )
    named = ((str(run_id), f"{name}, {state}") for run_id, name, state in rows)
    return _beginning(named, incomplete)


def _beginning(words: Iterable[tuple[str, str]], incomplete: str) -> Found:
    return [(word, about) for word, about in words if word.startswith(incomplete)][:MOST]


def _quietly(ctx: typer.Context, find: Callable[[], Found]) -> Found:
    """Return what is found; nothing where something is wrong: a shell has no place for errors."""
    from setgf.home import DATABASE_VARIABLE, HOME_VARIABLE

    named: dict[str, Any] = ctx.find_root().params
    for option, variable in (("home", HOME_VARIABLE), ("db", DATABASE_VARIABLE)):
        if named.get(option):
            os.environ[variable] = str(named[option])
    try:
        return list(_harmless(find()))
    except Exception:  # noqa: BLE001 (whatever it is, the shell only wants words)
        return []


def _harmless(found: Found) -> Iterator[tuple[str, str]]:
    """Yield what a shell can be given: zsh evaluates the words, and bash expands their stars.

    A name of another user must run nothing here; one that could is not offered.
    """
    is_bash = os.environ.get(_VARIABLE, "").endswith("bash")
    for word, about in found:
        if _SAFE_WORD.fullmatch(word):
            yield word.replace(" ", "\\ ") if is_bash else word, _UNSAFE.sub("_", about)


@contextmanager
def _statements() -> Generator[Statements]:
    """Open the run database as it is: never made, never brought to another version."""
    from db.errors import NotFoundError
    from db.statements import EngineStatements, FileStatements, file_connection, file_path
    from setgf.home import find_home

    url = find_home().database_url
    connection = file_connection(url, read_only=True)
    if connection is not None:
        with closing(connection):
            yield FileStatements(connection)
        return
    if file_path(url) is not None:
        raise NotFoundError(f"No run database of this version at `{url}`.")
    from db.engine import open_database

    with (
        closing(open_database(url, read_only=True, create=False)) as database,
        database.read() as inner,
    ):
        yield EngineStatements(inner)
