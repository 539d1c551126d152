"""From a config to a session that is ready for its first step."""

from __future__ import annotations

import torch

from setgf.config import ExperimentConfig
from setgf.data.batch import BatchSource
from setgf.errors import ConfigError
from setgf.metrics import metric_names
from setgf.model.heads import unimodal_tasks
from setgf.model.network import Network, build_network
from setgf.terms import Dataset
from setgf.training.early_stopping import EarlyStopping
from setgf.training.epoch import num_steps
from setgf.training.labels import LabelGenerator, build_labels
from setgf.training.optim import build_optimizer
from setgf.training.parameters import parameter_groups
from setgf.training.seeding import seed_everything, set_threads
from setgf.training.session import Session


def build_session(config: ExperimentConfig, train: BatchSource) -> Session:
    """Return network, optimizer, labels and position before the first step; seeds everything.

    Raises:
        ConfigError: a setting does not fit the data or the machine.
        EncoderError: the text encoder can't be found or loaded.
    """
    threads = set_threads(config.train.threads)
    device = choose_device(config.train.device)
    seed_everything(config.seed)
    network = build_network(config, train.facts).to(device)
    return Session(
        config=config,
        device=device,
        network=network,
        optimizer=build_optimizer(parameter_groups(network, config.optim), config.optim),
        labels=_build_labels(network, config, train, device),
        stopping=EarlyStopping(config.train),
        total_steps=num_steps(train.size, config.optim) * config.train.max_epochs,
        threads=threads,
    )


def check_monitor(config: ExperimentConfig, dataset: Dataset) -> None:
    """Refuse to be judged by a metric the data set does not have.

    Raises:
        ConfigError: `train.monitor` is not defined on the data set.
    """
    known = ("loss", *metric_names(dataset))
    if config.train.monitor not in known:
        raise ConfigError(
            f"`train.monitor` is `{config.train.monitor}`, which is not defined on {dataset}. "
            f"Choose one of: {', '.join(known)}."
        )


def choose_device(wanted: str) -> torch.device:
    """Return the device of a setting: `auto`, `cpu` or `cuda`.

    Raises:
        ConfigError: `cuda` where there is none.
    """
    has_gpu = torch.cuda.is_available()
    if wanted == "cuda" and not has_gpu:
        raise ConfigError(
            "`train.device` is `cuda`, but this process sees no GPU. "
            "Use `train.device=auto`, or a worker with a GPU."
        )
    return torch.device("cuda", 0) if has_gpu and wanted != "cpu" else torch.device("cpu")


def _build_labels(
    network: Network, config: ExperimentConfig, train: BatchSource, device: torch.device
) -> LabelGenerator:
    return build_labels(
        config.labels,
        tasks=unimodal_tasks(config) if network.has_unimodal_tasks else (),
        annotated=torch.tensor(train.data.labels, dtype=torch.float32, device=device),
        label_limit=train.facts.label_limit,
        has_human_labels=bool(train.data.unimodal_labels),
    )
