"""What is different between two runs: settings, code, data, environment and metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import unified_diff
from typing import TYPE_CHECKING, Any

from db.series_names import is_higher_better
from setgf.config.settings import flatten_plain

if TYPE_CHECKING:
    from db.records import RunDetail

Pair = tuple[Any, Any]
"""A value of the first run and of the second; None where a run has none."""
_ELSEWHERE = ("data_fingerprint",)
"""Entries of the environment that are compared under another title."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDifference:
    """A final value of both runs."""

    a: float | None
    b: float | None
    delta: float | None
    """`b` less `a`; None where one has none."""
    better: str | None
    """`a` or `b`; None where they are equal or one has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What is different between two runs; what is not here is equal."""

    settings: Mapping[str, Pair]
    code: Mapping[str, Pair]
    patch: tuple[str, ...]
    """How the uncommitted changes differ, as lines of a unified diff; empty where they do not."""
    data: Mapping[str, Pair]
    environment: Mapping[str, Pair]
    metrics: Mapping[str, MetricDifference]
    """All metrics of either run, the equal ones too."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return asdict(self)


def compare_runs(a: RunDetail, b: RunDetail) -> Difference:
    """Return what is different between two runs."""
    return Difference(
        settings=_differing(flatten_plain(a.run.config), flatten_plain(b.run.config)),
        code=_differing(_code(a), _code(b)),
        patch=tuple(
            unified_diff(
                a.code_diff.splitlines(),
                b.code_diff.splitlines(),
                f"changes of {a.run.id}",
                f"changes of {b.run.id}",
                lineterm="",
            )
        ),
        data=_differing(_data(a), _data(b)),
        environment=_differing(_environment(a), _environment(b)),
        metrics=_metrics(a.run.metrics, b.run.metrics),
    )


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Pair]:
    names = sorted({*a, *b})
    return {name: (a.get(name), b.get(name)) for name in names if a.get(name) != b.get(name)}


def _code(detail: RunDetail) -> dict[str, Any]:
    return {
        "commit": detail.run.code_commit,
        "uncommitted changes": detail.run.code_dirty,
        "command": list(detail.command),
    }


def _data(detail: RunDetail) -> dict[str, Any]:
    run = detail.run
    return {
        "data set": run.dataset,
        "feature store": run.data_name,
        "fingerprint": run.data_fingerprint,
    }


def _environment(detail: RunDetail) -> dict[str, Any]:
    plain = flatten_plain(detail.environment)
    plain |= {"device": detail.run.device, "host": detail.run.host}
    return {name: value for name, value in plain.items() if name not in _ELSEWHERE}


def _metrics(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, MetricDifference]:
    names = sorted({*a, *b}, key=lambda name: (name.count("."), not name.startswith("test"), name))
    return {name: _compare(name, a.get(name), b.get(name)) for name in names}


def _compare(name: str, a: float | None, b: float | None) -> MetricDifference:
    if a is None or b is None or math.isnan(a) or math.isnan(b):
        return MetricDifference(a=a, b=b, delta=None, better=None)
    better = None if a == b else "b" if (b > a) == is_higher_better(name) else "a"
    return MetricDifference(a=a, b=b, delta=b - a, better=better)
