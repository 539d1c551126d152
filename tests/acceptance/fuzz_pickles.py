"""Feeds the pickle guard with made-up and mutated pickles for a while; run by hand.

    python -m tests.acceptance.fuzz_pickles SECONDS [SEED]

Ends with exit code 1 at the first input that is neither read nor refused with our own error, or
takes more than ten seconds; that input is kept beside the others in the folder that is printed.
"""

from __future__ import annotations

import pickle
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from setgf.data.pickle_guard import load_pickle
from setgf.errors import DataError
from tests.acceptance.broken_files import hostile_pickles
from tests.acceptance.hostile_operations import hostile_operations, impossible_sizes
from tests.data.builders import make_content

_MEMORY = 100_000_000
_SLOWEST_SECONDS = 10.0


def main() -> None:
    """Fuzz for the seconds of the command line."""
    seconds = float(sys.argv[1])
    random = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    path, seeds = folder / "input.pkl", _seeds(folder)
    tried = read = 0
    slowest, end = 0.0, time.monotonic() + seconds
    while time.monotonic() < end:
        path.write_bytes(_mutate(random, seeds))
        started = time.monotonic()
        try:
            load_pickle(path, max_memory=_MEMORY)
            read += 1
        except DataError as error:
            if str(path) not in str(error):
                sys.exit(f"The error does not name its file: {error}. See {path}.")
        slowest, tried = max(slowest, time.monotonic() - started), tried + 1
        if slowest > _SLOWEST_SECONDS:
            sys.exit(f"That took {slowest:.1f} s. See {path}.")
    if (folder / "marker").exists():
        sys.exit("Something ran.")
    print(
        f"{tried} inputs in {seconds:.0f} s: {read} read, {tried - read} refused, "
        f"slowest {slowest:.2f} s, nothing ran."
    )


def _seeds(folder: Path) -> list[bytes]:
    marker = folder / "marker"
    content = make_content()
    good = [pickle.dumps(content, protocol) for protocol in range(6)]
    hostile = [data for _, data in hostile_pickles(marker).values()]
    operations = [data for _, data in hostile_operations(f"touch {marker}").values()]
    sizes = [data for _, data in impossible_sizes().values() if len(data) < 10_000]
    return [*good, *hostile, *operations, *sizes]


def _mutate(random: np.random.Generator, seeds: list[bytes]) -> bytes:
    """Return one seed, changed: bytes replaced, removed, doubled, or parts of another put in."""
    data = bytearray(seeds[int(random.integers(len(seeds)))])
    for _ in range(int(random.integers(1, 12))):
        place = int(random.integers(len(data) + 1))
        size = int(random.integers(1, 24))
        match int(random.integers(5)):
            case 0:
                data[place : place + 1] = bytes([int(random.integers(256))])
            case 1:
                del data[place : place + size]
            case 2:
                data[place:place] = data[place : place + size]
            case 3:
                other = seeds[int(random.integers(len(seeds)))]
                start = int(random.integers(len(other) + 1))
                data[place:place] = other[start : start + size]
            case _:
                data[place : place + 4] = random.bytes(4)
    return bytes(data)


if __name__ == "__main__":
    main()
