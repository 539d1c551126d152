"""The frozen settings of one experiment; under every field its sentence (unit, range, meaning)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, cast

from setgf.config.checks import Value, problems
from setgf.config.later import hash_config
from setgf.errors import ConfigError

ModelName = Literal[
    "setgf",
    "self_mm",
    "text_only",
    "ef_lstm",
    "lf_dnn",
    "tfn",
    "lmf",
    "mult",
    "misa",
    "tetfn",
    "almt",
    "majority",
    "median",
    "ridge",
]
LabelMode = Literal["fixed", "reference", "human", "copy", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """Which feature store, and how its frames reach the model."""

    name: str = ""
    """Name of the feature store (`setgf data list`)."""
    modalities: tuple[str, ...] = ("text", "audio", "vision")
    """Modalities the model sees; a missing one has length zero."""
    normalise: bool = True
    """Scale features by the train split's mean and standard deviation, clipped to 5."""
    normalise_modalities: tuple[str, ...] = ("audio", "vision")
    """Modalities that `normalise` scales: audio, vision or both."""
    audio_features: tuple[str, ...] = ()
    """Audio features the model sees, numbers from 0 and ranges such as `0-11,20`; empty: all."""
    vision_features: tuple[str, ...] = ()
    """Vision features the model sees, as `audio_features`."""
    max_frames: int = 64
    """Audio and vision are averaged over consecutive windows to at most this many; 0 keeps all."""
    align_to_text: bool = False
    """Average audio and vision over at most as many windows as a transcript has word pieces."""
    max_tokens: int = 50
    """Word pieces a transcript is cut to, special tokens included; 2 or more."""
    keep_mib: int = 1024
    """Most memory, in MiB, that keeps a split ready on the device that trains; 0 keeps nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextConfig:
    """The text encoder."""

    encoder: str = "minilm"
    """`minilm` (installed), a folder or hub name of any BERT-like encoder, `tiny` (for tests)."""
    finetune: bool = True
    """Train the encoder; false keeps its weights frozen and its outputs cached."""
    train_layers: int = 0
    """Last layers of the encoder that `finetune` trains, the rest stays frozen; 0: all of it."""
    lora_rank: int = 0
    """`finetune` trains adapters (LoRA) of this rank in those layers, not their weights; 0: no."""
    lora_alpha: int = 16
    """Scale of the adapters, times 1 / `lora_rank`, 1 or more; only for them."""
    pooling: Literal["auto", "first", "mean"] = "auto"
    """One vector a transcript: first token or mean; `auto` is mean for minilm, else first."""
    dropout: float = 0.1
    """Dropout on the pooled text vector, on every piece where a baseline reads those; 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Which network, and its sizes."""

    name: ModelName = "setgf"
    """`setgf`, or a baseline (`setgf queue add --help` names them)."""
    width: int = 128
    """Width of SETGF's representations; a multiple of `heads`."""
    heads: int = 8
    """SETGF's attention heads; the baselines have those published for them."""
    blocks: int = 2
    """Attention blocks one of SETGF's cross-modal mappings has, 1 or more."""
    attention_dropout: float = 0.1
    """SETGF's dropout on attention weights, 0 to 1."""
    feedforward_dropout: float = 0.1
    """SETGF's dropout in feed-forward layers and residuals, 0 to 1."""
    fusion_width: int = 128
    """Width of the fusion head's feature (the label generator's space); not MulT, MISA, ALMT."""
    text_width: int = 64
    """Width of the text head's feature."""
    audio_width: int = 16
    """Width of the audio head's feature."""
    vision_width: int = 32
    """Width of the vision head's feature."""
    head_dropout: float = 0.1
    """Dropout before every head, in MulT and MISA inside it, 0 to 1; ALMT has none."""
    fusion_head_dropout: float = -1.0
    """Dropout before the fusion head; -1 uses `head_dropout`."""
    text_head_dropout: float = -1.0
    """Dropout before the text head; -1 uses `head_dropout`."""
    audio_head_dropout: float = -1.0
    """Dropout before the audio head; -1 uses `head_dropout`."""
    vision_head_dropout: float = -1.0
    """Dropout before the vision head; -1 uses `head_dropout`."""
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
    form: Literal["ratio", "standardised"] = "ratio"
    """`ratio` of offsets, or their standardised difference added to the annotation (fixed mode)."""
    limit: float = 0.0
    """Largest absolute generated label; 0 is the data's range (published: 3, on SIMSv2 too)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossConfig:
    """The joint loss of the four tasks."""

    tasks: tuple[str, ...] = ("text", "audio", "vision")
    """Unimodal tasks trained beside fusion, in SETGF, Self-MM and TETFN."""
    unimodal_weight: float = 1.0
    """Weight of the unimodal losses, 0 or more."""
    consistency_weight: float = 0.05
    """SETGF's weight of the consistency of audio and vision with text, 0 or more."""
    text_weight: float = 1.0
    """Weight of the text task within the unimodal losses; 0 leaves the task out."""
    audio_weight: float = 1.0
    """Weight of the audio task within the unimodal losses; 0 leaves the task out."""
    vision_weight: float = 1.0
    """Weight of the vision task within the unimodal losses; 0 leaves the task out."""
    task_weighting: Literal["auto", "uniform", "tanh", "base_tanh"] = "auto"
    """Weight of a sample by |y_s - y_m|; `auto`: tanh (reference), base_tanh (fixed), uniform."""
    ordinal_weight: float = 0.0
    """Weight of an auxiliary head that puts the classes in order (CORAL); 0 has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimConfig:
    """The optimizer and its schedule."""

    optimizer: Literal["adamw", "adam"] = "adamw"
    """`adamw`, or `adam` with coupled weight decay as in the reference."""
    lr: float = 5e-4
    """Peak learning rate of everything but the text encoder, above 0."""
    lr_text: float = 5e-5
    """Peak learning rate of the text encoder, above 0."""
    lr_audio: float = 0.0
    """Peak learning rate of audio's own part in SETGF, Self-MM, TETFN and MISA; 0 uses `lr`."""
    lr_vision: float = 0.0
    """Peak learning rate of vision's own part, as `lr_audio`; 0 uses `lr`."""
    weight_decay: float = 0.01
    """Weight decay; none on biases, norms and heads."""
    weight_decay_text: float = -1.0
    """Weight decay of the text encoder; -1 uses `weight_decay`."""
    weight_decay_audio: float = -1.0
    """Weight decay of audio's own part, as `lr_audio`; -1 uses `weight_decay`."""
    weight_decay_vision: float = -1.0
    """Weight decay of vision's own part, as `lr_audio`; -1 uses `weight_decay`."""
    decay_on: Literal["weights", "reference"] = "weights"
    """`weights`, or all but the text encoder's biases and norms, heads too (`reference`)."""
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
    accumulation: Literal["mean", "reference"] = "mean"
    """`mean`, or Self-MM's: gradients summed, an epoch's partial group dropped (`reference`)."""
    ema_decay: float = 0.0
    """Moving average of the weights, evaluated and kept as best; 0 is off, 0.999 is usual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """How long to train, on what, and what picks the best epoch."""

    max_epochs: int = 30
    """Passes over the train split at most, 1 or more."""
    patience: int = 8
    """Epochs without a better validation metric before stopping; 0 never stops early."""
    task: Literal["regression", "classification"] = "regression"
    """`regression` of the label, or `classification`: negative, neutral, positive."""
    monitor: str = "mae"
    """Validation metric that picks the best epoch; its direction is known."""
    min_delta: float = 1e-6
    """Smallest change of the monitored metric that counts as better."""
    max_minutes: float = 0.0
    """Longest time to train, over all attempts; the epoch then running is ended; 0 has no end."""
    calibrate: bool = False
    """Also score slope and intercept fitted on validation, as `valid.calibrated.mae` and so on."""
    device: str = "auto"
    """`auto` (first GPU the worker grants, else CPU), `cpu` or `cuda`."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Number format of matrix products; `float16` scales the loss and wants a GPU."""
    compile: bool = False
    """`torch.compile` encoder layers and attention blocks: slow to start; for long runs on GPUs."""
    threads: int = 0
    """CPU threads; 0 uses what the worker grants. CPU results repeat only at one count."""
    group_by_length: bool = True
    """Batches hold samples of similar length (deterministic)."""
    checkpoint_seconds: float = 60.0
    """Longest time between checkpoints; epochs end with one too, unless that slows them by 10 %."""


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
        found = list(problems(self.flatten()))
        if found:
            raise ConfigError("\n".join(found))

    def to_dict(self) -> dict[str, Any]:
        """Return plain nested data, ready for JSON."""
        return cast(dict[str, Any], json.loads(json.dumps(asdict(self))))

    def flatten(self) -> dict[str, Value]:
        """Return every setting by its dotted name, in order."""
        return dict(_walk(self, ""))

    @property
    def fingerprint(self) -> str:
        """Hash of the whole config: equal fingerprint, equal experiment (12 hex digits)."""
        return hash_config(self.to_dict())

    @property
    def variant(self) -> str:
        """Hash of the config without its seed: what seeds of one experiment share."""
        plain = self.to_dict()
        del plain["seed"]
        return hash_config(plain)


def _walk(section: Any, prefix: str) -> Iterator[tuple[str, Value]]:
    for entry in fields(section):
        value = getattr(section, entry.name)
        if hasattr(value, "__dataclass_fields__"):
            yield from _walk(value, f"{prefix}{entry.name}.")
        else:
            yield f"{prefix}{entry.name}", value
