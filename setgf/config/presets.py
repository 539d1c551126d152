"""Presets: settings files the package ships, or a user's own."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from setgf.config.schema import ExperimentConfig
from setgf.config.settings import flatten_plain, override
from setgf.errors import ConfigError
from setgf.terms import Dataset


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
    config = override(ExperimentConfig(), flatten_plain(load_preset(name)), where=f"preset {name}")
    return override(config, settings)


def _preset_files() -> list[Any]:
    folder = resources.files("setgf") / "presets"
    return [entry for entry in folder.iterdir() if entry.name.endswith(".toml")]
