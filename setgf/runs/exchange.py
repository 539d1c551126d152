"""Runs as lines of JSON: how they leave one home and come into another.

Each line is an object; `kind` says of what:

    run          {"format": 1, "id", "name", "config", "metrics", "state", ...}: `RUN_FIELDS`
    points       {"run_id", "series", "steps", "epochs", "values", "times"}: 1000 at most
    predictions  {"run_id", "split", "rows": [[sample_id, label, fusion, text, audio, vision], ...]}

A run's line stands before those of its points and predictions. NaN is null; an infinity is a number
too large to store (1e999), which every reader of JSON takes for one. Numbers keep all digits.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from setgf.errors import DataError
from setgf.runs.folder import ID_LENGTH, ID_LETTERS

FORMAT = 1
POINTS_A_LINE = 1000
_NUMBER = (int, float)
_LARGEST = 2**63 - 1
RUN_FIELDS: Mapping[str, tuple[type, ...]] = {
    "id": (str,),
    "name": (str,),
    "dataset": (str,),
    "data_name": (str,),
    "model": (str,),
    "seed": (int,),
    "fingerprint": (str,),
    "variant": (str,),
    "max_epochs": (int,),
    "monitor": (str,),
    "created_at": _NUMBER,
    "config": (dict,),
    "metrics": (dict,),
    "state": (str,),
}
"""What every run's line has, and of which type."""
OPTIONAL_FIELDS: Mapping[str, tuple[tuple[type, ...], Any]] = {
    "group_name": ((str,), None),
    "tags": ((list,), []),
    "command": ((list,), []),
    "environment": ((dict,), {}),
    "code": ((dict,), {}),
    "error": ((str,), None),
    "note": ((str,), ""),
    "archived": ((bool,), False),
    "epoch": ((int,), 0),
    "step": ((int,), 0),
    "best_epoch": ((int,), None),
    "best_valid": (_NUMBER, None),
    "started_at": (_NUMBER, None),
    "finished_at": (_NUMBER, None),
    "host": ((str,), None),
    "device": ((str,), None),
    "parameters": ((int,), None),
    "data_fingerprint": ((str,), None),
}
"""What it may have: of which type, and what is meant without it. Null counts as left out."""


class Entry(NamedTuple):
    """A line, and where it stands for messages."""

    where: str
    value: dict[str, Any]


def to_json(value: Any) -> str:
    """Return a value as one line of strict JSON; floats keep all digits.

    >>> to_json({"a": [1, 0.1, float("nan"), float("-inf")], "b": True})
    '{"a": [1, 0.1, null, -1e999], "b": true}'
    """
    if isinstance(value, float):
        if math.isnan(value):
            return "null"
        return repr(value) if math.isfinite(value) else f"{'-' * (value < 0)}1e999"
    if isinstance(value, Mapping):
        pairs = cast(Mapping[Any, Any], value).items()
        return "{" + ", ".join(f"{json.dumps(str(k))}: {to_json(v)}" for k, v in pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(to_json, cast(Sequence[Any], value))) + "]"
    return json.dumps(value)


def read_entries(path: Path) -> Iterator[Entry]:
    """Yield the lines of an exported file.

    Raises:
        DataError: a line is no JSON object, or the file can't be read; says which.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield Entry(f"line {number} of {path}", _parse(line, number, path))
    except UnicodeDecodeError as error:
        raise DataError(f"{path} must be text in UTF-8, but is not: {error.reason}.") from error
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}.") from error


def check_run(entry: Entry) -> dict[str, Any]:
    """Return the values of a run's line, with all that may be left out.

    Raises:
        DataError: it is of a later format, or a value is missing or not of its type.
    """
    value = entry.value
    written = value.get("format")
    if written != FORMAT:
        raise DataError(
            f"The run in {entry.where} has format {written}, but this setgf reads format {FORMAT}. "
            "Export it anew, or install a later setgf."
        )
    for name, kinds in RUN_FIELDS.items():
        _check_type(entry, name, kinds)
    for name, (kinds, _) in OPTIONAL_FIELDS.items():
        if value.get(name) is not None:
            _check_type(entry, name, kinds)
    for name, number in value["metrics"].items():
        if number is not None and (isinstance(number, bool) or not isinstance(number, _NUMBER)):
            raise _refused(entry, f"metrics.{name}", "a number", number)
    if len(value["id"]) != ID_LENGTH or set(value["id"]) - set(ID_LETTERS):
        raise _refused(entry, "id", f"{ID_LENGTH} letters of a-z and 0-9", value["id"])
    there = {name: one for name, one in value.items() if one is not None}
    return {**{name: default for name, (_, default) in OPTIONAL_FIELDS.items()}, **there}


def _check_type(entry: Entry, name: str, kinds: tuple[type, ...]) -> None:
    value = entry.value.get(name)
    is_truth = isinstance(value, bool)
    if not isinstance(value, kinds) or is_truth != (kinds == (bool,)):
        raise _refused(entry, name, _WORDS[kinds], value)
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise _refused(entry, name, "a number below 2**63", value)


def _refused(entry: Entry, name: str, expected: str, value: Any) -> DataError:
    shown = json.dumps(value)[:60]
    return DataError(f"`{name}` of the run in {entry.where} must be {expected}, but is {shown}.")


def derive_id(*parts: str) -> str:
    """Return the run id of something that is no run of ours: the same for the same parts."""
    number = int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:8], "big")
    letters: list[str] = []
    for _ in range(ID_LENGTH):
        number, place = divmod(number, len(ID_LETTERS))
        letters.append(ID_LETTERS[place])
    return "".join(letters)


def hash_of(plain: Mapping[str, Any]) -> str:
    """Return the fingerprint of settings that are not ours (12 hex digits)."""
    text = json.dumps(plain, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _parse(line: str, number: int, path: Path) -> dict[str, Any]:
    try:
        value: object = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"Line {number} of {path} must be JSON, but is not: {error}.") from error
    if "\\u" in line:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise DataError(
                f"Line {number} of {path} has half a letter in it ({error.object[error.start]!a}); "
                "expected whole ones."
            ) from error
    if not isinstance(value, dict):
        raise DataError(f"Line {number} of {path} must be a JSON object, but is something else.")
    return cast(dict[str, Any], value)


_WORDS: Mapping[tuple[type, ...], str] = {
    (str,): "text",
    (int,): "a whole number",
    _NUMBER: "a number",
    (dict,): "an object",
    (list,): "a list",
    (bool,): "true or false",
}
