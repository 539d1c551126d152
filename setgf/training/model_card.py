"""The card of an exported model: what it is, how it was measured, what it is not for."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from setgf.config import ExperimentConfig
from setgf.terms import Dataset, Modality, Task, metric_names
from setgf.training.model_folder import EncoderFacts
from setgf.training.saved_model import SavedModel
from setgf.training.trained_run import TrainedRun

_LANGUAGES = {"en": "English", "zh": "Chinese"}


@dataclass(frozen=True, slots=True)
class Sibling:
    """A finished run that differs in the seed only."""

    run: str
    seed: int
    metrics: Mapping[str, float]
    """`test.*` of fusion."""


def card_of(
    run: TrainedRun, model: SavedModel, about: Mapping[str, Any], encoder: EncoderFacts
) -> str:
    """Return the card as Markdown."""
    sections = (
        _head(run, model),
        _what(model, about, encoder),
        _data(model),
        _metrics(model, about),
        _limits(model),
        _loading(model, encoder),
        _settings(model.config),
    )
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def _head(run: TrainedRun, model: SavedModel) -> Iterator[str]:
    yield f"# {_plain(run.identity.name)}"
    yield ""
    yield (
        f"A `{model.config.model.name}` model of multimodal sentiment analysis, exported from run "
        f"`{run.id}` by `setgf model export`."
    )


def _what(model: SavedModel, about: Mapping[str, Any], encoder: EncoderFacts) -> Iterator[str]:
    limit = model.facts.data.label_limit
    total = sum(weight.numel() for weight in model.network.parameters())
    trained = sum(w.numel() for w in model.network.parameters() if w.requires_grad)
    where = "in `encoder/`" if encoder.is_included else "not in this folder, found by its name"
    revision = f", revision {encoder.revision}" if encoder.revision else ""
    yield "## What it is"
    yield ""
    inputs = ", ".join(model.config.data.modalities)
    yield f"* Input: {inputs}; one that is missing has length zero."
    yield f"* Output: a score from {-limit:g} (negative) to {limit:g} (positive), and one a branch."
    yield f"* Parameters: {total:,}, of them trained: {trained:,}."
    yield f"* Text encoder: `{encoder.name}`{revision}, {where}."
    if encoder.weights_sha256 is not None:
        yield f"* Encoder weights that were not trained: SHA-256 {encoder.weights_sha256}."
    yield f"* Weights: SHA-256 {about['weights_sha256']} (names, shapes and values)."
    yield (
        f"* Made by setgf {about['setgf']}, commit {about['commit'] or 'not recorded'}, on "
        f"{about['device']}; settings `{about['fingerprint']}`."
    )


def _data(model: SavedModel) -> Iterator[str]:
    facts, settings = model.facts, model.config.data
    sizes = ", ".join(f"{split} {size:,}" for split, size in facts.sizes.items())
    low, high = facts.label_range
    yield "## Data it was trained on"
    yield ""
    yield (
        f"* Feature store `{facts.name}` of the {facts.data.dataset} family, "
        f"{_LANGUAGES.get(facts.data.language, facts.data.language)}; fingerprint "
        f"`{facts.fingerprint}`."
    )
    yield f"* Samples: {sizes}. Labels from {low:g} to {high:g}."
    yield f"* Frames: audio {facts.audio_width} features, vision {facts.vision_width}."
    yield f"* Text: at most {settings.max_tokens} word pieces."
    if settings.max_frames:
        yield f"* Audio and vision: averaged over windows to at most {settings.max_frames} steps."
    if model.normaliser is not None:
        yield (
            "* Features are scaled by the train split's mean and standard deviation, which are in "
            "`model.json`; give them as they were extracted."
        )


def _metrics(model: SavedModel, about: Mapping[str, Any]) -> Iterator[str]:
    dataset = Dataset(model.facts.data.dataset)
    names = metric_names(dataset, Task(model.config.train.task))
    seeds: Sequence[Mapping[str, Any]] = about["seeds"]
    yield "## What it measured"
    yield ""
    yield (
        f"Protocol of {dataset}. The best epoch ({about['best_epoch']} of {about['epochs']}) was "
        f"chosen by `{about['monitor']}` of the validation split; the test split was scored once, "
        f"with the weights of that epoch. Seed {about['seed']}."
    )
    again = about["test_scored_again"]
    if again:
        yield (
            f"Since then `setgf eval` scored the test split {again} more "
            f"time{'s' * (again > 1)}; nothing was chosen by that."
        )
    yield ""
    several = len(seeds) > 1
    over = f" mean ± sd of {len(seeds)} seeds |" if several else ""
    yield f"| metric | valid | test |{over}"
    yield f"| --- | ---: | ---: |{' ---: |' if several else ''}"
    for name in names:
        cells = [_cell(about["metrics"].get(f"{split}.{name}")) for split in ("valid", "test")]
        if several:
            values = [one["metrics"].get(f"test.{name}") for one in seeds]
            cells.append(_spread([value for value in values if value is not None]))
        yield f"| {name} | {' | '.join(cells)} |"
    calibration = model.calibration
    if calibration is not None:
        mae = _cell(about["metrics"].get("test.calibrated.mae"))
        yield ""
        yield (
            f"Calibrated on the validation split (slope {calibration.slope:.4f}, intercept "
            f"{calibration.intercept:.4f}) the test split has a MAE of {mae}: a result of its own, "
            "not the one above."
        )
    yield ""
    if several:
        listed = ", ".join(str(one["seed"]) for one in seeds)
        yield (
            f"Seeds {listed}, the same settings, test split, each at its own best epoch by "
            "validation. This model is one of them, not the best of them by the test split."
        )
    else:
        yield (
            "One seed: another gives another number. Train several before comparing "
            "(`setgf queue add --seeds 1111-1115`)."
        )


def _limits(model: SavedModel) -> Iterator[str]:
    facts = model.facts
    yield "## Limits"
    yield ""
    yield (
        f"* It knows data like `{facts.name}`; other speakers, topics, cameras and microphones "
        "cost accuracy. `setgf eval RUN --data OTHER` measures it."
    )
    framed = [
        m for m in (Modality.AUDIO, Modality.VISION) if str(m) in model.config.data.modalities
    ]
    if framed:
        yield (
            f"* {' and '.join(framed).capitalize()} features must be extracted with the same tools "
            "and settings; the number of features alone does not say so."
        )
        yield "* Without them it still scores, less surely: it was trained with all modalities."
    yield "* Annotators of sentiment differ among themselves; a score is their mean, with an error."
    yield "* It says nothing about what a person feels or is, and is not for decisions on people."
    yield "* The licences of the data and of the text encoder hold for the weights, too."


def _loading(model: SavedModel, encoder: EncoderFacts) -> Iterator[str]:
    yield "## How to load it"
    yield ""
    yield "```python"
    yield "from setgf.training.saved_model import load"
    yield ""
    yield 'model = load(".")  # this folder'
    yield 'found = model.predict(["I loved every minute of it."])'
    yield "print(found.fusion, found.classes(3), found.scores)"
    yield "```"
    yield ""
    yield "```sh"
    yield 'setgf predict ./ --text "I loved every minute of it."'
    yield "```"
    yield ""
    yield (
        f"Frames go beside the text: `model.predict(texts, audio=[...], vision=[...])`, arrays "
        f"(T, {model.facts.audio_width}) and (T, {model.facts.vision_width})."
    )
    if not encoder.is_included and encoder.weights_sha256 is not None:
        yield (
            f"`load(folder, encoder=...)` names the folder of `{encoder.name}` where it is not "
            "found by that name."
        )


def _settings(config: ExperimentConfig) -> Iterator[str]:
    yield "## Settings"
    yield ""
    yield "Those that differ from the defaults; `model.json` has all."
    yield ""
    yield "| setting | value |"
    yield "| --- | --- |"
    defaults = ExperimentConfig().flatten()
    for name, value in config.flatten().items():
        if value != defaults[name]:
            shown = ",".join(value) if isinstance(value, tuple) else value
            yield f"| `{name}` | {_plain(str(shown))} |"


def _cell(value: float | None) -> str:
    return "undefined" if value is None or math.isnan(value) else f"{value:.4f}"


def _spread(values: Sequence[float]) -> str:
    if len(values) < 2:
        return _cell(values[0] if values else None)
    return f"{statistics.fmean(values):.4f} ± {statistics.stdev(values):.4f}"


def _plain(text: str) -> str:
    """Return a user's text as Markdown shows it, on one line."""
    line = " ".join(text.split())
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>|#" else letter for letter in line)
