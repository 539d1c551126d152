"""Trains as told by lines on its standard input, for `train.py`; knows MMSA's feature files.

    python -m tests.benchmarks.train_worker --home HOME --features mosi.pkl --encoder BERT
        --settings '{"model.name": "self_mm"}'

Speaks the protocol of `bench_common.serve`, which it imports from the scripts of `train.py`. With
`--only-encoder` it runs only the encoder of the same size, forward and backward, on transcripts of
one length that have no padding: the bound of what fine-tuning can reach.
"""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path
from typing import Any

import torch

from setgf.config import ExperimentConfig, override
from setgf.data.batch import open_batches
from setgf.data.normalise import fit_normaliser
from setgf.data.read_any import Source, read_any
from setgf.data.store import FeatureStore, open_store, write_store
from setgf.home import Home
from setgf.model.text_encoder import encoder_folder, load_text_encoder
from setgf.terms import Dataset, Split
from setgf.training.epoch import StepLog, train_epoch
from setgf.training.evaluate import evaluate
from setgf.training.recorder import NullRecorder
from setgf.training.setup import build_session

BOUND_BATCH = 128
"""Transcripts of the bound's forward pass: as many as a step of the comparison."""


class _Enough(BaseException):
    """Enough micro-batches have been trained."""


class Trainer:
    """Our own training loop, in portions of some micro-batches."""

    def __init__(self, store: FeatureStore, config: ExperimentConfig, home: Path, meter: Any):
        self.config, self.meter = config, meter
        normaliser = fit_normaliser(store, config.data)
        self.train, self.test = (
            open_batches(
                store,
                split,
                config.data,
                tokenizer_folder=encoder_folder(config.text.encoder),
                normaliser=normaliser,
            )
            for split in (Split.TRAIN, Split.TEST)
        )
        self.session = build_session(config, self.train)
        self.log = StepLog(self.session, NullRecorder(home), self.train.ids)
        self.left = 0

    def run(self, batches: int) -> dict[str, Any]:
        """Train this many micro-batches, rounded up to whole steps; return what the meter saw."""
        self.meter.reset()
        self.left = batches
        while True:
            self.meter.begin_step()
            try:
                train_epoch(self.session, self.train, log=self.log, after_step=self._after_step)
            except _Enough:
                return self.meter.report()
            self.session.position.next_epoch()

    def evaluate(self) -> None:
        """Score the test split."""
        with self.meter.section("eval"):
            evaluate(self.session, self.test, Split.TEST)

    def _after_step(self) -> None:
        position, optim = self.session.position, self.config.optim
        self.left -= optim.accumulation_steps
        samples = optim.batch_size * optim.accumulation_steps
        done = position.batches * optim.batch_size
        self.meter.data_ready(samples - max(0, done - self.train.size))
        self.meter.end_step()
        if self.left <= 0:
            raise _Enough
        self.meter.begin_step()


class Bound:
    """The plain encoder, forward and backward, on real word pieces only; nothing else."""

    def __init__(self, config: ExperimentConfig, pieces: int, meter: Any) -> None:
        self.meter = meter
        encoder = load_text_encoder(config.text, seed=1)
        self.encoder: Any = encoder.transformer.train()
        self.tokens = torch.randint(1000, encoder.num_ids, (BOUND_BATCH, pieces))
        enabled = config.train.precision == "bfloat16"
        self.precision = torch.autocast("cpu", torch.bfloat16, enabled=enabled)

    def run(self, batches: int) -> dict[str, Any]:
        """Run as many samples as some micro-batches of 32 have."""
        self.meter.reset()
        for _ in range(0, 32 * batches, BOUND_BATCH):
            self.meter.begin_step()
            self.meter.data_ready(BOUND_BATCH)
            self.encoder.zero_grad(set_to_none=True)
            with self.precision:
                first = self.encoder(input_ids=self.tokens).last_hidden_state[:, 0]
            first.float().square().mean().backward()
            self.meter.end_step()
        return self.meter.report()

    @torch.no_grad()
    def evaluate(self) -> None:
        """Run forward only."""
        with self.meter.section("eval"), self.precision:
            self.encoder(input_ids=self.tokens)


def main() -> None:
    """Serve until told to stop."""
    options = _parse()
    protocol: Any = importlib.import_module("bench_common")
    home = Path(options.home)
    store = _open(home, Path(options.features))
    settings: dict[str, Any] = json.loads(options.settings)
    config = override(
        ExperimentConfig(), {"text.encoder": options.encoder, "train.threads": 2, **settings}
    )
    meter = protocol.Meter()
    torch.set_num_threads(config.train.threads)
    facts = {"impl": "setgf"}
    if options.only_encoder:
        bound = Bound(config, round(_mean_pieces(store, config)), meter)
        protocol.serve(facts | {"n_test": BOUND_BATCH}, bound.run, bound.evaluate, meter)
    else:
        trainer = Trainer(store, config, home, meter)
        facts |= {"n_train": trainer.train.size, "n_test": trainer.test.size}
        protocol.serve(facts, trainer.run, trainer.evaluate, meter)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("home", "features", "encoder"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--settings", default="{}")
    parser.add_argument("--only-encoder", action="store_true")
    return parser.parse_args()


def _open(home: Path, features: Path) -> FeatureStore:
    """Import the file under its own name, once."""
    if not (home / "data" / features.stem).exists():
        family = Dataset(features.stem.partition("_")[0])
        file = read_any(Source(path=features, dataset=family))
        write_store(home / "data", features.stem, file.splits, file.facts, force=True)
    return open_store(Home(home), features.stem)


def _mean_pieces(store: FeatureStore, config: ExperimentConfig) -> float:
    """Return the mean number of word pieces of a transcript of train."""
    only_text = override(config, {"data.modalities": ("text",)}).data
    folder = encoder_folder(config.text.encoder)
    return float(
        open_batches(store, Split.TRAIN, only_text, tokenizer_folder=folder).lengths.mean()
    )


if __name__ == "__main__":
    main()
