"""The runs that are meant, and their series as the lines of a chart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from db.envelopes import read_curve, read_heads
from db.errors import NotFoundError
from setgf.cli.run_text import show_text
from tui.plotting.bands import group_lines
from tui.plotting.lines import Line, XAxis, line_of
from tui.plotting.palette import assign_slots

if TYPE_CHECKING:
    from db.query import Query
    from db.records import Run

COLUMNS = 1000
"""Buckets of a long series: enough for the dots of a terminal of 500 cells."""
GROUP = "group:"
_FEW = 12
_AXES = {"step": XAxis.STEP, "epoch": XAxis.EPOCH, "time": XAxis.TIME, "clock": XAxis.CLOCK}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotOptions:
    """How series become lines."""

    smoothing: float = 0.0
    """Share of the past in the average, 0 to below 1."""
    x: str = "step"
    """`step`, `epoch`, `time` or `clock`."""
    is_mean: bool = False
    """Runs that differ in the seed only become one line with a band."""


def choose_runs(database: Query, words: Iterable[str], where: str | None) -> tuple[Run, ...]:
    """Return the runs that are meant, in the order they were named.

    Raises:
        NotFoundError: no such run, job or group, or none matches.
    """
    found: dict[str, Run] = {}
    for word in words:
        for run in _runs_of(database, word):
            found.setdefault(run.id, run)
    if where is not None:
        matching = database.runs(where=where, archived=True)
        kept = {run.id for run in matching} & found.keys() if found else None
        found = {run.id: run for run in matching if kept is None or run.id in kept}
    if not found:
        raise NotFoundError("No run matches. `setgf runs list` shows all runs.")
    return tuple(found.values())


def _runs_of(database: Query, word: str) -> Iterator[Run]:
    """Yield the runs of one word; of jobs without a run yet, none."""
    if word.startswith(GROUP):
        yield from _runs_of_group(database, word.removeprefix(GROUP))
        return
    ids = _job_ids(word)
    known = {job.id: job for job in database.jobs(ids=ids)} if ids else {}
    if not known or len(known) < len(ids):
        yield database.run(word)
        return
    for job in known.values():
        if job.attempt:
            yield database.run(job.run_id)


def _job_ids(word: str) -> tuple[int, ...]:
    from setgf.cli.job_words import parse_ids
    from setgf.errors import ConfigError

    try:
        return parse_ids([word])
    except ConfigError:
        return ()


def _runs_of_group(database: Query, name: str) -> Iterator[Run]:
    found = [run for run in database.runs(archived=True) if run.group_name == name]
    if not found and name not in {group.name for group in database.groups()}:
        from db.filters import nearest

        hint = nearest(name, [group.name for group in database.groups()])
        raise NotFoundError(f"There is no group `{name}`.{hint} See `setgf queue groups`.")
    yield from sorted(found, key=lambda run: run.created_at)


def read_lines(
    database: Query, runs: Sequence[Run], metric: str, options: PlotOptions
) -> tuple[Line, ...]:
    """Return a series of the runs as lines, in stable colours.

    Raises:
        NotFoundError: no run has points of the series; names those there are.
    """
    slots = assign_slots((run.id for run in runs), {})
    labels = _labels(runs)
    known = {run.id: run for run in runs}
    with database.database.read() as connection:
        lines = [
            line_of(
                read_curve(connection, head, COLUMNS),
                label=labels[head.run_id],
                slot=slots[head.run_id],
                x_axis=_AXES[options.x],
                smoothing=options.smoothing,
                best_epoch=known[head.run_id].best_epoch,
            )
            for head in read_heads(connection, [run.id for run in runs], metric)
        ]
    if not lines:
        raise NotFoundError(_no_series(database, runs, metric))
    if not options.is_mean:
        return tuple(lines)
    variants = {run.id: run.variant for run in runs}
    names = {run.variant: _shared_name(run) for run in runs}
    return group_lines(lines, variants, names)


def _labels(runs: Sequence[Run]) -> dict[str, str]:
    """Return what the runs are called: by their names where those differ, else with their ids."""
    names = [run.name for run in runs]
    return {
        run.id: show_text(run.name if names.count(run.name) == 1 else f"{run.name} {run.id}")
        for run in runs
    }


def _shared_name(run: Run) -> str:
    """Return what the runs of a variant have in common."""
    return show_text(run.name.removesuffix(str(run.seed)).rstrip(" -") or run.model)


def _no_series(database: Query, runs: Sequence[Run], metric: str) -> str:
    """Return a sentence with the series there are."""
    from db.filters import nearest

    known = sorted({name for run in runs[:_FEW] for name in database.series(run.id)})
    if not known:
        return f"There are no points of `{metric}` yet: the runs have not written any."
    hint = nearest(metric, known)
    few = ", ".join(known[:_FEW]) + (", ..." if len(known) > _FEW else "")
    return f"None of the runs has a series `{metric}`.{hint} They have {few}."
