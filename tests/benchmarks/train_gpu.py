"""Training on a GPU: samples a second, use of the card's arithmetic, idle share, concurrent runs.

    SETGF_GPU_PEAK=989 python -m tests.benchmarks train_gpu

Self-MM and SETGF on made-up data of MOSI's size, a random encoder of bert-base's size that is
fine-tuned, batch 64, bfloat16, compiled or not; the third epoch is measured. `SETGF_GPU_PEAK` is
the card's dense bfloat16 peak in TFLOP/s: its use is 6 FLOP for each weight of the encoder's layers
and each real word piece, over what the card could have done meanwhile. Idle is the share of an
epoch in which no kernel ran (torch's profiler). Concurrent runs share the card; their samples a
second are added up.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from setgf.config import ExperimentConfig, override
from setgf.data.batch import BatchSource, open_batches
from setgf.data.normalise import fit_normaliser
from setgf.data.store import open_store
from setgf.data.synthetic import synthesise
from setgf.home import Home
from setgf.model.text_encoder import encoder_folder
from setgf.terms import Dataset, Split
from setgf.training.epoch import StepLog, train_epoch
from setgf.training.recorder import NullRecorder
from setgf.training.session import Session
from setgf.training.setup import build_session
from tests.benchmarks.table import heading, show_markdown

SIZES = {Split.TRAIN: 1284, Split.VALID: 32, Split.TEST: 32}
MODELS = ("self_mm", "setgf")
CONCURRENT = (1, 2, 4, 8)
WARM_EPOCHS, EPOCHS = 2, 3
Found = dict[str, float]


def main() -> None:
    """Print two tables, as Markdown."""
    if not torch.cuda.is_available():
        print("Left out: this machine has no GPU that torch can use.")
        return
    print(f"{torch.cuda.get_device_name()}; torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _make_data(place)
        rows: list[list[str]] = []
        for model in MODELS:
            for compiled in (False, True):
                (found,) = _run_together(place, 1, model, compiled=compiled)
                rows.append([f"{model}{', compiled' if compiled else ''}", *_cells(found)])
        show_markdown(["", "samples/s", "use of peak", "idle", "memory, MiB"], rows)
        print()
        rows = []
        for count in CONCURRENT:
            together = _run_together(place, count, "setgf", compiled=False)
            total = sum(found["samples_per_second"] for found in together)
            rows.append([str(count), f"{total:,.0f}", f"{total / count:,.0f}"])
        show_markdown(["concurrent runs of setgf", "samples/s", "each"], rows)


def _cells(found: Found) -> list[str]:
    peak = float(os.environ.get("SETGF_GPU_PEAK", "nan"))
    return [
        f"{found['samples_per_second']:,.0f}",
        f"{100 * found['teraflops'] / peak:.1f} %",
        f"{100 * found['idle']:.1f} %",
        f"{found['memory_mib']:,.0f}",
    ]


def _run_together(folder: Path, count: int, model: str, *, compiled: bool) -> list[Found]:
    """Return what runs that share the card have measured, each a process."""
    settings = {"model.name": model, "train.compile": compiled}
    command = [sys.executable, "-m", "tests.benchmarks.train_gpu", str(folder)]
    runs = [
        subprocess.Popen([*command, json.dumps(settings)], stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    return [json.loads(run.communicate()[0].splitlines()[-1]) for run in runs]


def _make_data(folder: Path) -> None:
    """Make a store and the folder of an encoder, with a vocabulary that knows no word."""
    from transformers import BertConfig, BertModel

    synthesise(Home(folder), "mosi", Dataset.MOSI, sizes=SIZES)
    encoder = folder / "bert"
    BertModel(BertConfig()).save_pretrained(encoder)
    known = ["[PAD]", *(f"[unused{i}]" for i in range(99)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    (encoder / "vocab.txt").write_text("\n".join(known) + "\n", encoding="utf-8")


def measure(folder: Path, settings: dict[str, Any], *, device: str = "cuda") -> Found:
    """Train some epochs; return what the last ones show."""
    config = override(
        ExperimentConfig(),
        {
            "text.encoder": str(folder / "bert"),
            "optim.batch_size": 64,
            "train.device": device,
            "train.precision": "bfloat16",
            **settings,
        },
    )
    store = open_store(Home(folder), "mosi")
    source = open_batches(
        store,
        Split.TRAIN,
        config.data,
        tokenizer_folder=encoder_folder(config.text.encoder),
        normaliser=fit_normaliser(store, config.data),
        device=torch.device(device),
    )
    session = build_session(config, source)
    log = StepLog(session, NullRecorder(folder), source.ids)
    _train(session, source, log, WARM_EPOCHS)
    seconds = _train(session, source, log, EPOCHS)
    pieces = int(source.batch(np.arange(source.size))[0].text_lengths.sum())
    return {
        "samples_per_second": EPOCHS * source.size / seconds,
        "teraflops": 6e-12 * _layer_weights(session) * pieces * EPOCHS / seconds,
        "idle": _idle(session, source, log),
        "memory_mib": torch.cuda.max_memory_allocated() / 2**20,
    }


def _train(session: Session, source: BatchSource, log: StepLog, epochs: int) -> float:
    """Return the seconds of some epochs, to the end of their last kernel."""
    _wait(session)
    started = time.perf_counter()
    for _ in range(epochs):
        train_epoch(session, source, log=log, after_step=lambda: None)
        session.position.next_epoch()
    _wait(session)
    return time.perf_counter() - started


def _wait(session: Session) -> None:
    if session.device.type == "cuda":
        torch.cuda.synchronize()


def _layer_weights(session: Session) -> int:
    transformer: Any = session.network.text_encoder.transformer
    return sum(weight.numel() for weight in transformer.encoder.parameters())


def _idle(session: Session, source: BatchSource, log: StepLog) -> float:
    """Return the share of an epoch in which no kernel ran."""
    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        seconds = _train(session, source, log, 1)
    events: list[Any] = list(seen.events() or [])
    spans = sorted((event.time_range.start, event.time_range.end) for event in events)
    busy, end = 0.0, 0.0
    for start, stop in spans:
        busy += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return max(0.0, 1 - busy / 1e6 / seconds)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(measure(Path(sys.argv[1]), json.loads(sys.argv[2]))))
    else:
        heading("train_gpu", __doc__ or "")
        main()
