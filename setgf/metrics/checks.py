"""What may be scored: finite numbers, one label a prediction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from setgf.errors import MetricError
from setgf.metrics.formulas import Floats

NUM_NAMED_SAMPLES = 5
"""Samples an error names at most."""


def checked_pair(
    predictions: npt.ArrayLike, labels: npt.ArrayLike, sample_ids: Sequence[str]
) -> tuple[Floats, Floats]:
    """Return both sides as (N,) float64, finite and equally long.

    Raises:
        MetricError: no samples, unequal numbers of them, or a value that is NaN or infinite.
    """
    p = np.asarray(predictions, dtype=np.float64).reshape(-1)
    y = np.asarray(labels, dtype=np.float64).reshape(-1)
    if len(p) != len(y):
        raise MetricError(f"There must be one label a prediction, but {len(p)} and {len(y)} came.")
    if not len(p):
        raise MetricError("There is nothing to score: no predictions came.")
    for word, values in (("Predictions", p), ("Labels", y)):
        bad = np.flatnonzero(~(np.abs(values) <= np.finfo(np.float32).max))
        if len(bad):
            raise MetricError(_describe_bad(word, values, bad, sample_ids))
    return p, y


def _describe_bad(
    word: str, values: Floats, bad: npt.NDArray[np.intp], sample_ids: Sequence[str]
) -> str:
    named = ", ".join(
        f"{sample_ids[row] if len(sample_ids) == len(values) else f'row {row + 1}'} "
        f"({values[row]:g})"
        for row in bad[:NUM_NAMED_SAMPLES]
    )
    more = f" and {len(bad) - NUM_NAMED_SAMPLES} more" if len(bad) > NUM_NAMED_SAMPLES else ""
    return (
        f"{word} must be finite numbers, but {len(bad)} of {len(values)} "
        f"{'is' if len(bad) == 1 else 'are'} not: {named}{more}."
    )
