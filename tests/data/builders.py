"""Valid feature files and stores; a test states only what matters to it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from setgf.data.manifest import StoreFacts
from setgf.data.ragged import from_rows
from setgf.data.store import FeatureStore, SplitData, write_store
from setgf.home import Home
from setgf.terms import Dataset, Modality, Split

AUDIO_WIDTH, VISION_WIDTH, STEPS, TOKENS = 4, 3, 6, 8
Entry = dict[str, Any]


def make_entry(name: str, count: int = 4) -> Entry:
    """Return one split in the MMSA layout, right-padded, with true lengths."""
    random = np.random.default_rng(sum(map(ord, name)))
    lengths = [1 + row % STEPS for row in range(count)]
    entry: Entry = {
        "raw_text": [f"this movie is number {row}" for row in range(count)],
        "id": [f"{name}{row}$_$1" for row in range(count)],
        "text_bert": np.zeros((count, 3, TOKENS), np.float32),
        "audio": random.normal(size=(count, STEPS, AUDIO_WIDTH)).astype(np.float32),
        "vision": random.normal(size=(count, STEPS, VISION_WIDTH)).astype(np.float32),
        "audio_lengths": list(lengths),
        "vision_lengths": list(lengths),
        "regression_labels": _labels(count),
        "classification_labels": np.sign(_labels(count)).astype(np.int64) + 1,
        "annotations": np.array(
            [("Negative", "Neutral", "Positive")[int(y) + 1] for y in np.sign(_labels(count))]
        ),
    }
    for row, length in enumerate(lengths):
        entry["audio"][row, length:] = 0
        entry["vision"][row, length:] = 0
        ids = [101, *range(2000, 2000 + row % (TOKENS - 2) + 1), 102]
        entry["text_bert"][row, 0, : len(ids)] = ids
        entry["text_bert"][row, 1, : len(ids)] = 1
    return entry


def _labels(count: int) -> np.ndarray:
    return np.linspace(-3, 3, count).astype(np.float32)


def make_content(count: int = 4) -> dict[str, Entry]:
    """Return a whole feature file's content."""
    return {str(split): make_entry(str(split), count) for split in Split}


def write_pickle(folder: Path, content: Any, protocol: int = 4) -> Path:
    """Write a feature file."""
    path = folder / "features.pkl"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def make_split(name: str = "a", lengths: tuple[int, ...] = (3, 0, 5), seed: int = 0) -> SplitData:
    """Return a split of samples with the given numbers of frames."""
    random = np.random.default_rng(seed)

    def frames(width: int) -> Any:
        rows = [random.normal(size=(n, width)).astype(np.float32) for n in lengths]
        return from_rows(rows, empty=np.zeros((0, width), np.float32))

    return SplitData(
        ids=tuple(f"{name}{row}$_$1" for row in range(len(lengths))),
        transcripts=tuple(f"It was {'very ' * row}good." for row in range(len(lengths))),
        labels=np.linspace(-2, 2, len(lengths)).astype(np.float32),
        unimodal_labels={part: np.zeros(len(lengths), np.float32) for part in Modality},
        tokens=from_rows(
            [np.array([101, *range(5, 5 + row), 102], np.int32) for row in range(len(lengths))],
            empty=np.zeros(0, np.int32),
        ),
        text_features=None,
        audio=frames(AUDIO_WIDTH),
        vision=frames(VISION_WIDTH),
    )


def make_facts(**changes: Any) -> StoreFacts:
    """Return facts of a made-up store."""
    facts: dict[str, Any] = {
        "dataset": Dataset.MOSI,
        "language": "en",
        "aligned": False,
        "source": "test",
        "source_sha256": None,
        "vocabulary": "bert-base-uncased",
        "report": {"remarks": []},
    }
    return StoreFacts(**{**facts, **changes})


def make_splits(**lengths: tuple[int, ...]) -> dict[Split, SplitData]:
    """Return three splits; lengths by split name."""
    return {
        split: make_split(str(split), lengths.get(str(split), (3, 0, 5)), seed)
        for seed, split in enumerate(Split)
    }


def make_store(home: Home, name: str = "small", **lengths: tuple[int, ...]) -> FeatureStore:
    """Write a small store."""
    return write_store(home.data, name, make_splits(**lengths), make_facts())
