"""What benchmarks print and how they measure."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence


def heading(name: str, text: str) -> None:
    """Print a benchmark's name and the first line of its docstring."""
    print(f"\n== {name}: {text.splitlines()[0] if text else ''}")


def show(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their columns; the first column is on the left."""
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    for row in [columns, *rows]:
        first, *others = (
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *others]))


def show_markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows as a table for a README; the first column is on the left."""
    print("| " + " | ".join(columns) + " |")
    print("| --- |" + " ---: |" * (len(columns) - 1))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def interleaved(
    work: Mapping[str, Callable[[], object]], *, rounds: int, clock: Callable[[], float] = time.time
) -> dict[str, list[float]]:
    """Return the seconds of every piece of work, all of them once a round, in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, call in work.items():
            started = clock()
            call()
            seconds[name].append(clock() - started)
    return seconds


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)
