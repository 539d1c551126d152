"""`setgf metrics`: score any model's predictions by the exact protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from setgf.cli.output import note, say_json, say_table
from setgf.terms import Dataset

if TYPE_CHECKING:
    from setgf.analysis.prediction_file import PredictionFile


def metrics(
    predictions: Annotated[
        Path, typer.Argument(help="CSV file with the columns `prediction` and `label`.")
    ],
    dataset: Annotated[Dataset, typer.Option(help="Data set whose protocol decides.")],
    format: Annotated[  # noqa: A002 - the option's name
        Literal["table", "json"], typer.Option(help="A table to read, or unrounded JSON.")
    ] = "table",
    prediction_column: Annotated[
        str, typer.Option(help="Column of the predictions.")
    ] = "prediction",
    label_column: Annotated[str, typer.Option(help="Column of the labels.")] = "label",
    task: Annotated[
        Literal["regression", "classification"],
        typer.Option(help="Predictions are scores, or classes: -1, 0 and 1, or a run's own."),
    ] = "regression",
    reference_bug: Annotated[
        bool,
        typer.Option(
            "--reference-bug",
            help="Non0 of classes as MMSA has it: positives are never right. Only to compare.",
        ),
    ] = False,
) -> None:
    """Score predictions: accuracies, F1, MAE and correlation, unrounded in JSON.

    Example: setgf metrics predictions.csv --dataset mosi --format json
    """
    from setgf.analysis.prediction_file import read_predictions
    from setgf.errors import ConfigError
    from setgf.metrics import score

    if reference_bug and task != "classification":
        raise ConfigError("`--reference-bug` goes with `--task classification`, which has it.")
    file = read_predictions(
        predictions, prediction_column=prediction_column, label_column=label_column
    )
    if task == "classification":
        scores = _score_classes(file, reference_bug=reference_bug)
    else:
        scores = score(dataset, file.predictions, file.labels, sample_ids=file.sample_ids)
    if format == "json":
        say_json(scores)
        return
    from setgf.analysis.display import show_value

    say_table(
        ("metric", "value"),
        [(name, show_value(name, v)) for name, v in scores.items()],
        right=["value"],
    )
    which = f"{dataset} protocol" if task == "regression" else "three classes"
    note(f"{len(file.labels)} samples, {which}. Accuracies and F1 in percent.")


def _score_classes(file: PredictionFile, *, reference_bug: bool) -> dict[str, float]:
    """Score classes; predictions are -1, 0 and 1, or scores that hold them."""
    from setgf.metrics import class_labels, logits_of_scores, score_classes
    from setgf.metrics.checks import checked_pair

    predictions, labels = checked_pair(file.predictions, file.labels, file.sample_ids)
    logits = logits_of_scores(predictions)
    return score_classes(logits, class_labels(labels), reference_bug=reference_bug)
