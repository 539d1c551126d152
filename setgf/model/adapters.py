"""Which part of a text encoder is trained: its last layers, adapters in its layers, or both.

LoRA (Hu et al. 2021, arXiv:2106.09685) leaves a matrix as it is and adds a product of two thin ones
to it, which alone are trained; here to every matrix of the layers, by the package `peft`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from torch import nn

from setgf.config import TextConfig
from setgf.errors import ConfigError, EncoderError


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedPart:
    """What is left of a transformer's training."""

    frozen_layers: int
    """Lowest layers in which nothing ever changes."""
    resting: tuple[nn.Module, ...]
    """They and what comes before them; empty when there are none."""


def train_part(transformer: nn.Module, config: TextConfig) -> TrainedPart:
    """Freeze all weights but those of `text.train_layers`, or put adapters in and train only these.

    Args:
        transformer: changed in place; what adapters start from is torch's random state.
        config: `train_layers` or `lora_rank` is above 0.

    Raises:
        ConfigError: the transformer has fewer layers, or shares one.
        EncoderError: `peft` is not installed.
    """
    layers = _chosen_layers(transformer, config)
    if config.lora_rank:
        _add_adapters(transformer, layers, config)
    else:
        transformer.requires_grad_(False)
        for layer in layers:
            layer.requires_grad_(True)
    if not config.train_layers:
        return TrainedPart(frozen_layers=0, resting=())
    settings: Any = transformer.config
    return TrainedPart(
        frozen_layers=settings.num_hidden_layers - len(layers),
        resting=_before(transformer, layers),
    )


def _chosen_layers(transformer: nn.Module, config: TextConfig) -> list[nn.Module]:
    settings: Any = transformer.config
    count: int = settings.num_hidden_layers
    stacks = (module for module in transformer.modules() if isinstance(module, nn.ModuleList))
    stack = next((stack for stack in stacks if len(stack) == count), None)
    if stack is None:
        raise ConfigError(
            f"`text.train_layers` and `text.lora_rank` need an encoder with layers of its own, but "
            f"`{config.encoder}` is a `{settings.model_type}`, whose {count} layers share weights. "
            "Leave both at 0."
        )
    if config.train_layers > count:
        raise ConfigError(
            f"`text.train_layers` is {config.train_layers}, but the text encoder "
            f"`{config.encoder}` has {count} layers. Give at most {count}; 0 trains all of it."
        )
    return list(stack)[count - (config.train_layers or count) :]


def _add_adapters(transformer: nn.Module, layers: list[nn.Module], config: TextConfig) -> None:
    if find_spec("peft") is None:
        raise EncoderError(
            f"`text.lora_rank` is {config.lora_rank}, but the package `peft` is not installed. "
            "Install it with `pip install 'setgf[lora]'`, or set `text.lora_rank=0`."
        )
    from peft import LoraConfig, inject_adapter_in_model

    inside = {id(module) for layer in layers for module in layer.modules()}
    names = [
        name
        for name, module in transformer.named_modules()
        if isinstance(module, nn.Linear) and id(module) in inside
    ]
    adapters = LoraConfig(r=config.lora_rank, lora_alpha=config.lora_alpha, target_modules=names)
    inject_adapter_in_model(adapters, transformer)


def _before(transformer: nn.Module, layers: list[nn.Module]) -> tuple[nn.Module, ...]:
    """Return the modules that neither are in a layer nor hold one."""
    inside = {id(module) for layer in layers for module in layer.modules()}
    return tuple(
        module
        for module in transformer.modules()
        if not any(id(part) in inside for part in module.modules())
    )
