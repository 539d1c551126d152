"""What a person sees while `setgf train` works: one live line, or one line an epoch."""

from __future__ import annotations

import math
import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from setgf.cli.output import note

if TYPE_CHECKING:
    from types import TracebackType

    from setgf.training.fit import Progress as Where


class Display(AbstractContextManager["Display"], Protocol):
    """Shows where a run is."""

    def show(self, where: Where) -> None:
        """Take the newest place."""
        ...


def make_display(monitor: str) -> Display:
    """Return the live display where stderr is a terminal, else plain lines."""
    return LiveDisplay(monitor) if sys.stderr.isatty() else PlainDisplay(monitor)


class PlainDisplay(Display):
    """One line an epoch, to stderr."""

    def __init__(self, monitor: str) -> None:
        self._monitor = monitor

    def show(self, where: Where) -> None:
        """Print the epoch when it has ended."""
        if where.is_epoch_end:
            note(
                f"epoch {where.epoch}/{where.max_epochs}  step {where.step}  "
                f"{_numbers(where, self._monitor)}"
            )

    def __exit__(self, *_: object) -> None:
        """Do nothing."""


class LiveDisplay(Display):
    """A bar of the epoch's batches with loss, validation metric and the best so far."""

    def __init__(self, monitor: str) -> None:
        self._monitor = monitor
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[numbers]}"),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task("starting", total=None, numbers="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def show(self, where: Where) -> None:
        """Move the bar over all epochs; the last ones may not be needed."""
        self._progress.update(
            self._task,
            description=f"epoch {where.epoch}/{where.max_epochs}",
            total=where.max_epochs * where.num_batches,
            completed=(where.epoch - 1) * where.num_batches + where.batch,
            numbers=f"step {where.step}  {_numbers(where, self._monitor)}",
        )


def _numbers(where: Where, monitor: str) -> str:
    words = [f"loss {where.loss:.3f}"]
    if not math.isnan(where.valid):
        words.append(f"valid {monitor} {where.valid:.3f}")
    if where.best_epoch:
        words.append(f"best {where.best_valid:.3f} at epoch {where.best_epoch}")
    return "  ".join(words)
