"""`setgf metrics`: score any model's predictions by the exact protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from setgf.cli.output import note, say_json, say_table
from setgf.terms import Dataset


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
) -> None:
    """Score predictions: accuracies, F1, MAE and correlation, unrounded in JSON.

    Example: setgf metrics predictions.csv --dataset mosi --format json
    """
    from setgf.analysis.prediction_file import read_predictions
    from setgf.metrics import score

    file = read_predictions(
        predictions, prediction_column=prediction_column, label_column=label_column
    )
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
    note(f"{len(file.labels)} samples, {dataset} protocol. Accuracies and F1 in percent.")
