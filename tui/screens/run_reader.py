"""Reads what the Runs screen shows, and never twice what can't have changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import TYPE_CHECKING, Any

from tui.gateway import FilterProblem, Gateway
from tui.plotting.palette import NUM_SLOTS
from tui.records import RunsBody
from tui.widgets.run_table import SPARK_WIDTH

if TYPE_CHECKING:
    from db.records import Curve, Run

SPARK_POINTS = 4 * SPARK_WIDTH
FIRST_ROWS = 60
MAX_SPARKS = 5000
PREFERRED = ("train.loss", "valid.loss", "valid.mae")
VALID_EPOCHS = 2
"""After so many epochs a run has all the series it will have."""

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
    """Steps that a zoomed chart shows, by run: to be read more finely."""
    archived: bool = False
    """Archived runs as well."""
    names: tuple[str, ...] = ()
    """Settings and metrics that columns and groups need."""
    baseline: str = ""
    """The pinned run."""
    is_first: bool = False
    """Only the runs: the first frame should not wait for curves."""


class RunReader:
    """Answers requests in a thread; the screen asks one at a time."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._runs: tuple[Run, ...] = ()
        self._runs_state: tuple[int, str, bool] | None = None
        self._sparks: dict[_Key, tuple[float, ...]] = {}
        self._values: dict[str, tuple[float, Mapping[str, Any]]] = {}
        self._value_names: tuple[str, ...] = ()
        self._series: tuple[str, ...] = ()
        self._series_state: object = None

    def read(self, request: RunsRequest) -> RunsBody:
        """Return runs, series names, curves, sparklines and values of the chosen columns."""
        problem = ""
        try:
            runs = self._read_runs(request.where, archived=request.archived)
        except FilterProblem as error:
            problem, runs = str(error), self._read_runs("", archived=request.archived)
        known = {run.id: run for run in runs}
        baseline = self._baseline(request.baseline, known)
        if request.is_first:
            return RunsBody(runs=runs, baseline=baseline, filter_problem=problem)
        drawn = [known[key] for key in request.drawn if key in known] or default_runs(runs)
        names = self._read_series(drawn or list(runs[:1]))
        series = request.series or next((n for n in PREFERRED if n in names), "".join(names[:1]))
        in_view = [known[k] for k in request.in_view or tuple(known)[:FIRST_ROWS] if k in known]
        # Of what lives only the new points are read, and once: for its line and its sparkline.
        growing = [run for run in in_view if run.state.is_live and run not in drawn]
        read = self._read_curves([*drawn, *growing], series, request.windows)
        valued = [*runs, baseline] if baseline is not None and baseline.id not in known else runs
        return RunsBody(
            runs=runs,
            series=names,
            curves=tuple(read[run.id] for run in drawn if run.id in read),
            sparks=self._read_sparks(in_view, series, read) if series else {},
            values=self._read_values(valued, request.names),
            baseline=baseline,
            filter_problem=problem,
        )

    def _read_runs(self, where: str, *, archived: bool) -> tuple[Run, ...]:
        """Return the runs; while nothing changed, those that were read before."""
        state = (self._gateway.version(), where, archived)
        if state != self._runs_state:
            self._runs = self._gateway.list_runs(where, archived=archived)
            self._runs_state = state
        return self._runs

    def _baseline(self, run_id: str, known: Mapping[str, Run]) -> Run | None:
        """Return the pinned run; one that the filter hides is read by its id."""
        if not run_id or run_id in known:
            return known.get(run_id)
        return next(iter(self._gateway.list_runs(f'id == "{run_id}"', archived=True)), None)

    def _read_series(self, runs: Sequence[Run]) -> tuple[str, ...]:
        """Return the names one can draw; those of runs that have them all from memory."""
        state = tuple(
            (run.id, run.attempt, min(run.epoch, VALID_EPOCHS), run.step > 0) for run in runs
        )
        if state != self._series_state:
            self._series = self._gateway.list_series([run.id for run in runs])
            self._series_state = state
        return self._series

    def _read_values(
        self, runs: Sequence[Run], names: tuple[str, ...]
    ) -> Mapping[str, Mapping[str, Any]]:
        """Return the values of columns; those of unchanged runs come from memory."""
        if not names:
            return {}
        if names != self._value_names:
            self._values, self._value_names = {}, names
        missing = [
            run
            for run in runs
            if run.state.is_live or self._values.get(run.id, (None,))[0] != run.updated_at
        ]
        if missing:
            read = self._gateway.read_values([run.id for run in missing], names)
            for run in missing:
                before, now = self._values.get(run.id), read.get(run.id, {})
                # An equal value stays the same object: comparing what is shown is then free.
                same = before is not None and before[1] == now
                self._values[run.id] = (run.updated_at, before[1] if before and same else now)
        return {run.id: self._values[run.id][1] for run in runs}

    def _read_curves(
        self, runs: Sequence[Run], series: str, windows: Mapping[str, tuple[int, int]]
    ) -> dict[str, Curve]:
        """Return the curves of these runs by run id."""
        if not series:
            return {}
        read = self._gateway.read_curves([run.id for run in runs], series, windows)
        return {curve.run_id: curve for curve in read}

    def _read_sparks(
        self, runs: list[Run], series: str, curves: Mapping[str, Curve]
    ) -> dict[str, tuple[float, ...]]:
        """Return short curves by run id; those of unchanged runs come from memory."""
        from tui.plotting.spark import spark_values

        missing = [
            run for run in runs if run.id not in curves and _key(run, series) not in self._sparks
        ]
        read = {**curves, **self._read_curves(missing, series, {})} if missing else curves
        if len(self._sparks) > MAX_SPARKS:
            self._sparks.clear()
        for run in runs:
            key = _key(run, series)
            if run.id in read:
                values = spark_values(read[run.id].values, SPARK_POINTS)
                # An equal value stays the same object: comparing what is shown is then free.
                if self._sparks.get(key) != values:
                    self._sparks[key] = values
            else:
                self._sparks.setdefault(key, ())
        return {run.id: self._sparks[_key(run, series)] for run in runs}


def default_runs(runs: Iterable[Run]) -> list[Run]:
    """Return what is drawn when nothing is selected: live runs first, then the newest, up to six.

    Of the palette's slots one stays free for the run under the cursor.
    """
    begun = [run for run in runs if run.step > 0 or run.state.is_live]
    return nsmallest(NUM_SLOTS - 2, begun, lambda run: (not run.state.is_live, -run.created_at))


def _key(run: Run, series: str) -> _Key:
    return (run.id, series, run.attempt, run.step)
