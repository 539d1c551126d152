"""Names of series and metrics: `split.name` for the fusion branch, else `split.branch.name`."""

from __future__ import annotations

_BRANCHES = ("text", "audio", "vision")
FUSION = "fusion"
METRICS = (
    "acc2_has0",
    "acc2_non0",
    "acc2",
    "acc3",
    "acc5",
    "acc7",
    "f1_has0",
    "f1_non0",
    "f1",
    "mae",
    "corr",
)
"""Final metrics on the test split that have a column in `run_summary` and `leaderboard`."""
_HIGHER_IS_BETTER = ("acc", "f1", "corr")


def split_name(name: str) -> tuple[str, str, str]:
    """Return split, branch and name of a series.

    >>> split_name("valid.text.mae"), split_name("train.loss"), split_name("loss")
    (('valid', 'text', 'mae'), ('train', 'fusion', 'loss'), ('', 'fusion', 'loss'))
    """
    split, dot, rest = name.partition(".")
    if not dot:
        return "", FUSION, name
    branch, dot, inner = rest.partition(".")
    if dot and branch in _BRANCHES:
        return split, branch, inner
    return split, FUSION, rest


def join_name(split: str, branch: str, name: str) -> str:
    """Return the full name of a series.

    >>> join_name("valid", "text", "mae"), join_name("train", "fusion", "loss")
    ('valid.text.mae', 'train.loss')
    """
    parts = (split, "" if branch == FUSION else branch, name)
    return ".".join(part for part in parts if part)


def is_higher_better(metric: str) -> bool:
    """Return True where the best value of a metric is its highest.

    >>> is_higher_better("test.acc7"), is_higher_better("valid.text.mae")
    (True, False)
    """
    return metric.rpartition(".")[2].startswith(_HIGHER_IS_BETTER)
