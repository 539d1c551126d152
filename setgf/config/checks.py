"""Which values a setting may have."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import cast

from setgf.config.columns import parse_columns

Value = str | int | float | bool | tuple[str, ...]

_AT_LEAST: Mapping[str, float] = {
    "data.max_frames": 0,
    "data.max_tokens": 2,
    "data.keep_mib": 0,
    "text.train_layers": 0,
    "text.lora_rank": 0,
    "text.lora_alpha": 1,
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
    "loss.text_weight": 0,
    "loss.audio_weight": 0,
    "loss.vision_weight": 0,
    "loss.ordinal_weight": 0,
    "labels.limit": 0,
    "optim.lr_audio": 0,
    "optim.lr_vision": 0,
    "optim.weight_decay": 0,
    "optim.clip_norm": 0,
    "optim.batch_size": 1,
    "optim.accumulation_steps": 1,
    "train.max_epochs": 1,
    "train.patience": 0,
    "train.min_delta": 0,
    "train.max_minutes": 0,
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
_MODALITIES = ("text", "audio", "vision")
_OR_GENERAL: Mapping[str, tuple[float, str]] = {
    **{f"optim.weight_decay_{m}": (math.inf, "optim.weight_decay") for m in _MODALITIES},
    **{f"model.{b}_head_dropout": (1, "model.head_dropout") for b in ("fusion", *_MODALITIES)},
}
"""Settings of a part, with their highest value and the general setting that -1 stands for."""
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
MONITORED_OF_CLASSES = ("loss", "acc3", "f1", "acc2_has0", "acc2_non0", "f1_has0", "f1_non0")
"""Those of them that classes have."""
MODELS_WITH_TASKS = ("setgf", "self_mm", "tetfn")
"""Networks with a head for each modality (their classes say `has_unimodal_tasks`)."""
_SCORE_FLOORS = ("median", "ridge")


def problems(flat: Mapping[str, Value]) -> Iterator[str]:
    """Yield one sentence for every setting whose value is not allowed, given all by dotted name."""
    yield from _number_problems(flat)
    yield from _name_problems(flat)
    yield from _label_problems(flat)
    yield from _text_problems(flat)
    if flat["train.task"] == "classification":
        yield from _class_problems(flat)
    width, heads = cast(int, flat["model.width"]), cast(int, flat["model.heads"])
    if heads > 0 and width % heads:
        yield f"`model.width` must be a multiple of `model.heads` ({heads}), but is {width}."


def _number_problems(flat: Mapping[str, Value]) -> Iterator[str]:
    numbers = cast(Mapping[str, float], flat)
    for name, low in _AT_LEAST.items():
        if not low <= numbers[name] < math.inf:
            yield f"`{name}` must be {low:g} or more, but is {numbers[name]}."
    for name in _ABOVE_ZERO:
        if not 0 < numbers[name] < math.inf:
            yield f"`{name}` must be above 0, but is {numbers[name]}."
    for name in _SHARES:
        if not 0 <= numbers[name] <= 1:
            yield f"`{name}` must be between 0 and 1, but is {numbers[name]}."
    for name, (high, general) in _OR_GENERAL.items():
        if numbers[name] != -1 and not (0 <= numbers[name] <= high and numbers[name] < math.inf):
            most = "0 or more" if high == math.inf else f"between 0 and {high:g}"
            yield f"`{name}` must be {most}, or -1 for `{general}`, but is {numbers[name]}."
    if not 0 <= numbers["optim.ema_decay"] < 1:
        decay = numbers["optim.ema_decay"]
        yield f"`optim.ema_decay` must be 0 or more and below 1, but is {decay}."


def _text_problems(flat: Mapping[str, Value]) -> Iterator[str]:
    if flat["text.finetune"]:
        return
    for name in ("text.train_layers", "text.lora_rank"):
        if flat[name]:
            yield (
                f"`{name}` is {flat[name]}, but `text.finetune` is false, which trains nothing of "
                f"the text encoder. Set `text.finetune=true`, or leave `{name}` at 0."
            )


def _label_problems(flat: Mapping[str, Value]) -> Iterator[str]:
    mode, form = flat["labels.mode"], flat["labels.form"]
    if flat["loss.task_weighting"] == "tanh" and mode == "copy":
        yield (
            "`loss.task_weighting` is tanh, but `labels.mode` is copy, where labels never differ: "
            "every unimodal loss would weigh 0. Use `loss.task_weighting=uniform`."
        )
    if form != "ratio" and mode != "fixed":
        yield (
            f"`labels.form` is {form}, but `labels.mode` is {mode}: only mode `fixed` has two "
            "forms. Set `labels.mode=fixed`, or `labels.form=ratio`."
        )
    if flat["labels.limit"] and mode not in ("fixed", "reference"):
        yield (
            f"`labels.limit` is {flat['labels.limit']}, but `labels.mode` is {mode}, which "
            "generates no labels. Set `labels.limit=0`."
        )


def _class_problems(flat: Mapping[str, Value]) -> Iterator[str]:
    """Yield what only a score on the label scale can have."""
    why = "but `train.task` is classification"
    name, mode = flat["model.name"], flat["labels.mode"]
    if name in _SCORE_FLOORS:
        yield (
            f"`model.name` is {name}, {why}, and this floor is a score. The floor of classes is "
            "`majority`."
        )
    has_tasks = name in MODELS_WITH_TASKS and flat["loss.tasks"] and flat["loss.unimodal_weight"]
    if has_tasks and mode in ("fixed", "reference"):
        yield (
            f"`labels.mode` is {mode}, {why}, and generated labels are scores. Use "
            "`labels.mode=copy` (the annotated class), `human` (CH-SIMS) or `none`."
        )
    if flat["train.monitor"] not in MONITORED_OF_CLASSES:
        yield (
            f"`train.monitor` is {flat['train.monitor']}, {why}, which is judged by "
            f"{', '.join(MONITORED_OF_CLASSES)}. `train.monitor=acc3` is usual."
        )
    if flat["loss.task_weighting"] not in ("auto", "uniform"):
        yield (
            f"`loss.task_weighting` is {flat['loss.task_weighting']}, {why}, and classes have no "
            "distance. Use `loss.task_weighting=uniform`."
        )
    if flat["loss.ordinal_weight"]:
        yield (
            f"`loss.ordinal_weight` is {flat['loss.ordinal_weight']}, {why}, and the ordinal head "
            "is an aid to scores. Set `loss.ordinal_weight=0`."
        )
    if flat["train.calibrate"]:
        yield (
            f"`train.calibrate` is true, {why}, and only scores have a slope and an intercept. "
            "Set `train.calibrate=false`."
        )


def _name_problems(flat: Mapping[str, Value]) -> Iterator[str]:
    for name in ("data.modalities", "loss.tasks"):
        unknown = [part for part in cast(tuple[str, ...], flat[name]) if part not in _MODALITIES]
        if unknown:
            yield f"`{name}` must name text, audio or vision, but names {', '.join(unknown)}."
    if not flat["data.modalities"]:
        yield "`data.modalities` must name at least one of text, audio, vision, but is empty."
    scaled = cast(tuple[str, ...], flat["data.normalise_modalities"])
    if not scaled or not set(scaled) <= {"audio", "vision"}:
        named = ", ".join(scaled) or "nothing; `data.normalise=false` scales none"
        yield f"`data.normalise_modalities` must name audio, vision or both, but names {named}."
    for name in ("data.audio_features", "data.vision_features"):
        try:
            parse_columns(cast(tuple[str, ...], flat[name]))
        except ValueError as error:
            yield f"`{name}` must be numbers and ranges like 0-11,20, but {error}."
    monitor = flat["train.monitor"]
    if monitor not in MONITORED:
        yield f"`train.monitor` must be one of {', '.join(MONITORED)}, but is {monitor}."
