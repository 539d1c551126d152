"""Small experiments: a tiny text encoder, made-up data, a recorder that only remembers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from setgf.config import ExperimentConfig, override
from setgf.data.store import FeatureStore
from setgf.data.synthetic import synthesise
from setgf.home import Home
from setgf.terms import Dataset, Split

TINY = {
    "data.name": "made_up",
    "data.max_frames": 8,
    "data.max_tokens": 12,
    "text.encoder": "tiny",
    "model.width": 16,
    "model.heads": 2,
    "model.blocks": 1,
    "model.fusion_width": 16,
    "model.text_width": 8,
    "model.vision_width": 8,
    "optim.batch_size": 8,
    "train.max_epochs": 3,
    "train.device": "cpu",
}

torch.set_num_threads(1)


def tiny_config(**settings: Any) -> ExperimentConfig:
    """A small experiment; settings by bare name or with `__` for the dot."""
    changed = {name.replace("__", "."): value for name, value in settings.items()}
    return override(override(ExperimentConfig(), TINY), changed)


class MemoryRecorder:
    """Remembers everything; asks to stop after a given number of steps."""

    def __init__(self, folder: Path, *, stop_at: int | None = None) -> None:
        self.checkpoints = folder
        self.stop_at = stop_at
        self.epoch = 0
        self.points: dict[tuple[str, int], tuple[int, float]] = {}
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.predictions: dict[Split, list[Any]] = {}
        self.labels: dict[int, dict[str, Any]] = {}
        self.last_step = 0

    def begin_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def log(self, step: int, values: Any) -> None:
        for name, value in values.items():
            assert (name, step) not in self.points, f"{name} was logged twice at step {step}"
            self.points[name, step] = (self.epoch, value)
        self.last_step = step

    def event(self, kind: str, **fields: Any) -> None:
        self.events.append((kind, fields))

    def save_predictions(self, split: Split, rows: Any) -> None:
        self.predictions[split] = list(rows)

    def save_labels(self, epoch: int, labels: Any, *, annotated: Any, sample_ids: Any) -> None:
        self.labels[epoch] = {name: values.copy() for name, values in labels.items()}

    def stop_requested(self) -> bool:
        return self.stop_at is not None and self.last_step >= self.stop_at

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.events]

    def find(self, kind: str) -> list[dict[str, Any]]:
        return [fields for found, fields in self.events if found == kind]

    def series(self, name: str) -> dict[int, float]:
        return {step: value for (found, step), (_, value) in self.points.items() if found == name}


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> FeatureStore:
    """36 made-up samples of train, 8 of valid, 8 of test."""
    home = Home(tmp_path_factory.mktemp("stores"))
    sizes = {Split.TRAIN: 36, Split.VALID: 8, Split.TEST: 8}
    return synthesise(home, "made_up", Dataset.MOSI, sizes=sizes, seed=3)


@pytest.fixture
def recorder(tmp_path) -> Callable[..., MemoryRecorder]:
    """Makes recorders with a folder of their own, by name."""

    def make(name: str = "a1", **options: Any) -> MemoryRecorder:
        return MemoryRecorder(tmp_path / name / "checkpoints", **options)

    return make
