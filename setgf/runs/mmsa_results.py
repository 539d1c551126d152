"""Result files of MMSA: a CSV row a model, means over its seeds as `(mean, sd)`, in percent.

What MMSA calls tuning writes a row a choice of parameters instead, one number a cell, measured on
the validation split. Everything is stored there times 100, also MAE and correlation.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from setgf.errors import DataError
from setgf.terms import Dataset

METRICS: Mapping[str, str] = {
    "Has0_acc_2": "acc2_has0",
    "Has0_F1_score": "f1_has0",
    "Non0_acc_2": "acc2_non0",
    "Non0_F1_score": "f1_non0",
    "Mult_acc_2": "acc2",
    "Mult_acc_3": "acc3",
    "Mult_acc_5": "acc5",
    "Mult_acc_7": "acc7",
    "F1_score": "f1",
    "MAE": "mae",
    "Corr": "corr",
    "Loss": "loss",
}
"""MMSA's names of metrics and ours."""
_SCALE = 100.0
_NUMBER = r"\s*(?:np\.float64\()?([-+.\deE]+|nan)\)?\s*"
_PAIR = re.compile(rf"\({_NUMBER},{_NUMBER}\)|{_NUMBER}")
"""NumPy 2 writes its numbers as `np.float64(45.2)`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MmsaResult:
    """A row of a result file."""

    row: int
    """Counted from 1."""
    model: str
    metrics: Mapping[str, float]
    """By our names, `test.mae`; of tuning `valid.mae`; accuracies as shares of one."""
    deviations: Mapping[str, float]
    """Standard deviation over the seeds, by our names without the split."""
    parameters: Mapping[str, str]
    """Columns that are no metric, as they stand there."""


def dataset_of(path: Path) -> Dataset | None:
    """Return the data set that a file's name begins with: `mosi.csv`, `sims-regression.csv`."""
    word = re.split(r"[^a-z0-9]", path.stem.lower())[0]
    return Dataset(word) if word in tuple(Dataset) else None


def read_results(path: Path, *, model: str | None = None) -> list[MmsaResult]:
    """Read a result file.

    Args:
        path: the CSV file.
        model: of the rows, where the file does not name it.

    Raises:
        DataError: it is no such file; says what is missing and where.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = [name or "" for name in reader.fieldnames or ()]
            rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} must be a CSV file in UTF-8, but is not: {error}.") from error
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}.") from error
    if not set(columns) & set(METRICS):
        raise DataError(
            f"{path} must be a result file of MMSA with columns such as `Model`, `MAE` and `Corr`, "
            f"but its columns are {', '.join(f'`{name}`' for name in columns) or 'none'}."
        )
    if not rows:
        raise DataError(f"{path} has column names but no results.")
    return [
        _result(path, number, {k: v for k, v in row.items() if k}, model)
        for number, row in enumerate(rows, 1)
    ]


def _result(path: Path, number: int, row: Mapping[str, str], model: str | None) -> MmsaResult:
    is_tuning = "Model" not in row
    name = model or row.get("Model") or _model_in(path)
    if not name:
        raise DataError(f"Row {number} of {path} names no model; name it with `--model`.")
    split = "valid" if is_tuning else "test"
    metrics: dict[str, float] = {}
    deviations: dict[str, float] = {}
    for column, ours in METRICS.items():
        cell = (row.get(column) or "").strip()
        if not cell:
            continue
        mean, deviation = _numbers(path, number, column, cell)
        metrics[f"{split}.{ours}"] = mean
        if deviation is not None:
            deviations[ours] = deviation
    rest = {k: v or "" for k, v in row.items() if k not in METRICS and k != "Model"}
    return MmsaResult(
        row=number, model=name, metrics=metrics, deviations=deviations, parameters=rest
    )


def _numbers(path: Path, number: int, column: str, cell: str) -> tuple[float, float | None]:
    match = _PAIR.fullmatch(cell)
    try:
        if match is None:
            raise ValueError
        mean = float(match[1] or match[3]) / _SCALE
        deviation = None if match[2] is None else float(match[2]) / _SCALE
    except ValueError:
        raise DataError(
            f"`{column}` in row {number} of {path} must be a number or `(mean, sd)`, "
            f"but is `{cell[:40]}`."
        ) from None
    return mean, None if deviation is not None and math.isnan(deviation) else deviation


def _model_in(path: Path) -> str | None:
    """Return the model in a name like `mosi-self_mm-regression-tune.csv`."""
    parts = path.stem.split("-")
    return parts[1] if len(parts) > 2 else None
