"""From a config to a network, and from a network to what the optimizer needs."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from setgf.config import ExperimentConfig
from setgf.data.batch import DataFacts
from setgf.errors import ConfigError
from setgf.model.base import Network
from setgf.model.heads import ScoreHead
from setgf.model.registry import network_class
from setgf.model.text_encoder import load_text_encoder
from setgf.terms import MODALITIES, Modality

__all__ = ["Network", "ParameterGroup", "build_network", "parameter_groups"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterGroup:
    """Trainable parameters that share a learning rate and weight decay."""

    name: str
    """`text.decay`, `text.no_decay`, `rest.decay` or `rest.no_decay`."""
    is_text: bool
    """Of the text encoder: learns at `optim.lr_text`, the others at `optim.lr`."""
    has_decay: bool
    """Weight decay applies; not to biases, norms, null keys and heads."""
    parameters: tuple[nn.Parameter, ...]
    """In the network's own order."""


def build_network(config: ExperimentConfig, facts: DataFacts) -> Network:
    """Return a new network; equal torch random state, equal weights.

    Raises:
        ConfigError: there is no such network, or it can't do without a modality that is left out.
        EncoderError: the text encoder can't be found or loaded.
    """
    make = network_class(config.model.name)
    _check_needs(config, make.needs)
    encoder = load_text_encoder(config.text, seed=config.seed)
    if Modality.TEXT not in config.data.modalities:
        encoder.freeze()
    return make(encoder, config, facts)


def parameter_groups(network: Network) -> tuple[ParameterGroup, ...]:
    """Return all trainable parameters, each in one group; groups without any are left out.

    Heads have no decay: with coupled decay they walk to zero before the unimodal losses start
    (`msa.md` 3.6, fault 3).
    """
    text = {id(parameter) for parameter in network.text_encoder.parameters()}
    heads = {
        id(parameter)
        for module in network.modules()
        if isinstance(module, ScoreHead)
        for parameter in module.parameters()
    }
    members: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in network.parameters():
        if parameter.requires_grad:
            has_decay = parameter.ndim > 1 and id(parameter) not in heads
            members.setdefault((id(parameter) in text, has_decay), []).append(parameter)
    return tuple(
        ParameterGroup(
            name=f"{'text' if is_text else 'rest'}.{'decay' if has_decay else 'no_decay'}",
            is_text=is_text,
            has_decay=has_decay,
            parameters=tuple(found),
        )
        for (is_text, has_decay), found in sorted(members.items(), reverse=True)
    )


def _check_needs(config: ExperimentConfig, needs: frozenset[Modality]) -> None:
    missing = [part for part in MODALITIES if part in needs and part not in config.data.modalities]
    if missing:
        raise ConfigError(
            f"`model.name` is `{config.model.name}`, but `data.modalities` leaves "
            f"{' and '.join(missing)} out. Add `{','.join(missing)}` to `data.modalities` or "
            "choose another model."
        )
