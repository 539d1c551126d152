"""What is stored of one run beyond its curves, as the Run screen shows it. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from db.records import Prediction, Run
from setgf.errors import DataError
from setgf.home import Home
from setgf.terms import MODALITIES, Dataset, Split, Task
from tui.run_records import (
    ConfusionMatrix,
    ConfusionPart,
    LabelDrift,
    Sample,
)


def confusion_part(
    run: Run, split: str, branch: str, predictions: Sequence[Prediction]
) -> ConfusionPart:
    """Return the matrices with every number of classes the data set's protocol has."""
    from setgf.metrics.classes import class_names, confusion

    scored = [
        (row.label, score) for row in predictions if (score := getattr(row, branch)) is not None
    ]
    whole = np.asarray(scored, dtype=np.float64).reshape(-1, 2)
    finite = whole[np.isfinite(whole).all(axis=1)]
    dataset = Dataset(run.dataset)
    matrices: list[ConfusionMatrix] = []
    if len(finite):
        for number in _class_counts(run):
            counts = confusion(dataset, number, finite[:, 1], finite[:, 0])
            rows = tuple(tuple(int(n) for n in row) for row in counts)
            matrices.append(ConfusionMatrix(names=class_names(dataset, number), counts=rows))
    return ConfusionPart(
        split=split,
        branch=branch,
        branches=branches_of(predictions),
        matrices=tuple(matrices),
        left_out=len(whole) - len(finite),
    )


def branches_of(predictions: Sequence[Prediction]) -> tuple[str, ...]:
    """Return the branches that have scores."""
    if not predictions:
        return ("fusion",)
    names = ("fusion", *map(str, MODALITIES))
    return tuple(name for name in names if getattr(predictions[0], name) is not None)


def samples_of(run: Run, home: Home, split: str, predictions: Sequence[Prediction]) -> list[Sample]:
    """Return predictions with transcripts and the classes of label and score."""
    texts = transcripts(home, run.data_name, split) if predictions else {}
    dataset = Dataset(run.dataset)
    most = max(_class_counts(run))
    labels = _classes(dataset, most, [row.label for row in predictions])
    scores = _classes(dataset, most, [row.fusion for row in predictions])
    return [
        Sample(
            prediction=row,
            transcript=texts.get(row.sample_id, ""),
            label_class=label,
            score_class=score,
        )
        for row, label, score in zip(predictions, labels, scores, strict=True)
    ]


def _class_counts(run: Run) -> tuple[int, ...]:
    """Return with how many classes a run is scored: three where it predicts classes."""
    from setgf.analysis.leaderboard import task_of
    from setgf.metrics.classes import class_counts

    is_regression = task_of(run) is Task.REGRESSION
    return class_counts(Dataset(run.dataset)) if is_regression else (3,)


def _classes(dataset: Dataset, most: int, values: Sequence[float]) -> list[str]:
    """Return the name of each value's class, of `most` classes; NaN has none."""
    from setgf.metrics.classes import class_names, classify

    names = class_names(dataset, most)
    known = np.nan_to_num(np.asarray(values, dtype=np.float64))
    places = classify(dataset, most, known).tolist()
    return [
        names[place] if np.isfinite(value) else ""
        for place, value in zip(places, values, strict=True)
    ]


def transcripts(home: Home, name: str, split: str) -> dict[str, str]:
    """Return transcripts by sample id; empty when the store is not here or can't be read."""
    from setgf.data.store import open_store

    try:
        data = open_store(home, name).split(Split(split))
    except DataError:
        return {}
    return dict(zip(data.ids, data.transcripts, strict=False))


def label_drift(run: Run, home: Home) -> LabelDrift | None:
    """Return the label history of a run beside what people said; None where it kept none.

    Raises:
        RunFolderError: the history is damaged.
    """
    from setgf.runs.folder import RunFolder
    from setgf.runs.label_history import read_label_history

    history = read_label_history(RunFolder(Path(run.folder)))
    if history is None or not history.epochs:
        return None
    human, texts = _human_labels(home, run.data_name, history.sample_ids)
    return LabelDrift(
        modalities=history.modalities,
        sample_ids=history.sample_ids,
        epochs=history.epochs,
        annotated=history.annotated,
        labels=history.labels,
        human={name: values for name, values in human.items() if name in history.modalities},
        transcripts=texts,
    )


def _human_labels(
    home: Home, data_name: str, sample_ids: Sequence[str]
) -> tuple[dict[str, np.ndarray[tuple[int], np.dtype[np.float32]]], dict[str, str]]:
    """Return the train split's human labels in the order of the ids, and its transcripts."""
    from setgf.data.store import open_store

    try:
        data = open_store(home, data_name).split(Split.TRAIN)
    except DataError:
        return {}, {}
    places = {sample_id: place for place, sample_id in enumerate(data.ids)}
    rows = np.asarray([places.get(one, -1) for one in sample_ids], dtype=np.int64)
    human = {
        str(part): np.where(rows >= 0, np.asarray(values)[rows], np.nan).astype(np.float32)
        for part, values in (data.unimodal_labels or {}).items()
    }
    return human, dict(zip(data.ids, data.transcripts, strict=False))
