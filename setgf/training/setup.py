"""From a config to a session that is ready for its first step."""

from __future__ import annotations

import torch

from setgf.config import ExperimentConfig
from setgf.data.batch import BatchSource
from setgf.errors import ConfigError
from setgf.metrics import metric_names
from setgf.model.heads import unimodal_tasks
from setgf.model.network import Network, build_network
from setgf.terms import Dataset, Task
from setgf.training.averages import WeightAverage
from setgf.training.compiled import compile_network
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
    steps = _num_steps(config, train.size)
    if config.train.compile:
        compile_network(network)
    return Session(
        config=config,
        device=device,
        network=network,
        optimizer=build_optimizer(parameter_groups(network, config.optim), config.optim),
        labels=_build_labels(network, config, train, device),
        stopping=EarlyStopping(config.train),
        total_steps=steps * config.train.max_epochs,
        threads=threads,
        scaler=torch.amp.GradScaler(device.type, enabled=config.train.precision == "float16"),
        average=WeightAverage(network, config.optim.ema_decay) if config.optim.ema_decay else None,
    )


def speed_warnings(config: ExperimentConfig, device: torch.device) -> tuple[str, ...]:
    """Return a sentence for every setting that makes training slower than it has to be."""
    if device.type != "cpu":
        return ()
    found: list[str] = []
    if config.train.precision == "float16":  # measured: SETGF, torch 2.12, one thread
        found.append(
            "`train.precision` is `float16`, but training is on the CPU, which is about nine times "
            "slower in it than in float32. Use `train.precision=bfloat16`, or a GPU."
        )
    if config.train.compile:
        found.append(
            "`train.compile` is true, but training is on the CPU, where compiling takes half a "
            "minute or more and gains nothing (measured). Use `train.compile=false`, or a GPU."
        )
    return tuple(found)


def _num_steps(config: ExperimentConfig, num_samples: int) -> int:
    steps = num_steps(num_samples, config.optim)
    if steps == 0:
        raise ConfigError(
            f"`optim.accumulation` is `reference`, which drops an epoch's last group of "
            f"micro-batches where it is partial, but all {num_samples} samples make less than one "
            f"group of {config.optim.accumulation_steps} x {config.optim.batch_size}: nothing "
            "would ever be learnt. Use `optim.accumulation=mean`, or lower "
            "`optim.accumulation_steps`."
        )
    return steps


def check_monitor(config: ExperimentConfig, dataset: Dataset) -> None:
    """Refuse to be judged by a metric the data set does not have.

    Raises:
        ConfigError: `train.monitor` is not defined on the data set.
    """
    known = ("loss", *metric_names(dataset, Task(config.train.task)))
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
    human = train.data.unimodal_labels or {}
    return build_labels(
        config.labels,
        tasks=unimodal_tasks(config) if network.has_unimodal_tasks else (),
        annotated=torch.tensor(train.data.labels, dtype=torch.float32, device=device),
        label_limit=train.facts.label_limit,
        human={
            task: torch.tensor(labels, dtype=torch.float32, device=device)
            for task, labels in human.items()
        },
        weighting=config.loss.task_weighting,
    )
