"""The frozen description of one experiment: everything that decides a number.

Standard library only, so that describing and queueing cost no torch. A setting is written
`section.field` (`optim.lr`); the bare field is enough where it is unique (`max_epochs`). Every field
has a sentence under it with its unit, its range and what a special value means: the same sentence
is shown by `setgf config` and by the dashboard.
"""

from __future__ import annotations

import ast
import hashlib
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from importlib import resources
from inspect import getsource
from pathlib import Path
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from setgf.errors import ConfigError, UnknownSettingError
from setgf.terms import Dataset

ModelName = Literal["setgf", "self_mm", "text_only"]
LabelMode = Literal["fixed", "reference", "human", "copy", "none"]
Value = str | int | float | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """Which feature store, and how its frames reach the model."""

    name: str = ""
    """Name of the feature store (`setgf data list`)."""
    modalities: tuple[str, ...] = ("text", "audio", "vision")
    """Modalities the model sees; a missing one has length zero."""
    normalise: bool = True
    """Scale audio and vision by the train split's mean and standard deviation, clipped to 5."""
    max_frames: int = 64
    """Audio and vision are averaged over consecutive windows to at most this many; 0 keeps all."""
    max_tokens: int = 50
    """Word pieces a transcript is cut to, special tokens included; 2 or more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextConfig:
    """The text encoder."""

    encoder: str = "minilm"
    """`minilm` (the installed package), `tiny` (random, for tests), a folder or a hub name."""
    finetune: bool = True
    """Train the encoder; false keeps its weights frozen and its outputs cached."""
    pooling: Literal["auto", "first", "mean"] = "auto"
    """One vector a transcript: first token or mean; `auto` is mean for minilm, else first."""
    dropout: float = 0.1
    """Dropout on the pooled text vector, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Which network, and its sizes."""

    name: ModelName = "setgf"
    """`setgf`, or a baseline: `self_mm`, `text_only`."""
    width: int = 128
    """Width of SETGF's representations; a multiple of `heads`."""
    heads: int = 8
    """Attention heads."""
    blocks: int = 2
    """Attention blocks a cross-modal mapping has, 1 or more."""
    attention_dropout: float = 0.1
    """Dropout on attention weights, 0 to 1."""
    feedforward_dropout: float = 0.1
    """Dropout in feed-forward layers and residuals, 0 to 1."""
    fusion_width: int = 128
    """Width of the fusion head's feature (the label generator's space)."""
    text_width: int = 64
    """Width of the text head's feature."""
    audio_width: int = 16
    """Width of the audio head's feature."""
    vision_width: int = 32
    """Width of the vision head's feature."""
    head_dropout: float = 0.1
    """Dropout before every head, 0 to 1."""
    audio_hidden: int = 16
    """Self-MM only: hidden units of the audio LSTM."""
    vision_hidden: int = 32
    """Self-MM only: hidden units of the vision LSTM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AblationConfig:
    """Parts of SETGF that can be taken out, one at a time (`msa.md` 5.5)."""

    text_guided_fusion: bool = True
    """False: mean-pooled representations are concatenated, without the fusion module."""
    text_oriented_attention: bool = True
    """False: audio and vision do not attend to each other through text."""
    cross_modal_mappings: bool = True
    """False: no direct text-audio and text-vision attention."""
    text_mediation: bool = True
    """False: audio and vision attend to each other directly, as in MulT."""
    text_gate: bool = True
    """False: text does not gate audio and vision before fusion."""
    null_key: bool = True
    """False: attention has no learnt key for `nothing there`."""
    unimodal_representation: bool = True
    """False: features are only projected and averaged."""
    temporal_branch: bool = True
    """False: no recurrent branch in the unimodal representation."""
    global_branch: bool = True
    """False: global vector is the plain mean."""
    integration: bool = True
    """False: the global vector does not flow back into the sequence."""
    text_as: Literal["both", "query", "key"] = "both"
    """Side of text in the cross-modal mappings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelConfig:
    """How unimodal labels are made (`msa.md` 3.3, 5.4)."""

    mode: LabelMode = "fixed"
    """`fixed` (guarded), `reference` (Self-MM's, faults included), `human`, `copy` or `none`."""
    warmup_epochs: int = 1
    """Epochs in which unimodal labels equal the annotated label (fixed mode)."""
    exclude_zero: bool = True
    """Neutral samples belong to no class centre (MMSA); false counts them as positive (Self-MM)."""
    min_class_size: int = 8
    """A class centre is moved only with this many members (fixed mode)."""
    max_ratio: float = 2.0
    """Largest ratio of unimodal to multimodal distance offset (fixed mode)."""
    min_offset: float = 0.05
    """Smallest absolute multimodal distance offset to divide by (fixed mode)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossConfig:
    """The joint loss of the four tasks."""

    tasks: tuple[str, ...] = ("text", "audio", "vision")
    """Unimodal tasks trained beside fusion."""
    unimodal_weight: float = 1.0
    """Weight of the unimodal losses, 0 or more."""
    consistency_weight: float = 0.05
    """Weight of the consistency of audio and vision with text, 0 or more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimConfig:
    """The optimizer and its schedule."""

    optimizer: Literal["adamw", "adam"] = "adamw"
    """`adamw`, or `adam` with coupled weight decay as in the reference."""
    lr: float = 5e-4
    """Peak learning rate of everything but the text encoder, above 0."""
    lr_text: float = 5e-5
    """Peak learning rate of the text encoder, above 0."""
    weight_decay: float = 0.01
    """Weight decay; none on biases, norms and heads."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """Course of the learning rate after warm-up."""
    warmup_ratio: float = 0.1
    """Share of all steps in which the learning rate rises, 0 to 1."""
    clip_norm: float = 1.0
    """Largest gradient norm; 0 does not clip."""
    batch_size: int = 32
    """Samples a micro-batch."""
    accumulation_steps: int = 1
    """Micro-batches an optimizer step; their mean gradient, partial groups included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """How long to train, on what, and what picks the best epoch."""

    max_epochs: int = 30
    """Passes over the train split at most, 1 or more."""
    patience: int = 8
    """Epochs without a better validation metric before stopping; 0 never stops early."""
    monitor: str = "mae"
    """Validation metric that picks the best epoch; its direction is known."""
    min_delta: float = 1e-6
    """Smallest change of the monitored metric that counts as better."""
    device: str = "auto"
    """`auto` (first GPU the worker grants, else CPU), `cpu` or `cuda`."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Number format of matrix products."""
    threads: int = 0
    """CPU threads; 0 uses what the worker grants. CPU results repeat only at one count."""
    group_by_length: bool = True
    """Batches hold samples of similar length (deterministic)."""
    checkpoint_seconds: float = 60.0
    """Longest time between checkpoints of a running epoch; one is always written at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentConfig:
    """One experiment: all settings and the seed."""

    data: DataConfig = field(default_factory=DataConfig)
    text: TextConfig = field(default_factory=TextConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    ablation: AblationConfig = field(default_factory=AblationConfig)
    labels: LabelConfig = field(default_factory=LabelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    seed: int = 1111
    """The one number all random sources start from."""

    def __post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise ConfigError("\n".join(problems))

    def to_dict(self) -> dict[str, Any]:
        """Return plain nested data, ready for JSON."""
        return cast(dict[str, Any], json.loads(json.dumps(asdict(self))))

    def flatten(self) -> dict[str, Value]:
        """Return every setting by its dotted name, in order."""
        return dict(_walk(self, ""))

    @property
    def fingerprint(self) -> str:
        """Hash of the whole config: equal fingerprint, equal experiment (12 hex digits)."""
        return _hash(self.to_dict())

    @property
    def variant(self) -> str:
        """Hash of the config without its seed: what seeds of one experiment share."""
        plain = self.to_dict()
        del plain["seed"]
        return _hash(plain)


def config_from_dict(plain: Mapping[str, Any], *, where: str = "") -> ExperimentConfig:
    """Build a config from nested data; unknown settings are refused with the nearest name.

    Raises:
        ConfigError: a setting is unknown or its value is not allowed; all problems at once.
    """
    return override(ExperimentConfig(), _flatten_plain(plain), where=where)


def override(
    config: ExperimentConfig, settings: Mapping[str, Any], *, where: str = ""
) -> ExperimentConfig:
    """Return `config` with settings replaced by name.

    Args:
        settings: dotted or bare setting name to value; text is read as the setting's type.
        where: named in errors (a file or an option).
    """
    sections: dict[str, dict[str, Any]] = {}
    seed = config.seed
    for name, value in settings.items():
        full = full_name(name, where=where)
        typed = _coerce(full, value)
        if full == "seed":
            seed = cast(int, typed)
        else:
            section, leaf = full.split(".")
            sections.setdefault(section, {})[leaf] = typed
    changed = {
        section: replace(getattr(config, section), **leaves) for section, leaves in sections.items()
    }
    return replace(config, seed=seed, **changed)


def full_name(name: str, *, where: str = "") -> str:
    """Return the dotted name of a setting given dotted or bare."""
    known = setting_names()
    if name in known:
        return name
    matches = [full for full in known if full.rpartition(".")[2] == name]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise ConfigError(
            f"Setting `{name}` is ambiguous: it stands for "
            f"{' and '.join(f'`{match}`' for match in matches)}. Write one of them."
        )
    raise UnknownSettingError(
        name, [*known, *(full.rpartition(".")[2] for full in known)], where=where
    )


@cache
def setting_names() -> tuple[str, ...]:
    """Return the dotted name of every setting, in order."""
    return tuple(ExperimentConfig().flatten())


def parse_assignments(texts: Iterable[str]) -> dict[str, str]:
    """Read `name=value` options.

    Raises:
        ConfigError: an option has no `=`.
    """
    settings: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"`{text}` must be `setting=value`, for example `max_epochs=20`.")
        settings[name.strip()] = value.strip()
    return settings


def parse_seeds(text: str) -> tuple[int, ...]:
    """Read seeds: `1111`, `1,2,3` or `1111-1115` (both ends included).

    Raises:
        ConfigError: not numbers, a range that runs backwards, or a seed twice.
    """
    seeds: list[int] = []
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        try:
            first, last = int(low), int(high) if dash else int(low)
        except ValueError:
            raise ConfigError(
                f"Seeds must be numbers, lists or ranges like `1111-1115`, but are `{text}`."
            ) from None
        if last < first:
            raise ConfigError(f"The seed range `{part}` runs backwards; write `{last}-{first}`.")
        seeds.extend(range(first, last + 1))
    if len(set(seeds)) != len(seeds):
        raise ConfigError(f"The seeds `{text}` name one seed twice.")
    return tuple(seeds)


def load_preset(name: str) -> dict[str, Any]:
    """Return the settings of a preset of the package, or of a TOML file.

    Raises:
        ConfigError: there is no such preset, or the file is not TOML.
    """
    if name.endswith(".toml"):
        try:
            return tomllib.loads(Path(name).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(
                f"The settings file {name} can't be read: {error.strerror}."
            ) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"The settings file {name} is not TOML: {error}.") from error
    presets = {entry.name.removesuffix(".toml"): entry for entry in _preset_files()}
    if name not in presets:
        raise ConfigError(
            f"No preset `{name}`. Known presets: {', '.join(sorted(presets))}; "
            "or give the path of a .toml file."
        )
    return tomllib.loads(presets[name].read_text(encoding="utf-8"))


def preset_names() -> tuple[str, ...]:
    """Return the names of the presets the package ships."""
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in _preset_files()))


def build_config(
    *,
    dataset: Dataset,
    settings: Mapping[str, Any],
    preset: str | None = None,
) -> ExperimentConfig:
    """Build a config: defaults, then the preset (by default the data set's), then settings."""
    name = preset or str(dataset)
    config = override(ExperimentConfig(), _flatten_plain(load_preset(name)), where=f"preset {name}")
    return override(config, settings)


@cache
def describe_settings() -> Mapping[str, tuple[Value, str]]:
    """Return default and sentence of every setting by dotted name."""
    defaults = ExperimentConfig().flatten()
    sentences: dict[str, str] = {}
    for section in fields(ExperimentConfig):
        owner = get_type_hints(ExperimentConfig)[section.name]
        if owner is int:
            continue
        for leaf, sentence in _field_sentences(owner):
            sentences[f"{section.name}.{leaf}"] = sentence
    sentences["seed"] = "The one number all random sources start from."
    return {name: (default, sentences[name]) for name, default in defaults.items()}


def _preset_files() -> list[Any]:
    folder = resources.files("setgf") / "presets"
    return [entry for entry in folder.iterdir() if entry.name.endswith(".toml")]


def _field_sentences(owner: type) -> Iterator[tuple[str, str]]:
    """Yield field name and the string under it."""
    body = cast(ast.ClassDef, ast.parse(getsource(owner)).body[0]).body
    for statement, after in zip(body, body[1:], strict=False):
        if isinstance(statement, ast.AnnAssign) and isinstance(after, ast.Expr):
            name, text = cast(ast.Name, statement.target), cast(ast.Constant, after.value)
            yield name.id, str(text.value)


def _walk(section: Any, prefix: str) -> Iterator[tuple[str, Value]]:
    for entry in fields(section):
        value = getattr(section, entry.name)
        if hasattr(value, "__dataclass_fields__"):
            yield from _walk(value, f"{prefix}{entry.name}.")
        else:
            yield f"{prefix}{entry.name}", value


def _flatten_plain(plain: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in plain.items():
        if isinstance(value, Mapping):
            flat.update(_flatten_plain(cast(Mapping[str, Any], value), f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat


@cache
def _setting_types() -> Mapping[str, Any]:
    types: dict[str, Any] = {"seed": int}
    for section, owner in get_type_hints(ExperimentConfig).items():
        if owner is not int:
            types.update({f"{section}.{k}": v for k, v in get_type_hints(owner).items()})
    return types


def _coerce(name: str, value: Any) -> Any:
    """Return `value` as the type of the setting `name`."""
    kind = _setting_types()[name]
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ConfigError(
                f"`{name}` must be one of {', '.join(map(str, get_args(kind)))}, but is {value!r}."
            )
        return value
    reader, expected = _READERS[get_origin(kind) or kind]
    try:
        return reader(value)
    except (TypeError, ValueError):
        raise ConfigError(f"`{name}` must be {expected}, but is {value!r}.") from None


def _read_bool(value: Any) -> bool:
    words = {
        "true": True,
        "yes": True,
        "on": True,
        "1": True,
        "false": False,
        "no": False,
        "off": False,
        "0": False,
    }
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise ValueError(value)


def _read_int(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError(value)
    return int(value)


def _read_float(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError(value)
    return float(value)


def _read_str(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _read_names(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return tuple(_read_str(part) for part in value)


_READERS: Mapping[Any, tuple[Any, str]] = {
    bool: (_read_bool, "true or false"),
    int: (_read_int, "a whole number"),
    float: (_read_float, "a number"),
    str: (_read_str, "text"),
    tuple: (_read_names, "names separated by commas"),
}

_AT_LEAST: Mapping[str, float] = {
    "data.max_frames": 0,
    "data.max_tokens": 2,
    "model.width": 1,
    "model.heads": 1,
    "model.blocks": 1,
    "model.fusion_width": 1,
    "model.text_width": 1,
    "model.audio_width": 1,
    "model.vision_width": 1,
    "model.audio_hidden": 1,
    "model.vision_hidden": 1,
    "labels.warmup_epochs": 0,
    "labels.min_class_size": 1,
    "labels.max_ratio": 0,
    "loss.unimodal_weight": 0,
    "loss.consistency_weight": 0,
    "optim.weight_decay": 0,
    "optim.clip_norm": 0,
    "optim.batch_size": 1,
    "optim.accumulation_steps": 1,
    "train.max_epochs": 1,
    "train.patience": 0,
    "train.min_delta": 0,
    "train.threads": 0,
    "train.checkpoint_seconds": 0,
    "seed": 0,
}
_ABOVE_ZERO = ("optim.lr", "optim.lr_text", "labels.min_offset")
_SHARES = (
    "text.dropout",
    "model.attention_dropout",
    "model.feedforward_dropout",
    "model.head_dropout",
    "optim.warmup_ratio",
)
_MODALITY_NAMES = ("text", "audio", "vision")
MONITORED = {
    "mae": "min",
    "loss": "min",
    "corr": "max",
    "acc2_has0": "max",
    "acc2_non0": "max",
    "acc2": "max",
    "acc3": "max",
    "acc5": "max",
    "acc7": "max",
    "f1": "max",
    "f1_has0": "max",
    "f1_non0": "max",
}
"""Metrics that can pick the best epoch, and which way is better."""


def _problems(config: ExperimentConfig) -> Iterator[str]:
    """Yield one sentence for every setting whose value is not allowed."""
    flat = config.flatten()
    for name, low in _AT_LEAST.items():
        if not cast(float, flat[name]) >= low:
            yield f"`{name}` must be {low:g} or more, but is {flat[name]}."
    for name in _ABOVE_ZERO:
        if not 0 < cast(float, flat[name]) < float("inf"):
            yield f"`{name}` must be above 0, but is {flat[name]}."
    for name in _SHARES:
        if not 0 <= cast(float, flat[name]) <= 1:
            yield f"`{name}` must be between 0 and 1, but is {flat[name]}."
    for name in ("data.modalities", "loss.tasks"):
        unknown = [
            part for part in cast(tuple[str, ...], flat[name]) if part not in _MODALITY_NAMES
        ]
        if unknown:
            yield f"`{name}` must name text, audio or vision, but names {', '.join(unknown)}."
    if not config.data.modalities:
        yield "`data.modalities` must name at least one of text, audio, vision, but is empty."
    if config.model.width % max(config.model.heads, 1):
        yield (
            f"`model.width` must be a multiple of `model.heads` ({config.model.heads}), "
            f"but is {config.model.width}."
        )
    if config.train.monitor not in MONITORED:
        yield f"`train.monitor` must be one of {', '.join(MONITORED)}, but is {config.train.monitor}."


def _hash(plain: Mapping[str, Any]) -> str:
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
