"""What training and scoring with some settings cost, before a single step is made."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from setgf.config import ExperimentConfig
from setgf.data.batch import open_batches
from setgf.data.normalise import fit_normaliser
from setgf.data.store import open_store
from setgf.errors import ConfigError
from setgf.home import Home
from setgf.model.network import build_network
from setgf.model.registry import floor_names
from setgf.model.summary import NetworkSummary, summarise
from setgf.model.text_encoder import encoder_folder
from setgf.terms import Split


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What the network of an experiment costs."""

    model: str
    encoder: str
    data_name: str
    batch_size: int
    """Samples a micro-batch."""
    summary: NetworkSummary

    @property
    def training_bytes(self) -> int:
        """About what training holds at once: weights, gradients, moments and a batch."""
        return self.summary.training_bytes(self.batch_size)

    def to_plain(self) -> dict[str, Any]:
        """Return plain JSON."""
        summary = self.summary
        return {
            "model": self.model,
            "encoder": self.encoder,
            "data": self.data_name,
            "sample": dict(summary.lengths),
            **{name: value for name, value in asdict(summary.whole).items() if name != "name"},
            "training": {
                "batch_size": self.batch_size,
                "gradient_bytes": summary.gradient_bytes,
                "optimizer_bytes": summary.optimizer_bytes,
                "kept_bytes": self.batch_size * summary.whole.kept_bytes,
                "bytes": self.training_bytes,
            },
            "modules": [asdict(module) for module in summary.modules],
        }


def measure(home: Home, config: ExperimentConfig, *, depth: int = 1) -> Costs:
    """Return what the network of an experiment costs, on the train split's middle sample.

    Args:
        home: where its feature store is.
        config: the experiment.
        depth: how far modules in modules are told.

    Raises:
        ConfigError: it is a floor, which has no network, or a setting does not fit the data.
        DataError: there is no such store, or it is damaged.
        EncoderError: the text encoder can't be found or loaded.
    """
    if config.model.name in floor_names():
        raise ConfigError(
            f"`{config.model.name}` is a floor, computed in closed form: it has no network to "
            "measure."
        )
    store = open_store(home, config.data.name)
    source = open_batches(
        store,
        Split.TRAIN,
        config.data,
        tokenizer_folder=encoder_folder(config.text.encoder),
        normaliser=fit_normaliser(store, config.data),
    )
    middle = np.argsort(source.lengths, kind="stable")[source.size // 2]
    batch, _ = source.batch(np.array([middle]))
    with torch.random.fork_rng(devices=[]):
        network = build_network(config, source.facts)
        found = summarise(network, batch, depth=depth)
    return Costs(
        model=config.model.name,
        encoder=config.text.encoder,
        data_name=store.name,
        batch_size=config.optim.batch_size,
        summary=found,
    )
