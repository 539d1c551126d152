"""Everything of one run: its record, curves, log, predictions, labels and use of the machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from db.errors import NotFoundError
from setgf.errors import SetgfError
from tui.gateway import GatewayError
from tui.records import LogText
from tui.sources.runs import RunReading

if TYPE_CHECKING:
    from db.records import Curve, Event, Points, Prediction, Run, RunDetail
    from tui.run_records import ConfusionPart, LabelDrift, LabelsPart, SamplesPart, SystemPart
    from tui.sources.curves import CurveSource
    from tui.sources.device_use import DeviceUseSource

EVENT_LIMIT = 500


class CurveAccess(RunReading):
    """Reads series."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._curves: CurveSource | None = None

    def read_points(
        self, run_ids: Sequence[str], series: str, max_points: int
    ) -> tuple[Points, ...]:
        """Return a series of several runs, extremes kept; runs without it are left out."""
        found: list[Points] = []
        with self.reading() as query:
            for run_id in run_ids:
                points = self._tail(run_id, series)
                if points is None:
                    try:
                        points = query.points(run_id, series, max_points)
                    except NotFoundError:
                        continue
                found.append(points)
        return tuple(found)

    def read_curves(
        self,
        run_ids: Sequence[str],
        series: str,
        windows: Mapping[str, tuple[int, int]] | None = None,
    ) -> tuple[Curve, ...]:
        """Return a series of several runs to be drawn."""
        from tui.plotting.lines import curve_of
        from tui.sources.curves import CurveSource

        self._curves = self._curves or CurveSource()
        tails = {run_id: self._tail(run_id, series) for run_id in run_ids}
        stored = [run_id for run_id in run_ids if tails[run_id] is None]
        source = self._curves
        read = self.lend(lambda lent: source.read(lent, stored, series, windows or {}))
        found = {curve.run_id: curve for curve in read}
        found |= {key: curve_of(points) for key, points in tails.items() if points is not None}
        return tuple(found[run_id] for run_id in run_ids if run_id in found)

    def _tail(self, run_id: str, series: str) -> Points | None:
        """Read a live run's points from its folder where no worker takes them to the database."""
        run = self._runs.get(run_id)
        if self._has_worker or run is None or not run.state.is_live:
            return None
        from db.records import Points
        from setgf.runs.folder import RunFolder
        from setgf.runs.reader import read_points

        try:
            read = read_points(RunFolder(Path(run.folder)), series)
        except (SetgfError, OSError):
            return None
        if not read:
            return None
        return Points(
            run_id=run_id,
            series=series,
            steps=tuple(point.step for point in read),
            epochs=tuple(point.epoch for point in read),
            values=tuple(point.value for point in read),
            times=tuple(point.time for point in read),
        )


class RunAccess(CurveAccess):
    """Reads what the tabs of the Run screen show; what can't have changed is kept."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._predictions: tuple[tuple[str, str, int, float], tuple[Prediction, ...]] | None = None
        self._samples: tuple[tuple[str, str, int, float], SamplesPart] | None = None
        self._drift: tuple[tuple[str, int, int], LabelDrift | None] | None = None
        self._device_use: DeviceUseSource | None = None

    def run_detail(self, run_id: str) -> RunDetail | None:
        """Return a run with all stored of it; None when there is no such run."""
        with self.reading() as query:
            try:
                detail = query.detail(run_id)
            except NotFoundError:
                return None
        self._runs[detail.run.id] = detail.run
        return detail

    def read_run_curves(self, run_id: str, names: Sequence[str]) -> tuple[Curve, ...]:
        """Return several series of one run to be drawn; those it does not have are left out."""
        return tuple(curve for name in names for curve in self.read_curves([run_id], name))

    def list_events(self, run_id: str) -> tuple[Event, ...]:
        """Return what happened to a run and its job, oldest first."""
        run = self._runs.get(run_id)
        with self.reading() as query:
            events = set(query.events(run_id=run_id, limit=EVENT_LIMIT))
            if run is not None and run.job_id is not None:
                events |= set(query.events(job_id=run.job_id, limit=EVENT_LIMIT))
        return tuple(sorted(events, key=lambda event: event.id))

    def read_log(self, run_id: str, max_bytes: int) -> LogText:
        """Return the end of the newest attempt's log."""
        run = self._runs.get(run_id)
        if run is None or not run.attempt:
            return LogText(path="", lines=())
        path = Path(run.folder) / f"a{run.attempt}" / "log.txt"
        from setgf.worker.logs import read_end

        try:
            lines, is_cut = read_end(path, max_bytes)
        except FileNotFoundError:
            return LogText(path=str(path), lines=())
        except OSError as error:
            return LogText(path=str(path), lines=(f"The log can't be read: {error.strerror}.",))
        return LogText(path=str(path), lines=_without_end(lines), is_cut=is_cut)

    def read_samples(self, run: Run, split: str) -> SamplesPart:
        """Return the predictions on a split with transcripts."""
        from tui.run_records import SamplesPart
        from tui.sources.run_data import samples_of

        key = _version(run, split)
        if self._samples is None or self._samples[0] != key:
            rows = self._read_predictions(run, split)
            samples = tuple(samples_of(run, self.home, split, rows))
            self._samples = (key, SamplesPart(split=split, samples=samples))
        return self._samples[1]

    def read_confusion(self, run: Run, split: str, branch: str) -> ConfusionPart:
        """Return the confusion matrices of a branch on a split."""
        from tui.sources.run_data import confusion_part

        return confusion_part(run, split, branch, self._read_predictions(run, split))

    def read_labels(self, run: Run, names: Sequence[str]) -> LabelsPart:
        """Return how the unimodal labels drifted."""
        from tui.run_records import LabelsPart
        from tui.sources.run_data import label_drift

        key = (run.id, run.attempt, run.epoch)
        if self._drift is None or self._drift[0] != key:
            try:
                self._drift = (key, label_drift(run, self.home))
            except SetgfError as error:
                raise GatewayError(str(error)) from error
        drift = self._drift[1]
        return LabelsPart(drift=drift, curves=() if drift else self.read_run_curves(run.id, names))

    def read_system(self, detail: RunDetail) -> SystemPart:
        """Return what the run's attempts needed of their devices, and its loss beside it."""
        from tui.run_records import SystemPart
        from tui.sources.device_use import DeviceUseSource, attempts_used

        self._device_use = self._device_use or DeviceUseSource()
        with self.reading() as query:
            attempts = attempts_used(query, detail)
            devices = self._device_use.read(query, detail.attempts, self.clock())
        loss = self.read_run_curves(detail.run.id, ["train.loss"])
        return SystemPart(attempts=attempts, devices=devices, loss=loss)

    def _read_predictions(self, run: Run, split: str) -> tuple[Prediction, ...]:
        key = _version(run, split)
        if self._predictions is None or self._predictions[0] != key:
            with self.reading() as query:
                self._predictions = (key, query.predictions(run.id, split))
        return self._predictions[1]


def _version(run: Run, split: str) -> tuple[str, str, int, float]:
    """Return what changes whenever a run's predictions may: they are stored as it ends."""
    return (run.id, split, run.attempt, run.updated_at)


def _without_end(lines: list[str]) -> tuple[str, ...]:
    """Return the lines without the empty one after the last line break."""
    return tuple(lines[:-1] if lines and not lines[-1] else lines)
