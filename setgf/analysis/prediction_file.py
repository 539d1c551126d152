"""Reads a CSV file of predictions: any model's, or the one a run leaves."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from setgf.errors import DataError

ID_COLUMN = "sample_id"


@dataclass(frozen=True, slots=True)
class PredictionFile:
    """Predictions and labels in the order of the file."""

    sample_ids: tuple[str, ...]
    """Empty when the file has no column `sample_id`."""
    predictions: tuple[float, ...]
    labels: tuple[float, ...]


def read_predictions(
    path: Path, *, prediction_column: str = "prediction", label_column: str = "label"
) -> PredictionFile:
    """Read two columns of a CSV file by name; others, blank lines and a byte order mark are passed.

    Raises:
        DataError: the file can't be read, is empty, lacks a column, or a value is not a number.
    """
    rows = _read_rows(path)
    if not rows:
        raise DataError(
            f"{path} is empty; expected a line of column names with "
            f"`{prediction_column}` and `{label_column}`, then one line a sample."
        )
    names = [name.strip() for name in rows[0][1]]
    prediction = _find_column(path, names, prediction_column)
    label = _find_column(path, names, label_column)
    if len(rows) == 1:
        raise DataError(f"{path} has column names but no predictions; expected one line a sample.")
    places = [f"row {row} (line {line}) of {path}" for row, (line, _) in enumerate(rows[1:], 1)]
    cells = [cells for _, cells in rows[1:]]
    ids = [row[names.index(ID_COLUMN)] for row in cells] if _all_have(cells, names) else []
    return PredictionFile(
        tuple(ids),
        tuple(
            _read_number(row, prediction, prediction_column, place)
            for row, place in zip(cells, places, strict=True)
        ),
        tuple(
            _read_number(row, label, label_column, place)
            for row, place in zip(cells, places, strict=True)
        ),
    )


def _read_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Return line number and cells of every row that is not blank."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(_rows_of(csv.reader(file)))
    except FileNotFoundError:
        raise DataError(
            f"No file at {path}. Give a CSV file with the columns `prediction` and `label`."
        ) from None
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV file in UTF-8: {error}.") from error


def _rows_of(reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield getattr(reader, "line_num", 0), cells


def _find_column(path: Path, names: list[str], wanted: str) -> int:
    """Return the place of a column that must be there once."""
    if names.count(wanted) == 1:
        return names.index(wanted)
    there = ", ".join(f"`{name}`" for name in names)
    if wanted in names:
        raise DataError(f"{path} has the column `{wanted}` more than once: {there}.")
    raise DataError(
        f"{path} has no column `{wanted}`; its columns are {there}. "
        "Name another with `--prediction-column` or `--label-column`."
    )


def _all_have(cells: list[list[str]], names: list[str]) -> bool:
    """Return whether the file names every sample."""
    if names.count(ID_COLUMN) != 1:
        return False
    place = names.index(ID_COLUMN)
    return all(len(row) > place and row[place].strip() for row in cells)


def _read_number(cells: list[str], column: int, name: str, place: str) -> float:
    text = cells[column].strip() if column < len(cells) else ""
    try:
        # Python reads `1_000` as a number; a file with such a value is damaged.
        if "_" in text:
            raise ValueError(text)
        return float(text)
    except ValueError:
        found = f"is `{text}`" if text else "is missing"
        raise DataError(f"`{name}` must be a number, but {found} in {place}.") from None
