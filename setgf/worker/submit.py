"""From what a user asks for to jobs: the one place that builds a `NewJob`.

Everything a user can get wrong is found here, before anything is queued: an unknown store, setting,
preset or model, an encoder that is not there, a metric the data set does not have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from db.records import Job, JobState, NewJob, NewRun
from setgf.config import ExperimentConfig, ModelName, build_config, config_from_dict, full_name
from setgf.config.settings import flatten_plain
from setgf.errors import ConfigError
from setgf.home import Home
from setgf.runs.folder import RunIdentity, new_run_id
from setgf.terms import Dataset, metric_names

if TYPE_CHECKING:
    from db.engine import Database

MODEL_NAMES: tuple[str, ...] = get_args(ModelName)
_WORTH_REPEATING = (JobState.FAILED, JobState.CANCELLED, JobState.LOST)
_IDS_A_QUERY = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a user asks for: the jobs are all pairs of models and seeds."""

    data_name: str
    models: tuple[str, ...] = ("setgf",)
    seeds: tuple[int, ...] = (1111,)
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """By dotted or bare name; text is read as the setting's type."""
    preset: str | None = None
    """Name or .toml file; None takes the data set's."""
    name: str | None = None
    """Begins the jobs' names; None makes one of model and data."""
    gpus: float | None = None
    """None: one where this machine has any and `train.device` allows it."""
    priority: int = 0
    max_attempts: int = 3
    held: bool = False
    after: tuple[int, ...] = ()
    tags: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


def plan_jobs(home: Home, request: Request) -> tuple[NewJob, ...]:
    """Return the jobs of a request, checked: for every model, every seed. Nothing is stored.

    Raises:
        ConfigError: a model, setting, preset or metric is not known or not allowed.
        DataError: the feature store is not there or damaged.
        EncoderError: the text encoder is not there.
    """
    from setgf.data.find_store import find_store

    for model in request.models:
        if model not in MODEL_NAMES:
            raise ConfigError(f"No model `{model}`. Known models: {', '.join(MODEL_NAMES)}.")
    dataset = find_store(home, request.data_name)[1].dataset
    configs = [
        _config(request, dataset, model, seed)
        for model, seed in product(request.models, request.seeds)
    ]
    _check(configs, dataset)
    return tuple(_job(request, config, dataset) for config in configs)


def find_duplicates(
    database: Database, fingerprints: Iterable[str]
) -> Mapping[str, tuple[int, JobState]]:
    """Return the newest job, with its state, of every fingerprint that waits, runs or is done.

    Args:
        database: the run database.
        fingerprints: of the experiments in question.
    """
    from sqlalchemy import select

    from db.tables import jobs

    kept = [state.value for state in JobState if state not in _WORTH_REPEATING]
    wanted = tuple(dict.fromkeys(fingerprints))
    found: dict[str, tuple[int, JobState]] = {}
    with database.read() as connection:
        for begin in range(0, len(wanted), _IDS_A_QUERY):
            part = wanted[begin : begin + _IDS_A_QUERY]
            query = select(jobs.c.fingerprint, jobs.c.id, jobs.c.state).where(
                jobs.c.fingerprint.in_(part), jobs.c.state.in_(kept)
            )
            for fingerprint, job_id, state in connection.execute(query.order_by(jobs.c.id)):
                found[fingerprint] = (job_id, JobState(state))
    return found


def _config(request: Request, dataset: Dataset, model: str, seed: int) -> ExperimentConfig:
    chosen = {"data.name": request.data_name, "model.name": model, "seed": seed}
    for name in request.settings:
        if full_name(name) in chosen:
            option = {"data.name": "--data", "model.name": "--model", "seed": "--seeds"}
            raise ConfigError(
                f"`{full_name(name)}` can't be set twice; use `{option[full_name(name)]}`."
            )
    settings = {**request.settings, **chosen}
    return build_config(dataset=dataset, preset=request.preset, settings=settings)


def _check(configs: Sequence[ExperimentConfig], dataset: Dataset) -> None:
    """Refuse what would only fail in the child."""
    from setgf.model.encoder_source import encoder_folder

    known = ("loss", *metric_names(dataset))
    for monitor in sorted({config.train.monitor for config in configs}):
        if monitor not in known:
            raise ConfigError(
                f"`train.monitor` is {monitor}, but {dataset} is scored by {', '.join(known)}."
            )
    for encoder in sorted({config.text.encoder for config in configs}):
        encoder_folder(encoder)


def _job(request: Request, config: ExperimentConfig, dataset: Dataset) -> NewJob:
    begin = request.name or f"{config.model.name} {request.data_name}"
    return NewJob(
        run_id=new_run_id(),
        name=f"{begin} {config.seed}" if len(request.seeds) > 1 or not request.name else begin,
        config=config.to_dict(),
        settings=config.flatten(),
        fingerprint=config.fingerprint,
        variant=config.variant,
        dataset=str(dataset),
        data_name=request.data_name,
        model=config.model.name,
        seed=config.seed,
        max_epochs=config.train.max_epochs,
        gpus=_gpus(request, config),
        priority=request.priority,
        max_attempts=request.max_attempts,
        held=request.held,
        tags=request.tags,
        after=request.after,
        command=request.command,
    )


def _gpus(request: Request, config: ExperimentConfig) -> float:
    if request.gpus is not None:
        if request.gpus > 0 and config.train.device == "cpu":
            raise ConfigError("`train.device` is cpu, so the job can't use a GPU; ask for 0 GPUs.")
        if request.gpus == 0 and config.train.device == "cuda":
            raise ConfigError("`train.device` is cuda, so the job needs a GPU; ask for 1.")
        return request.gpus
    has_any = config.train.device == "cuda" or Path("/proc/driver/nvidia/gpus").is_dir()
    return 1.0 if has_any and config.train.device != "cpu" else 0.0


def run_identity(job: Job, *, created_at: float) -> RunIdentity:
    """Return who the run of a job is, that begins at `created_at`: for its folder."""
    return RunIdentity(
        id=job.run_id,
        name=job.name,
        dataset=job.dataset,
        data_name=job.data_name,
        model=job.model,
        seed=job.seed,
        fingerprint=job.fingerprint,
        variant=job.variant,
        max_epochs=job.max_epochs,
        monitor=str(job.config["train"]["monitor"]),
        created_at=created_at,
        job_id=job.id,
        group_id=job.group_id,
        group_name=job.group_name,
        tags=job.tags,
        command=job.command,
    )


def _settings(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return settings by dotted name; those of an imported run, or of a later version, as is."""
    try:
        return config_from_dict(config).flatten()
    except ConfigError:
        return flatten_plain(config)


def new_run(identity: RunIdentity, config: Mapping[str, Any], folder: Path) -> NewRun:
    """Return the row of a run, from what its folder says."""
    return NewRun(
        id=identity.id,
        job_id=identity.job_id,
        group_id=identity.group_id,
        name=identity.name,
        config=config,
        settings=_settings(config),
        fingerprint=identity.fingerprint,
        variant=identity.variant,
        dataset=identity.dataset,
        data_name=identity.data_name,
        model=identity.model,
        seed=identity.seed,
        max_epochs=identity.max_epochs,
        monitor=identity.monitor,
        tags=identity.tags,
        command=identity.command,
        folder=str(folder),
        created_at=identity.created_at,
    )
