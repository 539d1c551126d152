"""A gateway with fixed records: no database, no clock of its own, as slow or broken as told."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from db.records import (
    Attempt,
    Checkpoint,
    Curve,
    Device,
    Event,
    Group,
    Job,
    JobState,
    Points,
    Run,
    RunDetail,
    SeriesSummary,
    Worker,
)
from tests.db.builders import new_attempt
from tests.tui.fake_queue import FakeQueue
from tests.tui.fake_run import FakeRun, drift
from tests.tui.fake_runs import FakeRuns
from tui.gateway import GatewayError
from tui.job_records import Alert
from tui.plotting.lines import curve_of
from tui.records import Counts, LogText, StoreFacts
from tui.run_records import LabelDrift
from tui.settings import Remembered

NOW = 1_764_000_000.0
"""Time of every test: an instant on 2025-11-24."""
STEPS_AN_EPOCH = 40


def run(number: int, **changes: Any) -> Run:
    """Return a valid run; its name, seed and id follow from the number."""
    model = ("setgf", "self_mm", "text_only")[number % 3]
    seed = 1111 + number // 3
    state = JobState.SUCCEEDED
    values: dict[str, Any] = {
        "id": f"run{number:05d}",
        "job_id": number + 1,
        "group_id": 1,
        "group_name": "seeds",
        "name": f"{model}-mosi-s{seed}",
        "state": state,
        "attempt": 1,
        "dataset": "mosi",
        "data_name": "mosi",
        "model": model,
        "seed": seed,
        "fingerprint": f"f{number:07d}",
        "variant": f"v{number % 3}",
        "config": {
            "data": {"name": "mosi"},
            "model": {"name": model, "width": 128},
            "optim": {"lr": 1e-3, "lr_text": 5e-5},
            "seed": seed,
        },
        "tags": (),
        "note": "",
        "archived": False,
        "epoch": 12,
        "max_epochs": 30,
        "step": 12 * STEPS_AN_EPOCH,
        "best_epoch": 9,
        "best_valid": 0.9 + 0.01 * (number % 7),
        "monitor": "mae",
        "metrics": {
            "test.mae": 0.95 + 0.013 * (number % 5),
            "test.corr": 0.68,
            "test.acc2_has0": 0.80,
            "test.acc2_non0": 0.82 + 0.002 * (number % 4),
            "test.acc5": 0.42,
            "test.acc7": 0.37 + 0.004 * (number % 3),
        },
        "code_commit": "8d8259f",
        "code_dirty": False,
        "data_fingerprint": "d4f1",
        "parameters": 22_900_000,
        "host": "node-1",
        "device": "cpu",
        "folder": f"/data/ada/setgf/runs/run{number:05d}",
        "created_at": NOW - 7200 - 60 * number,
        "started_at": NOW - 7000 - 60 * number,
        "finished_at": NOW - 6400 - 60 * number,
        "updated_at": NOW - 6400 - 60 * number,
        "error": None,
    }
    return Run(**(values | changes))


def live_run(number: int, epoch: int = 4) -> Run:
    """Return a run that trains."""
    return run(
        number,
        state=JobState.RUNNING,
        epoch=epoch,
        step=epoch * STEPS_AN_EPOCH,
        metrics={},
        finished_at=None,
        started_at=NOW - 95,
        created_at=NOW - 100 - number,
        updated_at=NOW - 1,
    )


def job(number: int, state: JobState, **changes: Any) -> Job:
    """Return a valid job for the run of the same number."""
    of = run(number)
    started = NOW - 95 if state.is_live else NOW - 7000 if state.is_finished else None
    values: dict[str, Any] = {
        "id": number + 1,
        "run_id": of.id,
        "group_id": 1,
        "group_name": "seeds",
        "name": of.name,
        "state": state,
        "reason": "",
        "priority": 0,
        "position": float(number),
        "not_before": None,
        "attempt": 0 if state in (JobState.QUEUED, JobState.HELD) else 1,
        "max_attempts": 3,
        "config": of.config,
        "fingerprint": of.fingerprint,
        "variant": of.variant,
        "dataset": of.dataset,
        "data_name": of.data_name,
        "model": of.model,
        "seed": of.seed,
        "gpus": 0.0,
        "max_epochs": 30,
        "tags": (),
        "command": ("setgf", "queue", "add"),
        "created_at": NOW - 7200,
        "started_at": started,
        "finished_at": NOW - 6400 if state.is_finished else None,
        "worker_id": "node-1-4321" if state.is_live else None,
        "lease_until": NOW + 30 if state.is_live else None,
        "error": None,
        "epoch": 4 if state.is_live else 12 if state.is_finished else 0,
    }
    return Job(**(values | changes))


def worker(**changes: Any) -> Worker:
    """Return a valid worker with two CPU slots and a GPU."""
    values: dict[str, Any] = {
        "id": "node-1-4321",
        "host": "node-1",
        "boot_id": "b",
        "pid": 4321,
        "pid_start": 1,
        "version": "0.1.0",
        "state": "alive",
        "started_at": NOW - 7500,
        "heartbeat_at": NOW - 2,
        "devices": (
            _device("cpu0", "cpu", utilisation=93.0, job_id=1),
            _device("cpu1", "cpu", utilisation=4.0, job_id=None),
            _device("cuda:0", "gpu", utilisation=71.0, job_id=2),
        ),
    }
    return Worker(**(values | changes))


def _device(name: str, kind: str, *, utilisation: float, job_id: int | None) -> Device:
    is_gpu = kind == "gpu"
    return Device(
        worker_id="node-1-4321",
        name=name,
        kind=kind,
        model="NVIDIA A100" if is_gpu else "EPYC",
        memory_mib=81920 if is_gpu else 0,
        memory_used_mib=14200 if is_gpu else 0,
        utilisation=utilisation,
        job_id=job_id,
    )


def curve(of: Run, series: str) -> Points:
    """Return a plausible curve for as many steps as the run has made."""
    per_epoch = not series.startswith("train.")
    ups = any(name in series for name in ("acc", "corr", "f1"))
    shift = 0.05 * (of.seed % 5) + 0.1 * ("setgf", "self_mm", "text_only").index(of.model)
    stride = STEPS_AN_EPOCH if per_epoch else 1
    steps = tuple(range(stride, of.step + 1, stride))
    values: list[float] = []
    for step in steps:
        progress = 1 - math.exp(-step / 150)
        noise = 0 if per_epoch else 0.12 * math.sin(43758.5 * math.sin(12.9898 * (step + shift)))
        fall = 1.6 - 1.1 * progress + shift + noise
        values.append(0.3 + 0.5 * progress - shift / 4 if ups else fall)
    return Points(
        run_id=of.id,
        series=series,
        steps=steps,
        epochs=tuple((step - 1) // STEPS_AN_EPOCH + 1 for step in steps),
        values=tuple(values),
        times=tuple(of.created_at + 0.6 * step for step in steps),
    )


SERIES = (
    "train.audio.loss",
    "train.gradient_norm",
    "train.loss",
    "train.lr",
    "train.text.loss",
    "train.vision.loss",
    "valid.acc2_non0",
    "valid.acc7",
    "valid.corr",
    "valid.loss",
    "valid.mae",
)


@dataclass
class FakeGateway(FakeQueue, FakeRuns, FakeRun):
    """In-memory records; every field may be changed while the dashboard runs."""

    runs: list[Run] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    stores: list[StoreFacts] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    refusal: str = ""
    """Said by every change of the queue while it is set."""
    log: LogText = field(default_factory=lambda: LogText(path="", lines=()))
    drift: LabelDrift | None = field(default_factory=drift)
    part_problem: str = ""
    place: str = "/data/ada/setgf/setgf.db"
    read_only: bool = False
    problem: GatewayError | None = None
    """Raised by every call while it is set."""
    changes: int = 1
    calls: list[tuple[str, Any]] = field(default_factory=list)
    """Actions carried out."""
    trash: list[Run] = field(default_factory=list[Run])
    remembered: Remembered = field(default_factory=lambda: Remembered(None))

    def touch(self) -> None:
        """Say that something changed."""
        self.changes += 1

    def version(self) -> int:
        if self.problem is not None:
            raise self.problem
        return self.changes

    def counts(self) -> Counts:
        states = [job.state for job in self.jobs]
        return Counts(
            waiting=states.count(JobState.QUEUED),
            running=sum(state.is_live for state in states),
            failed=states.count(JobState.FAILED) + states.count(JobState.LOST),
            workers=sum(one.state == "alive" for one in self.workers),
            runs=len(self.runs),
        )

    def run_detail(self, run_id: str) -> RunDetail | None:
        of = next((one for one in self.runs if one.id == run_id), None)
        if of is None:
            return None
        return RunDetail(
            run=of,
            environment={"python": "3.11.9", "os": "Linux", "libraries": {"torch": "2.13.0"}},
            code_diff="",
            command=("setgf", "queue", "add", "--data", "mosi"),
            attempts=(_attempt(of),),
            summaries={name: _summary(curve(of, name)) for name in SERIES if of.step},
            checkpoints=(_checkpoint(of),),
            artifacts=(),
        )

    def list_series(self, run_ids: Sequence[str]) -> tuple[str, ...]:
        begun = any(one.step for one in self.runs if one.id in run_ids)
        return SERIES if begun else ()

    def read_points(
        self, run_ids: Sequence[str], series: str, max_points: int
    ) -> tuple[Points, ...]:
        by_id = {one.id: one for one in self.runs}
        return tuple(
            curve(by_id[run_id], series)
            for run_id in run_ids
            if run_id in by_id and by_id[run_id].step and series in SERIES
        )

    def read_curves(
        self,
        run_ids: Sequence[str],
        series: str,
        windows: Mapping[str, tuple[int, int]] | None = None,
    ) -> tuple[Curve, ...]:
        del windows
        return tuple(curve_of(points) for points in self.read_points(run_ids, series, 0))

    def list_stores(self) -> tuple[StoreFacts, ...]:
        return tuple(self.stores)


def _attempt(of: Run) -> Attempt:
    is_live = of.state.is_live
    return new_attempt(
        of.id,
        job_id=of.job_id,
        worker_id="node-1-4321",
        host="node-1",
        pid=99,
        pid_start=1,
        devices=("cpu0",),
        started_at=of.started_at or NOW,
        ended_at=of.finished_at,
        outcome=None if is_live else str(of.state),
        exit_code=None if is_live else 0,
        log_path=f"{of.folder}/a1/log.txt",
    )


def _checkpoint(of: Run) -> Checkpoint:
    return Checkpoint(
        run_id=of.id,
        attempt=1,
        role="best",
        path="a1/checkpoints/best.pt",
        epoch=9,
        step=360,
        size=91_600_000,
        sha256="ab12cd34",
        created_at=NOW - 6500,
    )


def _summary(points: Points) -> SeriesSummary:
    return SeriesSummary(
        last=points.values[-1],
        last_step=points.steps[-1],
        minimum=min(points.values),
        maximum=max(points.values),
        count=len(points.values),
        non_finite=0,
    )


def store(name: str, **changes: Any) -> StoreFacts:
    """Return the facts of a valid feature store."""
    values: dict[str, Any] = {
        "name": name,
        "dataset": "mosi",
        "num_samples": 2199,
        "lines": (
            f"{name}: 2199 samples (train 1284, valid 229, test 686), mosi, English, unaligned",
            "  source       unaligned_50.pkl",
            "  text         transcripts, word pieces of bert-base-uncased",
            "",
            "Labels",
            "  train  ▁▂▃▄▅▆▇█▇▆▅▄▃▂▁  at most 90 a bin",
            "",
            "Remarks",
            "  - 3 samples of audio held values that are not finite; they were set to zero.",
        ),
    }
    return StoreFacts(**(values | changes))


def normal_gateway() -> FakeGateway:
    """Return a gateway in the middle of a day's work."""
    runs = [live_run(0), live_run(1, epoch=3), *(run(n) for n in range(2, 9))]
    runs[5] = replace(
        runs[5],
        state=JobState.FAILED,
        metrics={},
        error="Loss is NaN in epoch 2 (samples clip_03, clip_07).",
    )
    jobs = [
        job(0, JobState.RUNNING),
        job(1, JobState.RUNNING, epoch=3),
        *(job(n, JobState.SUCCEEDED) for n in range(2, 9) if n != 5),
        job(5, JobState.FAILED, error="Loss is NaN in epoch 2 (samples clip_03, clip_07)."),
        job(9, JobState.QUEUED),
        job(10, JobState.QUEUED, reason="waits for job 10"),
        job(11, JobState.HELD),
    ]
    lines = tuple(
        f"12:00:{n:02d} INFO epoch {n // 5 + 1} step {n * 8} loss {1.5 - n / 50:.3f}"
        for n in range(40)
    )
    return FakeGateway(
        runs=runs,
        jobs=jobs,
        workers=[worker()],
        stores=[store("mosi"), store("sims", dataset="sims")],
        log=LogText(path="/data/ada/setgf/runs/run00000/a1/log.txt", lines=lines),
    )
