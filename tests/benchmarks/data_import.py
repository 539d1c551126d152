"""Importing a MOSEI-shaped pickle, then the first batch: ours, and MMSA's way on the same file.

    SETGF_BENCHMARK_SHARE=1 python -m tests.benchmarks data_import

The share of MOSEI's 22,856 samples is 0.05 unless named; 1 takes 4.6 GB of disk, 1.5 GB for the
store and 9.2 GB of memory for MMSA's way. Every row is a process of its own. MMSA's way: for every
split the whole file is unpickled, arrays are copied to float32 and -inf becomes 0 (its
`data_loader.py`, commit a94e65d), then a torch `DataLoader` collates the first 32 samples.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.table import heading, show
from tests.data.big_pickle import write_big_pickle

BATCH_SIZE = 32
ROUNDS = 3
_BYTES_A_MEGABYTE = 1e6


def main() -> None:
    """Print seconds and memory of every way, and the ratios."""
    share = float(os.environ.get("SETGF_BENCHMARK_SHARE", "0.05"))
    with tempfile.TemporaryDirectory() as folder:
        path, home = Path(folder) / "mosei.pkl", Path(folder) / "home"
        arrays = write_big_pickle(path, share)
        times = ROUNDS if share < 0.5 else 1
        rounds = [{name: _run(name, path, home) for name in WAYS} for _ in range(times)]
        store = sum(file.stat().st_size for file in (home / "data" / "mosei").iterdir())
        sizes = (
            f"{size / _BYTES_A_MEGABYTE:,.0f}" for size in (path.stat().st_size, arrays, store)
        )
        print("{:g} of MOSEI: pickle {} MB (arrays {} MB), store {} MB".format(share, *sizes))
    best = {name: min((one[name] for one in rounds), key=_seconds) for name in WAYS}
    show(
        [f"best of {len(rounds)}", "wall s", "CPU s", "new MB at peak"],
        [
            [name, f"{found['wall']:.3f}", f"{found['cpu']:.3f}", f"{found['memory']:,.0f}"]
            for name, found in best.items()
        ],
    )
    ours, theirs = best["open and first batch"], best["MMSA: load and first batch"]
    print(
        f"To the first batch, MMSA's way takes {theirs['wall'] / ours['wall']:,.0f} times the wall "
        f"clock, {theirs['cpu'] / ours['cpu']:,.0f} times the CPU and "
        f"{theirs['memory'] / ours['memory']:,.0f} times the memory."
    )


def _seconds(found: dict[str, float]) -> float:
    return found["wall"]


def import_file(path: Path, home: Path) -> Callable[[], object]:
    """Import, as `setgf data import` does."""
    from setgf.data.read_any import Source, read_any
    from setgf.data.store import write_store

    def work() -> None:
        file = read_any(Source(path=path))
        write_store(home / "data", "mosei", file.splits, file.facts, force=True)

    return work


def first_batch(_path: Path, home: Path) -> Callable[[], object]:
    """Open the store with the default settings and make a batch of the first epoch."""
    from setgf.config import DataConfig
    from setgf.data.batch import fit_normaliser, open_batches
    from setgf.data.sampler import epoch_order
    from setgf.data.store import open_store
    from setgf.home import Home
    from setgf.terms import Split

    def work() -> None:
        store, config = open_store(Home(home), "mosei"), DataConfig()
        source = open_batches(
            store,
            Split.TRAIN,
            config,
            tokenizer_folder=None,
            normaliser=fit_normaliser(store, config),
        )
        order = epoch_order(
            source.lengths,
            batch_size=BATCH_SIZE,
            seed=1,
            epoch=1,
            group_by_length=True,
            shuffle=True,
        )
        source.batch(order[0])

    return work


def mmsa_way(path: Path, _home: Path) -> Callable[[], object]:
    """Load all splits as MMSA's data set does, and collate a batch."""
    from torch.utils.data import DataLoader, Dataset

    class Samples(Dataset[dict[str, Any]]):
        def __init__(self, split: str) -> None:
            with path.open("rb") as file:
                data = pickle.load(file)[split]
            keys = ("text_bert", "audio", "vision", "regression_labels")
            self.arrays = {key: np.array(data[key]).astype(np.float32) for key in keys}
            audio = self.arrays["audio"]
            audio[audio == -np.inf] = 0

        def __len__(self) -> int:
            return len(self.arrays["regression_labels"])

        def __getitem__(self, row: int) -> dict[str, Any]:
            import torch

            return {key: torch.Tensor(part[row : row + 1]) for key, part in self.arrays.items()}

    def work() -> None:
        loaders = {
            split: DataLoader(Samples(split), batch_size=BATCH_SIZE, shuffle=True)
            for split in ("train", "valid", "test")
        }
        next(iter(loaders["train"]))

    return work


WAYS: dict[str, Callable[[Path, Path], Callable[[], object]]] = {
    "import": import_file,
    "open and first batch": first_batch,
    "MMSA: load and first batch": mmsa_way,
}


def _run(name: str, path: Path, home: Path) -> dict[str, float]:
    """Run one way in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.data_import", name, str(path), str(home)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def _measure(name: str, path: Path, home: Path) -> None:
    """Do the work of one way, and print what it took; modules are loaded before."""
    import numpy.random
    import torch

    torch.set_num_threads(1)
    numpy.random.default_rng()
    work = WAYS[name](path, home)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    found = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps({**found, "memory": max(grown * 1024 / _BYTES_A_MEGABYTE, 0.1)}))


if __name__ == "__main__":
    if len(sys.argv) == 4:
        _measure(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        heading("data_import", __doc__ or "")
        main()
