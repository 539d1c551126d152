"""From what a user asks for to jobs: the one place that builds a `NewJob`.

Everything a user can get wrong is found here, before anything is queued: an unknown store, setting,
preset or model, an encoder that is not there, a metric the data set does not have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from db.job_adding import same_experiments
from db.records import Job, JobState, NewJob, NewRun
from setgf.config import (
    ExperimentConfig,
    build_config,
    config_from_dict,
    full_name,
    override,
    parse_assignments,
    short_name,
)
from setgf.config.settings import flatten_plain
from setgf.errors import ConfigError
from setgf.home import Home
from setgf.model.registry import floor_names, model_names
from setgf.runs.folder import RunIdentity, new_run_id
from setgf.terms import MODALITIES, Dataset, Task, metric_names

if TYPE_CHECKING:
    from db.statements import Statements
    from setgf.data.manifest import Manifest

MODEL_NAMES = model_names()
_MODALITIES = "data.modalities"
_WORTH_REPEATING = (JobState.FAILED, JobState.CANCELLED, JobState.LOST)
_OF_FLOORS = (
    "data.name",
    "data.modalities",
    "data.audio_features",
    "data.vision_features",
    "model.name",
    "train.task",
    "train.monitor",
    "seed",
)
"""Settings that a model without gradients reads."""
MOST_JOBS = 10_000
"""A request for more is taken for a slip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a user asks for: a job for every model, every point of the grid and every seed."""

    data_name: str
    """A feature store; several with commas between, and `*`, for `plan_jobs_on_all`."""
    models: tuple[str, ...] = ("setgf",)
    seeds: tuple[int, ...] = (1111,)
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """By dotted or bare name; text is read as the setting's type."""
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict[str, Sequence[Any]])
    """Settings with the values to try; several of them: every combination."""
    preset: str | None = None
    """Name or .toml file; None takes the data set's."""
    name: str | None = None
    """Begins the jobs' names; None makes one of model and data."""
    gpus: float | None = None
    """None: one where this machine has any and `train.device` allows it."""
    memory_mib: int | None = None
    time_limit: float | None = None
    """Seconds of running."""
    not_before: float | None = None
    """Seconds since the epoch."""
    priority: int = 0
    max_attempts: int = 3
    held: bool = False
    after: tuple[int, ...] = ()
    """Jobs that must succeed first."""
    after_any: tuple[int, ...] = ()
    """Jobs that must be over first, however they end."""
    tags: tuple[str, ...] = ()
    owner: str = ""
    command: tuple[str, ...] = ()


def plan_jobs(home: Home, request: Request) -> tuple[NewJob, ...]:
    """Return the jobs of a request, checked: models, grid, seeds. Nothing is stored.

    Raises:
        ConfigError: a model, setting, preset or metric is not known or not allowed.
        DataError: the feature store is not there or damaged.
        EncoderError: the text encoder is not there.
    """
    from setgf.data.find_store import find_store

    for model in request.models:
        if model not in MODEL_NAMES:
            raise ConfigError(f"No model `{model}`. Known models: {', '.join(MODEL_NAMES)}.")
    points = _grid_points(request)
    number = len(request.models) * len(request.seeds) * len(points)
    if number > MOST_JOBS:
        raise ConfigError(f"That would be {number} jobs; at most {MOST_JOBS} are added at once.")
    manifest = find_store(home, request.data_name)[1]
    dataset = manifest.dataset
    configs = [
        (_config(request, manifest, model, seed, point), point)
        for model, point, seed in product(request.models, points, request.seeds)
    ]
    _check([config for config, _ in configs], dataset)
    return tuple(_job(request, config, point, dataset) for config, point in configs)


def plan_jobs_on_all(home: Home, request: Request) -> tuple[NewJob, ...]:
    """Return the jobs of a request on every feature store that `data_name` names.

    Args:
        home: where the stores are.
        request: its `data_name` may hold several names with commas between, and `*`.

    Raises:
        ConfigError: what `plan_jobs` refuses, or too many jobs together.
        DataError, EncoderError: what `plan_jobs` refuses.
    """
    from setgf.data.find_store import matching_stores

    names = matching_stores(home, request.data_name)
    jobs: list[NewJob] = []
    for name in names:
        own_name = f"{request.name} {name}" if request.name and len(names) > 1 else request.name
        jobs += plan_jobs(home, replace(request, data_name=name, name=own_name))
        if len(jobs) > MOST_JOBS:
            raise ConfigError(f"That would be more than {MOST_JOBS} jobs on {len(names)} stores.")
    return tuple(jobs)


def group_kind(request: Request) -> str:
    """Return what a group of the request's jobs is: `grid`, `seeds` or `jobs`."""
    if request.grid:
        return "grid"
    return "seeds" if len(request.seeds) > 1 else "jobs"


def edited_values(job: Job, assignments: Sequence[str]) -> dict[str, Any]:
    """Return what `db.jobs.edit` needs to give a job other settings: its config and what follows.

    Args:
        job: one that never started.
        assignments: `setting=value`.

    Raises:
        ConfigError: a setting is not known or not allowed, or names other data.
    """
    settings = {full_name(name): value for name, value in parse_assignments(assignments).items()}
    if "data.name" in settings:
        raise ConfigError(
            "`data.name` of a queued job can't be changed; queue another with `setgf queue add`."
        )
    config = _without_idle(override(config_from_dict(job.config), settings))
    _check([config], Dataset(job.dataset))
    return {
        "config": config.to_dict(),
        "settings": config.flatten(),
        "fingerprint": config.fingerprint,
        "variant": config.variant,
        "model": config.model.name,
        "seed": config.seed,
        "max_epochs": config.train.max_epochs,
    }


def find_duplicates(
    statements: Statements, fingerprints: Iterable[str]
) -> Mapping[str, tuple[int, JobState]]:
    """Return the newest job, with its state, of every fingerprint that waits, runs or is done.

    Args:
        statements: of the run database.
        fingerprints: of the experiments in question.
    """
    kept = [state.value for state in JobState if state not in _WORTH_REPEATING]
    found = same_experiments(statements, fingerprints, kept)
    return {one: (job_id, JobState(state)) for one, (job_id, state) in found.items()}


def _grid_points(request: Request) -> tuple[Mapping[str, Any], ...]:
    """Return every combination of the grid's values, by full setting name."""
    values: dict[str, Sequence[Any]] = {}
    settings = {full_name(name) for name in request.settings}
    for name, tried in request.grid.items():
        full = full_name(name)
        if full in values or full in settings:
            raise ConfigError(f"`{full}` can't be set twice: it is in the grid already.")
        if not tried:
            raise ConfigError(f"The grid over `{full}` must name at least one value.")
        if len({str(value) for value in tried}) != len(tried):
            raise ConfigError(f"The grid over `{full}` names one value twice.")
        values[full] = tried
    return tuple(dict(zip(values, point, strict=True)) for point in product(*values.values()))


def _config(
    request: Request, manifest: Manifest, model: str, seed: int, point: Mapping[str, Any]
) -> ExperimentConfig:
    chosen = {"data.name": request.data_name, "model.name": model, "seed": seed}
    for name in (*request.settings, *point):
        if full_name(name) in chosen:
            option = {"data.name": "--data", "model.name": "--model", "seed": "--seeds"}
            raise ConfigError(
                f"`{full_name(name)}` can't be set twice; use `{option[full_name(name)]}`."
            )
    from setgf.data.selection import FEATURED, selected_features

    settings = {**request.settings, **point, **chosen}
    is_chosen = any(full_name(name) == _MODALITIES for name in settings)
    if not is_chosen and set(manifest.modalities) != set(MODALITIES):
        settings[_MODALITIES] = tuple(map(str, manifest.modalities))
    config = build_config(dataset=manifest.dataset, preset=request.preset, settings=settings)
    missing = [part for part in config.data.modalities if part not in manifest.modalities]
    if missing:
        raise ConfigError(
            f"`{_MODALITIES}` names {', '.join(missing)}, but the feature store "
            f"`{request.data_name}` has only {', '.join(manifest.modalities)}."
        )
    for modality in FEATURED:
        selected_features(manifest, config.data, modality)
    return _without_idle(config)


def _without_idle(config: ExperimentConfig) -> ExperimentConfig:
    """Return the config of a floor without settings that change nothing; another as it is.

    Equal floors are then one experiment, whatever the networks queued with them are given.
    """
    if config.model.name not in floor_names():
        return config
    flat = config.flatten()
    kept = {name: flat[name] for name in _OF_FLOORS}
    return override(ExperimentConfig(), {**kept, "train.max_epochs": 1})


def _check(configs: Sequence[ExperimentConfig], dataset: Dataset) -> None:
    """Refuse what would only fail in the child."""
    from setgf.model.encoder_source import encoder_folder

    for task, monitor in sorted({(c.train.task, c.train.monitor) for c in configs}):
        known = ("loss", *metric_names(dataset, Task(task)))
        if monitor not in known:
            raise ConfigError(
                f"`train.monitor` is {monitor}, but {dataset} is scored by {', '.join(known)}."
            )
    read = [config for config in configs if config.model.name not in floor_names()]
    for encoder in sorted({config.text.encoder for config in read}):
        encoder_folder(encoder)


def _name(request: Request, config: ExperimentConfig, point: Mapping[str, Any]) -> str:
    """Return what tells a job from the others of its request."""
    words = [request.name or f"{config.model.name} {request.data_name}"]
    if request.name and len(request.models) > 1:
        words.append(config.model.name)
    words += [f"{short_name(name)}={_show(value)}" for name, value in point.items()]
    if len(request.seeds) > 1 or not request.name:
        words.append(str(config.seed))
    return " ".join(words)


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "+".join(map(str, value)) if isinstance(value, list | tuple) else str(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _job(
    request: Request, config: ExperimentConfig, point: Mapping[str, Any], dataset: Dataset
) -> NewJob:
    return NewJob(
        run_id=new_run_id(),
        name=_name(request, config, point),
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
        memory_mib=request.memory_mib,
        time_limit=request.time_limit,
        not_before=request.not_before,
        owner=request.owner,
        priority=request.priority,
        max_attempts=request.max_attempts,
        held=request.held,
        tags=request.tags,
        after=request.after,
        after_any=request.after_any,
        command=request.command,
    )


def _gpus(request: Request, config: ExperimentConfig) -> float:
    if request.gpus is not None:
        if request.gpus > 0 and config.train.device == "cpu":
            raise ConfigError("`train.device` is cpu, so the job can't use a GPU; ask for 0 GPUs.")
        if request.gpus == 0 and config.train.device == "cuda":
            raise ConfigError("`train.device` is cuda, so the job needs a GPU; ask for 1.")
        return request.gpus
    if config.model.name in floor_names():
        return 0.0
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
