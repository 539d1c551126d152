"""The part of the fake gateway that tells of one run, and that compares runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from db.records import Curve, Event, Prediction, Run, RunDetail
from tui.compare_records import (
    ALL,
    CompareBody,
    CompareSection,
    ModelRow,
    RowKind,
    Score,
    Significance,
)
from tui.gateway import GatewayError
from tui.records import LogText
from tui.run_records import (
    AttemptUse,
    ConfusionPart,
    DeviceUse,
    LabelDrift,
    LabelsPart,
    Sample,
    SamplesPart,
    SystemPart,
)
from tui.sources.run_data import confusion_part

NOW = 1_764_000_000.0
NUM_SAMPLES = 20
WORDS = ("negative", "neutral", "positive")


def prediction(number: int) -> Prediction:
    """Return a prediction; the number says how wrong it is."""
    return Prediction(
        sample_id=f"clip_{number:02d}",
        label=(number % 7) - 3.0,
        fusion=((number * 5) % 7) - 2.6,
        text=0.5,
        audio=0.1 * number,
        vision=-0.2,
    )


def sample(number: int) -> Sample:
    """Return a prediction with its transcript."""
    row = prediction(number)
    return Sample(
        prediction=row,
        transcript=f"and the plot was number {number} of its kind",
        label_class=f"{round(row.label):d}",
        score_class=f"{round(row.fusion):d}",
    )


def drift(num_samples: int = 12, epochs: int = 9, *, with_human: bool = False) -> LabelDrift:
    """Return a history in which text labels move up, audio labels down, each sample further."""
    annotated = np.linspace(-3, 3, num_samples).astype(np.float32)
    steps = np.arange(1, epochs + 1, dtype=np.float32)[:, None] / epochs
    far = np.linspace(0, 2, num_samples, dtype=np.float32)[None]
    labels = np.stack([annotated + steps * far, annotated - steps * far / 2], axis=1)
    human = {"text": annotated + np.float32(0.5)} if with_human else {}
    ids = tuple(f"clip_{n:02d}" for n in range(num_samples))
    return LabelDrift(
        modalities=("text", "audio"),
        sample_ids=ids,
        epochs=tuple(range(1, epochs + 1)),
        annotated=annotated,
        labels=labels.astype(np.float32),
        human=human,
        transcripts={one: f"the words of {one}" for one in ids},
    )


class FakeRun:
    """What is stored of a run with points: predictions when it is over, labels, samples."""

    runs: list[Run]
    log: LogText
    drift: LabelDrift | None
    part_problem: str
    """Said by every reading of a tab's part while it is set."""

    def read_curves(self, run_ids: Sequence[str], series: str) -> tuple[Curve, ...]:
        raise NotImplementedError

    def _refuse(self) -> None:
        if self.part_problem:
            raise GatewayError(self.part_problem)

    def read_run_curves(self, run_id: str, names: Sequence[str]) -> tuple[Curve, ...]:
        self._refuse()
        return tuple(curve for name in names for curve in self.read_curves([run_id], name))

    def list_events(self, run_id: str) -> tuple[Event, ...]:
        self._refuse()
        states = ("queued", "starting", "running")
        of = next(one for one in self.runs if one.id == run_id)
        return tuple(
            Event(
                id=place,
                at=NOW - 100 + 2 * place,
                kind="job",
                job_id=1,
                run_id=run_id,
                attempt=1,
                from_state=states[place - 1] if place else None,
                to_state=state,
                why="claimed by node-1-4321" if place == 1 else "",
                actor="ada" if not place else "worker",
            )
            for place, state in enumerate(states if of.step else ())
        )

    def read_log(self, run_id: str, max_bytes: int) -> LogText:
        self._refuse()
        return self.log

    def _predictions(self, of: Run) -> tuple[Prediction, ...]:
        self._refuse()
        return tuple(prediction(n) for n in range(NUM_SAMPLES)) if of.step else ()

    def read_samples(self, run: Run, split: str) -> SamplesPart:
        found = tuple(sample(n) for n in range(len(self._predictions(run))))
        return SamplesPart(split=split, samples=found if split == "test" else found[:5])

    def read_confusion(self, run: Run, split: str, branch: str) -> ConfusionPart:
        return confusion_part(run, split, branch, self._predictions(run))

    def read_labels(self, run: Run, names: Sequence[str]) -> LabelsPart:
        self._refuse()
        if self.drift is not None and run.step:
            return LabelsPart(drift=self.drift)
        return LabelsPart(curves=self.read_run_curves(run.id, names))

    def read_system(self, detail: RunDetail) -> SystemPart:
        self._refuse()
        run = detail.run
        if not run.step:
            return SystemPart()
        times = NOW - 100 + np.arange(50.0) * 2
        use = 60 + 30 * np.sin(np.arange(50.0) / 4)
        attempts = tuple(
            AttemptUse(
                number=one.number,
                host=one.host,
                devices=one.devices,
                started_at=NOW - 100,
                ended_at=None if run.state.is_live else NOW,
                outcome=one.outcome,
                peak_memory_mib=2150,
                peak_gpu_mib=9216,
            )
            for one in detail.attempts
        )
        device = DeviceUse(
            name="cuda:0", times=times, utilisation=use, memory_mib=np.full(50, 9216.0)
        )
        loss = self.read_run_curves(run.id, ["train.loss"])
        moved = [
            replace(c, times=NOW - 90 + 80 * np.arange(len(c.times)) / len(c.times)) for c in loss
        ]
        return SystemPart(attempts=attempts, devices=(device,), loss=tuple(moved))

    def compare(self, choice: str, baseline: str | None) -> CompareBody:
        if not self.runs:
            return CompareBody()
        names = ("mosi", "sims")
        choice = choice if choice in (*names, ALL) else "mosi"
        shown = names if choice == ALL else (choice,)
        return CompareBody(
            choices=(*names, ALL),
            choice=choice,
            lower_is_better=frozenset({"mae"}),
            sections=tuple(_section(name, baseline or "") for name in shown),
        )


def _section(name: str, baseline: str) -> CompareSection:
    two = "acc2_non0" if name == "mosi" else "acc2"
    metrics = ("acc2_has0", "acc2_non0", "f1_has0", "f1_non0", "acc5", "acc7", "mae", "corr")
    if name == "sims":
        metrics = ("acc2", "acc3", "acc5", "f1", "mae", "corr")
    rows = (
        _row("setgf", name, 0.95, 0.84, 0.43, baseline),
        _row("self_mm", name, 0.97, 0.83, 0.41, baseline),
        _row("text_only", name, 1.01, 0.79, 0.38, baseline),
        _other("train median", RowKind.FLOOR, name, {"mae": 1.276, two: 0.55, "acc7": 0.16}),
        _other("Self-MM", RowKind.PUBLISHED, name, {"mae": 0.713, two: 0.848, "acc7": 0.46}),
        _other("MulT", RowKind.PUBLISHED, name, {"mae": 0.88, two: 0.83, "acc7": 0.46}),
    )
    is_official = name == "mosi"
    note = "" if is_official else "published results are of 457 test samples, `sims` has 60"
    return CompareSection(
        data_name=name,
        dataset=name,
        metrics=metrics,
        rows=rows,
        is_comparable=is_official,
        note=note,
    )


def _row(label: str, data: str, mae: float, acc2: float, acc7: float, baseline: str) -> ModelRow:
    def score(mean: float) -> Score:
        half = 0.0306 * mean
        return Score(mean=mean, sd=0.0123 * mean, low=mean - half, high=mean + half, n=3)

    means = {
        "acc2": acc2,
        "acc2_has0": acc2 - 0.02,
        "acc2_non0": acc2,
        "acc3": 0.6,
        "acc5": acc7 + 0.05,
        "acc7": acc7,
        "f1": acc2 - 0.001,
        "f1_has0": acc2 - 0.021,
        "f1_non0": acc2 - 0.001,
        "mae": mae,
        "corr": 0.68,
    }
    key = f"{label} {data}"
    is_baseline = baseline.split(" ")[0] == label
    against = Significance(mean=mae - 1.01, low=mae - 1.05, high=mae - 0.97, p=0.012)
    return ModelRow(
        key=key,
        kind=RowKind.RUNS,
        label=label,
        model=label,
        num_seeds=3,
        num_failed=1 if label == "text_only" else 0,
        scores={name: score(mean) for name, mean in means.items()},
        against=against if baseline and not is_baseline else None,
        is_baseline=is_baseline,
    )


def _other(label: str, kind: RowKind, data: str, scores: dict[str, float]) -> ModelRow:
    remark = "mean of 5 seeds, validation-selected; MMSA results (2025-01-15)"
    return ModelRow(
        key=f"{kind} {label} {data}",
        kind=kind,
        label=label,
        scores={name: Score(mean=mean, sd=None) for name, mean in scores.items()},
        remark=remark if kind is RowKind.PUBLISHED else "",
    )
