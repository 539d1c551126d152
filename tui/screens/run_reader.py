"""Reads what the Runs screen shows, and never twice what can't have changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from db.records import Run
from tui.gateway import FilterProblem, Gateway
from tui.plotting.palette import NUM_SLOTS
from tui.records import RunsBody
from tui.widgets.run_table import SPARK_WIDTH

SPARK_POINTS = 4 * SPARK_WIDTH
FIRST_ROWS = 60
MAX_SPARKS = 5000
PREFERRED = ("train.loss", "valid.loss", "valid.mae")

_Key = tuple[str, str, int, int]
"""Run, series, attempt and step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsRequest:
    """What the Runs screen asks for."""

    where: str
    """Filter expression; empty for all."""
    drawn: tuple[str, ...]
    """Runs whose curves are drawn, in their order."""
    series: str
    """Empty for the first there is."""
    in_view: tuple[str, ...]
    """Runs whose rows can be seen."""
    windows: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """By run id: steps looked at closely."""


class RunReader:
    """Answers requests in a thread; the screen asks one at a time."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._runs: tuple[Run, ...] = ()
        self._runs_state: tuple[int, str] | None = None
        self._sparks: dict[_Key, tuple[float, ...]] = {}

    def read(self, request: RunsRequest) -> RunsBody:
        """Return runs, series names, curves and sparklines."""
        problem = ""
        try:
            runs = self._read_runs(request.where)
        except FilterProblem as error:
            problem, runs = str(error), self._read_runs("")
        known = {run.id: run for run in runs}
        drawn = [known[key] for key in request.drawn if key in known]
        # Nothing is on the screen at the first look: begin with what will be there.
        drawn = drawn or default_runs(runs)
        names = self._gateway.list_series([run.id for run in drawn or runs[:1]])
        series = request.series or next((n for n in PREFERRED if n in names), "".join(names[:1]))
        in_view = [known[k] for k in request.in_view or tuple(known)[:FIRST_ROWS] if k in known]
        return RunsBody(
            runs=runs,
            series=names,
            curves=self._gateway.read_curves([run.id for run in drawn], series, request.windows)
            if series
            else (),
            sparks=self._read_sparks(in_view, series) if series else {},
            filter_problem=problem,
        )

    def _read_runs(self, where: str) -> tuple[Run, ...]:
        """Return the runs; while nothing changed, those that were read before."""
        state = (self._gateway.version(), where)
        if state != self._runs_state:
            self._runs, self._runs_state = self._gateway.list_runs(where), state
        return self._runs

    def _read_sparks(self, runs: list[Run], series: str) -> dict[str, tuple[float, ...]]:
        """Return short curves by run id; those of unchanged runs come from memory."""
        missing = [run for run in runs if _key(run, series) not in self._sparks]
        if missing:
            ids = [run.id for run in missing]
            read = self._gateway.read_points(ids, series, SPARK_POINTS)
            values = {points.run_id: points.values for points in read}
            if len(self._sparks) > MAX_SPARKS:
                self._sparks.clear()
            for run in missing:
                self._sparks[_key(run, series)] = values.get(run.id, ())
        return {run.id: self._sparks.get(_key(run, series), ()) for run in runs}


def default_runs(runs: Iterable[Run]) -> list[Run]:
    """Return what is drawn when nothing is selected: live runs first, then the newest, up to six.

    Of the palette's slots one stays free for the run under the cursor.
    """
    begun = [run for run in runs if run.step > 0 or run.state.is_live]
    newest = sorted(begun, key=lambda run: (not run.state.is_live, -run.created_at))
    return newest[: NUM_SLOTS - 2]


def _key(run: Run, series: str) -> _Key:
    return (run.id, series, run.attempt, run.step)
