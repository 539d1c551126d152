"""Ended runs with a real folder: checkpoints, points and predictions, indexed as a worker does."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

from db.engine import open_database
from setgf.config import build_config
from setgf.home import find_home
from setgf.runs.folder import AttemptFolder, RunFolder, RunIdentity
from setgf.runs.recorder import FolderRecorder
from setgf.terms import Dataset
from setgf.worker.rebuild import index_run


@dataclass(frozen=True)
class Sample:
    """Scores of one sample."""

    sample_id: str
    label: float
    fusion: float
    text: float | None = None
    audio: float | None = None
    vision: float | None = None


def make_run(
    run_id: str,
    *,
    name: str = "a run",
    seed: int = 1111,
    settings: Mapping[str, object] | None = None,
    points: Mapping[str, list[float]] | None = None,
    predictions: list[Sample] | None = None,
    metrics: Mapping[str, float] | None = None,
    checkpoints: tuple[str, ...] = (),
    environment: Mapping[str, object] | None = None,
    tags: tuple[str, ...] = (),
    finished: bool = True,
) -> RunFolder:
    """Make and index a run; `checkpoints` are like `last-10`, `best-3`, 1000 bytes each."""
    config = build_config(
        dataset=Dataset.MOSI,
        settings={"data.name": "demo", "model.name": "setgf", "seed": seed, **(settings or {})},
    )
    identity = RunIdentity(
        id=run_id,
        name=name,
        dataset="mosi",
        data_name="demo",
        model="setgf",
        seed=seed,
        fingerprint=config.fingerprint,
        variant=config.variant,
        max_epochs=config.train.max_epochs,
        monitor=config.train.monitor,
        created_at=time.time() - 1000,
        tags=tags,
        command=("setgf", "train", "--data", "demo"),
    )
    folder = RunFolder(find_home().runs / run_id)
    folder.create(identity, config.to_dict())
    if environment is not None:
        folder.environment.write_text(json.dumps(environment), encoding="utf-8")
    attempt = folder.begin_attempt(1)
    recorder = FolderRecorder(attempt)
    recorder.event("started", resume_step=0, device="cpu", parameters=12345)
    recorder.begin_epoch(1)
    for series, values in (points or {}).items():
        for step, value in enumerate(values, 1):
            recorder.log(step, {series: value})
    if predictions:
        recorder.save_predictions("test", predictions)
    write_checkpoints(attempt, checkpoints, recorder)
    if finished:
        recorder.event(
            "finished",
            best_epoch=1,
            best_valid=0.5,
            epochs=1,
            steps=10,
            metrics=dict(metrics or {"test.mae": 0.5}),
            weights_sha256="",
        )
    recorder.close()
    index(folder)
    return folder


def index(folder: RunFolder) -> None:
    """Store a run folder in the home's database."""
    database = open_database(find_home().database_url)
    index_run(database, folder)
    database.close()


def write_checkpoints(
    attempt: AttemptFolder, names: tuple[str, ...], recorder: FolderRecorder | None = None
) -> None:
    """Write checkpoint files with their manifest, as training does."""
    entries: list[dict[str, object]] = []
    for name in names:
        role, _, number = name.partition("-")
        file = attempt.checkpoints / f"{name}.pt"
        file.write_bytes(b"x" * 1000)
        entry: dict[str, object] = {
            "role": role,
            "file": file.name,
            "epoch": int(number),
            "step": int(number) * 10,
            "size": 1000,
            "sha256": "0" * 64,
            "best": None,
        }
        entries.append(entry)
        if recorder is not None:
            told = {key: entry[key] for key in ("role", "epoch", "step", "size", "sha256")}
            recorder.event("checkpoint", file=f"checkpoints/{file.name}", **told)
    if entries:
        attempt.manifest.write_text(json.dumps({"format": 1, "checkpoints": entries}))
