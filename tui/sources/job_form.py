"""The fields of the New job form: the options of `setgf queue add`, and every setting."""

from __future__ import annotations

from typing import Any

from setgf.config import (
    ExperimentConfig,
    config_from_dict,
    describe_settings,
    load_preset,
    preset_names,
)
from setgf.config.settings import allowed_values
from setgf.errors import SetgfError
from setgf.home import Home
from tui.job_records import FormField, JobDraft

WHAT, HOW, SETTINGS = "What to run", "How to run it", "Setting"
_CHOSEN = frozenset({"data.name", "model.name", "seed"})
"""Settings with a field of their own."""


def form_fields(home: Home, draft: JobDraft) -> tuple[FormField, ...]:
    """Return the fields with the defaults that hold for the data and the preset of a draft."""
    return (*_options(home, draft), *_settings(home, draft))


def _options(home: Home, draft: JobDraft) -> tuple[FormField, ...]:
    from setgf.data.find_store import store_names
    from setgf.worker.submit import MODEL_NAMES

    stores = tuple(store_names(home))
    texts: tuple[tuple[str, str, str, tuple[str, ...], str], ...] = (
        ("data", WHAT, "", stores, "Feature store to train and test on (`setgf data list`)."),
        ("model", WHAT, "setgf", MODEL_NAMES, "Models, separated by commas; a job for each."),
        ("seeds", WHAT, "1111", (), "1111, 1,2,3 or 1111-1115; a job for each seed."),
        ("preset", WHAT, data_set(home, draft), preset_names(),
         "Values of the settings to begin with; default: those of the data set. Or a .toml file."),
        ("grid", WHAT, "", (), "Values to try, every combination: optim.lr=1e-4,5e-4 blocks=1,2."),
        ("name", HOW, "model and data", (), "How the jobs' names begin."),
        ("group", HOW, "made of model, data and time", (), "Group to put the jobs in."),
        ("tags", HOW, "", (), "Tags of the runs, separated by commas."),
        ("gpus", HOW, "auto", ("auto", "0", "0.5", "1", "2"),
         "GPUs a job needs; 0: a CPU slot; 0.5: half of one."),
        ("memory", HOW, "as measured", (), "Memory it needs, of its GPU or of the machine: 6G."),
        ("time limit", HOW, "none", (), "Stop a job after so long, all attempts together: 4h."),
        ("priority", HOW, "0", (), "A higher one starts first."),
        ("not before", HOW, "at once", (), "A moment, 02:00 or 2026-11-24 02:00, or `in 2h`."),
        ("after", HOW, "nothing", (), "Jobs that must succeed first: 3,5-9; 3:any: be over."),
        ("retries", HOW, "2", (), "New attempts after a crash."),
        ("held", HOW, "no", ("no", "yes"), "yes: do not start until released."),
    )  # fmt: skip
    return tuple(
        FormField(
            name=name,
            section=section,
            meaning=meaning,
            default=default,
            choices=choices,
            several=name == "model",
        )
        for name, section, default, choices, meaning in texts
    )


def _settings(home: Home, draft: JobDraft) -> tuple[FormField, ...]:
    values = begin_config(home, draft).flatten()
    return tuple(
        FormField(
            name=name,
            section=f"{SETTINGS}s: {name.partition('.')[0]}",
            meaning=" ".join(sentence.split()),
            default=show_value(values[name]),
            choices=allowed_values(name),
        )
        for name, (_, sentence) in describe_settings().items()
        if name not in _CHOSEN
    )


def begin_config(home: Home, draft: JobDraft) -> ExperimentConfig:
    """Return the settings a draft begins with: defaults where its preset can't be read."""
    preset = draft.values.get("preset") or data_set(home, draft)
    if not preset:
        return ExperimentConfig()
    try:
        return config_from_dict(load_preset(preset), where=f"preset {preset}")
    except SetgfError:
        return ExperimentConfig()


def data_set(home: Home, draft: JobDraft) -> str:
    """Return the data set of the chosen feature store; empty while none that is there is chosen."""
    from setgf.data.find_store import find_store

    name = draft.values.get("data", "")
    try:
        return str(find_store(home, name)[1].dataset) if name else ""
    except SetgfError:
        return ""


def show_value(value: Any) -> str:
    """Return a value as it is typed."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType]
    return f"{value:g}" if isinstance(value, float) else str(value)
