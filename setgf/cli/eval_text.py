"""What `setgf eval` found, as plain data and as tables for people."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from setgf.analysis.display import show_mean
from setgf.cli.output import note
from setgf.cli.run_text import say_plain_table
from setgf.terms import Task, is_sims

if TYPE_CHECKING:
    from setgf.cli.eval_request import Missing
    from setgf.training.again import Again
    from setgf.training.drop import RatePoint
    from setgf.training.evaluate import Evaluation

_MOSI_COLUMNS = ("acc2_non0", "acc7", "mae", "corr")
_SIMS_COLUMNS = ("acc2", "acc5", "mae", "corr")
_CLASS_COLUMNS = ("acc3", "f1", "acc2_has0", "acc2_non0")


@dataclass(frozen=True, slots=True)
class ScoredOnce:
    """A split that was scored once."""

    again: Again
    missing: Missing
    evaluation: Evaluation

    def metrics(self) -> dict[str, float]:
        """Return every metric by series name, calibrated ones as well where the run has them."""
        found = self.evaluation.named_metrics(self.again.split)
        calibration = self.again.model.calibration
        if calibration is not None:
            found |= calibration.metrics(self.evaluation, self.again.split)
        return found

    def to_plain(self) -> dict[str, Any]:
        """Return what is kept."""
        return {**_common(self.again, self.missing), "metrics": self.metrics()}

    def csv(self) -> Iterator[Sequence[Any]]:
        """Yield heading and rows."""
        yield ("metric", "value", "stored")
        for name, value in self.metrics().items():
            yield (name, value, self.again.stored.get(name, ""))

    def say(self, _metrics: Sequence[str]) -> None:
        """Print the metrics of fusion beside those the run stored at its end."""
        stored, found = self.again.stored, self.metrics()
        names = [name for name in found if name.count(".") == 1 and not name.endswith(".loss")]
        here = f"without {', '.join(self.missing.drop)}" if self.missing.drop else "again"
        if not stored:
            here = here if self.missing.drop else self.again.store.name
            rows = [(name.partition(".")[2], f"{found[name]:.4f}") for name in names]
            say_plain_table(("metric", here), rows, right={here})
            return
        rows = [
            (
                name.partition(".")[2],
                f"{found[name]:.4f}",
                f"{stored.get(name, math.nan):.4f}",
                f"{found[name] - stored.get(name, math.nan):+.4f}",
            )
            for name in names
        ]
        heads = ("metric", here, "stored", "difference")
        say_plain_table(heads, rows, right=set(heads[1:]))
        if not self.missing.drop:
            self._compare(found)

    def _compare(self, found: Mapping[str, float]) -> None:
        """Say whether the run's own metrics came out again."""
        from setgf.training.again import SAME

        stored = self.again.stored
        pairs = [(found[name], stored[name]) for name in found if name in stored]
        largest = max(
            (abs(a - b) for a, b in pairs if not (math.isnan(a) and math.isnan(b))), default=0.0
        )
        if largest <= SAME:
            note(f"Equal to what the run stored (largest difference {largest:.1e}).")
            return
        started, model = self.again.run.started, self.again.model
        note(
            f"setgf: warning: not equal to what the run stored (largest difference {largest:.1e}). "
            f"It was trained on {started['device']} with {started['threads']} threads; this is "
            f"{model.device}. Other libraries, threads or devices round differently; a larger "
            "difference means other code."
        )


@dataclass(frozen=True, slots=True)
class SweptRates:
    """A split that was scored at several rates of missing modalities."""

    again: Again
    missing: Missing
    points: tuple[RatePoint, ...]

    def to_plain(self) -> dict[str, Any]:
        """Return what is kept."""
        metrics = [
            {
                "rate": point.rate,
                "missing_share": point.missing_share,
                "mean": {name: point.mean(name) for name in point.metrics},
                "sd": {name: point.sd(name) for name in point.metrics},
                "values": {name: list(values) for name, values in point.metrics.items()},
            }
            for point in self.points
        ]
        return {**_common(self.again, self.missing), "metrics": metrics}

    def csv(self) -> Iterator[Sequence[Any]]:
        """Yield heading and rows."""
        yield ("rate", "missing_share", "metric", "mean", "sd", "n")
        for point in self.points:
            for name, values in point.metrics.items():
                sd = point.sd(name)
                yield (
                    point.rate,
                    point.missing_share,
                    name,
                    point.mean(name),
                    "" if math.isnan(sd) else sd,
                    len(values),
                )

    def say(self, metrics: Sequence[str]) -> None:
        """Print mean and standard deviation of a few metrics at every rate."""
        is_sims_like = is_sims(self.again.store.manifest.dataset)
        chosen = _SIMS_COLUMNS if is_sims_like else _MOSI_COLUMNS
        if self.again.model.config.train.task == Task.CLASSIFICATION:
            chosen = _CLASS_COLUMNS
        columns = (*chosen, *(name for name in metrics if name not in chosen))
        heads = ("rate", "missing", *columns)
        rows = [
            (
                f"{point.rate:g}",
                f"{point.missing_share:.1%}",
                *(
                    show_mean(name, point.mean(full), point.sd(full))
                    for name in columns
                    for full in (f"{self.again.split}.{name}",)
                ),
            )
            for point in self.points
        ]
        say_plain_table(heads, rows, right=set(heads))


def show_earlier(found: Sequence[Mapping[str, Any]]) -> None:
    """Print evaluations that were kept, the oldest first."""
    rows = [_earlier_row(one) for one in found]
    heads = ("when", "by", "split", "data", "without", "missing at random", "mae or acc3")
    say_plain_table(heads, rows, right={heads[-1]})


def _earlier_row(one: Mapping[str, Any]) -> tuple[str, ...]:
    missing: Mapping[str, Any] | None = one.get("missing")
    swept = main = ""
    if missing is not None:
        rates: Sequence[float] = missing["rates"]
        swept = f"rates {rates[0]:g} to {rates[-1]:g}, {len(missing['seeds'])} draws"
    else:
        found: Mapping[str, float] = one["metrics"]
        values = (found.get(f"{one['split']}.{name}") for name in ("mae", "acc3"))
        main = next((f"{value:.4f}" for value in values if value is not None), "")
    return (
        time.strftime("%Y-%m-%d %H:%M", time.localtime(one.get("at", 0))),
        str(one.get("by", "")),
        str(one["split"]),
        str(one["data"]["name"]),
        ", ".join(one.get("drop") or ()),
        swept,
        main,
    )


def _common(again: Again, missing: Missing) -> dict[str, Any]:
    best = again.run.best()
    return {
        "run": again.run.id,
        "split": str(again.split),
        "data": {
            "name": again.store.name,
            "fingerprint": again.store.manifest.fingerprint,
            "is_own": again.is_own,
        },
        "weights": {"epoch": best.epoch, "sha256": best.sha256},
        "device": str(again.model.device),
        **missing.to_plain(),
    }
