"""Features of a modality by number: `0-11,20` as a setting holds it."""

from __future__ import annotations

import re
from collections.abc import Sequence

_PART = re.compile(r"(\d{1,7})(?:-(\d{1,7}))?")


def parse_columns(parts: Sequence[str]) -> tuple[int, ...]:
    """Return the feature numbers that numbers and ranges (both ends included) name, rising.

    Raises:
        ValueError: a part is neither, a range runs backwards, or a feature is named twice.
    """
    columns: list[int] = []
    for part in parts:
        match = _PART.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"`{part}` is neither a number nor a range like 0-11")
        low, high = int(match[1]), int(match[2] or match[1])
        if high < low:
            raise ValueError(f"the range `{part}` runs backwards")
        columns += range(low, high + 1)
    if len(set(columns)) != len(columns):
        raise ValueError("a feature is named twice")
    return tuple(sorted(columns))
