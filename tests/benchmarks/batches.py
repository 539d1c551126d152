"""Batches: samples a second against a torch DataLoader, and how long training waits for them.

    python -m tests.benchmarks.batches

Batch 32, shuffled, one thread, interleaved epochs, medians of wall clock; workers are kept between
epochs and their start is not counted. `same batches` is a DataLoader whose `__getitem__` scales and
averages one sample of the same store; `padded arrays` is one over arrays that are padded to the
longest sample, scaled beforehand, as MMSA's loader holds them. The target of waiting: below 2 % of
a training step.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset

from setgf.config import DataConfig, ExperimentConfig, override
from setgf.data.batch import BatchSource, fit_normaliser, open_batches
from setgf.data.frame_facts import FRAMED, ragged_of
from setgf.data.frames import prepare
from setgf.data.normalise import Normaliser
from setgf.data.prefetch import BatchFeed
from setgf.data.sampler import epoch_order
from setgf.data.store import FeatureStore
from setgf.data.synthetic import synthesise
from setgf.home import Home
from setgf.model.text_encoder import encoder_folder
from setgf.terms import Dataset as Family
from setgf.terms import Split
from setgf.training.epoch import StepLog, train_epoch
from setgf.training.setup import build_session
from tests.benchmarks.table import heading, interleaved, median, show
from tests.training.conftest import MemoryRecorder

BATCH = 32
ROUNDS = 3
SHAPES = {
    "MOSI-shaped": (Family.MOSI, 1284),
    "MOSEI-shaped": (Family.MOSEI, 1024),
}
"""Train samples: all of MOSI's, a sixteenth of MOSEI's."""
MODELS: Mapping[str, Mapping[str, Any]] = {
    "setgf, MiniLM frozen": {"text.finetune": False},
    "setgf, MiniLM trained": {},
}
Sample = dict[str, Tensor]


def main() -> None:
    """Print samples a second of every way, and the share of a step that waits for data."""
    torch.set_num_threads(1)
    for name, (family, count) in SHAPES.items():
        with tempfile.TemporaryDirectory() as folder:
            store = _make(Path(folder), family, count)
            print(f"{name}, {count} samples, frames averaged to 64 at most:")
            _show_throughput(store, count)
            print()
    with tempfile.TemporaryDirectory() as folder:
        _show_waiting(_make(Path(folder), Family.MOSI, 268))


def _make(folder: Path, family: Family, count: int) -> FeatureStore:
    sizes = {Split.TRAIN: count, Split.VALID: 42, Split.TEST: 16}
    return synthesise(Home(folder), "data", family, sizes=sizes)


def _show_throughput(store: FeatureStore, count: int) -> None:
    config = DataConfig()
    normaliser = fit_normaliser(store, config)
    again = _open(store, config, normaliser)
    first = _open(store, replace(config, keep_mib=0), normaliser)
    same, padded = _OfStore(store, config, normaliser), _Padded(store, normaliser)
    ways: dict[str, Callable[[], object]] = {
        "setgf": _epochs(again),
        "setgf, first epoch or nothing kept": _epochs(first),
    }
    for words, data, collate in (("same batches", same, _pad), ("padded arrays", padded, None)):
        for workers in (0, 2):
            loader: Iterable[Any] = DataLoader(
                data,
                batch_size=BATCH,
                shuffle=True,
                num_workers=workers,
                persistent_workers=workers > 0,
                collate_fn=collate,
            )
            ways[f"DataLoader, {workers} workers, {words}"] = _reading(loader)
    for way in ways.values():
        way()
    seconds = interleaved(ways, rounds=ROUNDS, clock=time.perf_counter)
    ours = median(seconds["setgf"])
    show(
        ["way", "samples/s", "worst", "setgf is"],
        [
            [
                name,
                f"{count / median(spent):,.0f}",
                f"{count / max(spent):,.0f}",
                f"{median(spent) / ours:.1f} x",
            ]
            for name, spent in seconds.items()
        ],
    )


def _open(store: FeatureStore, config: DataConfig, normaliser: Normaliser | None) -> BatchSource:
    return open_batches(store, Split.TRAIN, config, tokenizer_folder=None, normaliser=normaliser)


def _epochs(source: BatchSource) -> Callable[[], int]:
    """Return what makes all batches of an epoch, another one at every call."""
    epoch = 0

    def read() -> int:
        nonlocal epoch
        epoch += 1
        order = epoch_order(
            source.lengths,
            batch_size=BATCH,
            seed=1,
            epoch=epoch,
            group_by_length=True,
            shuffle=True,
        )
        with BatchFeed(source, order) as feed:
            return sum(batch.size for batch, _ in feed)

    return read


def _reading(loader: Iterable[Any]) -> Callable[[], int]:
    return lambda: sum(len(batch["index"]) for batch in loader)


class _OfStore(Dataset[Sample]):
    """A sample at a time of the store, scaled and averaged as in a batch of ours."""

    def __init__(
        self, store: FeatureStore, config: DataConfig, normaliser: Normaliser | None
    ) -> None:
        self.data = store.split(Split.TRAIN)
        self.tokens = _open(store, config, normaliser).sequences
        self.config, self.normaliser = config, normaliser

    def __len__(self) -> int:
        return self.data.size

    def __getitem__(self, row: int) -> Sample:
        index = np.array([row])
        tokens = self.data.tokens
        assert tokens is not None
        found = {
            "index": torch.tensor(row),
            "label": torch.tensor(float(self.data.labels[row])),
            "text": torch.from_numpy(tokens.row(row)[: self.config.max_tokens].astype(np.int64)),
        }
        for part in FRAMED:
            scaling = self.normaliser.of(part) if self.normaliser else None
            values = prepare(
                ragged_of(self.data, part),
                index,
                max_frames=self.config.max_frames,
                scaling=scaling,
            )
            found[part] = torch.from_numpy(values)
        return found


class _Padded(Dataset[Sample]):
    """A sample at a time of padded arrays (N, T, D) in memory."""

    def __init__(self, store: FeatureStore, normaliser: Normaliser | None) -> None:
        data = store.split(Split.TRAIN)
        assert data.tokens is not None
        self.labels = np.asarray(data.labels)
        rows = {"text": data.tokens, **{part: ragged_of(data, part) for part in FRAMED}}
        self.arrays: dict[str, np.ndarray] = {}
        for name, ragged in rows.items():
            width = ragged.values.shape[1:]
            held = np.zeros((data.size, int(ragged.lengths.max()), *width), np.float32)
            for row in range(data.size):
                values = np.array(ragged.row(row), np.float32)
                if normaliser and name in FRAMED:
                    scaling = normaliser.audio if name == "audio" else normaliser.vision
                    values = values if scaling is None else scaling.apply(values)
                held[row, : len(values)] = values
            self.arrays[name] = held

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> Sample:
        found = {name: torch.tensor(held[row]) for name, held in self.arrays.items()}
        return {"index": torch.tensor(row), "label": torch.tensor(self.labels[row]), **found}


def _pad(samples: list[Sample]) -> dict[str, Tensor]:
    parts = ("text", *FRAMED)
    return {
        "index": torch.stack([sample["index"] for sample in samples]),
        "label": torch.stack([sample["label"] for sample in samples]),
        **{part: pad_sequence([s[part] for s in samples], batch_first=True) for part in parts},
        **{f"{p}_lengths": torch.tensor([len(s[p]) for s in samples]) for p in parts},
    }


def _show_waiting(store: FeatureStore) -> None:
    print("Waiting for data while training, 268 samples, epochs 1 and 2:")
    rows: list[list[str]] = []
    for name, settings in MODELS.items():
        waited, spent, steps = _train(store, settings)
        rows.append(
            [
                name,
                f"{1e3 * spent / steps:.1f}",
                f"{1e3 * waited / steps:.2f}",
                f"{100 * waited / spent:.2f} %",
            ]
        )
    show(["model", "ms a step", "waiting ms", "share"], rows)


def _train(store: FeatureStore, settings: Mapping[str, Any]) -> tuple[float, float, int]:
    """Return the seconds waited and spent, and the steps, of epochs 1 and 2."""
    config = override(ExperimentConfig(), {"train.threads": 1, **settings})
    source = open_batches(
        store,
        Split.TRAIN,
        config.data,
        tokenizer_folder=encoder_folder(config.text.encoder),
        normaliser=fit_normaliser(store, config.data),
    )
    session = build_session(config, source)
    with tempfile.TemporaryDirectory() as folder:
        log = StepLog(session, MemoryRecorder(Path(folder)), source.ids)
        waited, started = 0.0, time.perf_counter()
        for _ in range(2):
            waited += train_epoch(session, source, log=log, after_step=lambda: None)
            session.position.next_epoch()
    return waited, time.perf_counter() - started, session.position.step


if __name__ == "__main__":
    heading("batches", __doc__ or "")
    main()
