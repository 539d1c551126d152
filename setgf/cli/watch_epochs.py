"""The finished epochs of a run, from its points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from db.errors import NotFoundError
from setgf.cli.watch_jobs import LOSS_SERIES

if TYPE_CHECKING:
    from db.query import Query
    from db.records import Run

_Points = list[tuple[int, float, float]]
"""Step, value and time of each."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What is known of a finished epoch."""

    number: int
    step: int
    ended_at: float
    train: float | None
    """Mean training loss."""
    valid: float | None
    """Monitored metric on the validation split."""


class EpochReader:
    """Reads of a run's points only those of epochs that were not read before."""

    def __init__(self, query: Query, run_id: str) -> None:
        self._query = query
        self._run_id = run_id
        self._step = 0
        """Last step of the last epoch that was read."""

    def read(self, run: Run, after: int) -> Iterator[Epoch]:
        """Yield the finished epochs beyond `after` that left points, in order."""
        losses = self._by_epoch(LOSS_SERIES, after)
        scores = self._by_epoch(f"valid.{run.monitor}", after)
        for number in range(after + 1, run.epoch + 1):
            train, valid = losses.get(number, []), scores.get(number, [])
            if train or valid:
                self._step, _, ended_at = max([*train, *valid])
                mean = sum(value for _, value, _ in train) / len(train) if train else None
                yield Epoch(number, self._step, ended_at, mean, valid[-1][1] if valid else None)

    def _by_epoch(self, series: str, after: int) -> Mapping[int, _Points]:
        """Return a series' points beyond an epoch, by epoch."""
        found: dict[int, _Points] = {}
        try:
            points = self._query.points(self._run_id, series, after_step=self._step)
        except NotFoundError:
            return found
        rows = zip(points.epochs, points.steps, points.values, points.times, strict=True)
        for epoch, step, value, at in rows:
            if epoch > after:
                found.setdefault(epoch, []).append((step, value, at))
        return found
