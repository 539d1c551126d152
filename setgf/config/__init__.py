"""The frozen description of one experiment: everything that decides a number.

Standard library only, so that describing and queueing cost no torch. A setting is written
`section.field` (`optim.lr`); the bare field is enough where it is unique (`max_epochs`).
"""

from setgf.config.checks import MONITORED, Value
from setgf.config.presets import build_config, load_preset, preset_names
from setgf.config.schema import (
    AblationConfig,
    DataConfig,
    ExperimentConfig,
    LabelConfig,
    LabelMode,
    LossConfig,
    ModelConfig,
    ModelName,
    OptimConfig,
    TextConfig,
    TrainConfig,
)
from setgf.config.settings import (
    config_from_dict,
    describe_settings,
    full_name,
    override,
    parse_assignments,
    parse_seeds,
    setting_names,
    short_name,
)

__all__ = [
    "MONITORED",
    "AblationConfig",
    "DataConfig",
    "ExperimentConfig",
    "LabelConfig",
    "LabelMode",
    "LossConfig",
    "ModelConfig",
    "ModelName",
    "OptimConfig",
    "TextConfig",
    "TrainConfig",
    "Value",
    "build_config",
    "config_from_dict",
    "describe_settings",
    "full_name",
    "load_preset",
    "override",
    "parse_assignments",
    "parse_seeds",
    "preset_names",
    "setting_names",
    "short_name",
]
