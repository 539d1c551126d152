"""Which parameters of a network share a learning rate and weight decay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from torch import nn

from setgf.config import OptimConfig
from setgf.model.base import Network
from setgf.model.heads import ScoreHead
from setgf.model.ordinal import OrdinalHead

Part = Literal["text", "audio", "vision", "rest"]
_PARTS: tuple[Part, ...] = ("text", "rest", "audio", "vision")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterGroup:
    """Trainable parameters that share a learning rate and weight decay."""

    part: Part
    """`text`: the text encoder; `audio`, `vision`: what reads one of them alone; else `rest`."""
    lr: float
    """Peak learning rate."""
    weight_decay: float
    """0 or more."""
    parameters: tuple[nn.Parameter, ...]
    """In the network's own order."""

    @property
    def name(self) -> str:
        """`text.decay`, `text.no_decay`, `rest.decay` and so on."""
        return f"{self.part}.{'decay' if self.weight_decay > 0 else 'no_decay'}"


def parameter_groups(network: Network, config: OptimConfig) -> tuple[ParameterGroup, ...]:
    """Return all trainable parameters, each in one group; groups without any are left out.

    `decay_on=weights` spares biases, norms, null keys and heads: with coupled decay, heads walk to
    zero before the unimodal losses start (`msa.md` 3.6, fault 3). `reference` is Self-MM's rule:
    of the text encoder biases and norms are spared, of everything else nothing is. Audio and vision
    are groups of their own only where they have settings of their own.
    """
    members: dict[tuple[Part, bool], list[nn.Parameter]] = {}
    heads = _parameters_of_heads(network)
    for part, parameter in _parts(network, config):
        if not parameter.requires_grad:
            continue
        has_decay = parameter.ndim > 1 and id(parameter) not in heads
        if config.decay_on == "reference" and part != "text":
            has_decay = True
        members.setdefault((part, has_decay), []).append(parameter)
    order = sorted(members, key=lambda key: (_PARTS.index(key[0]), not key[1]))
    return tuple(
        ParameterGroup(
            part=part,
            lr=learning_rate(config, part),
            weight_decay=_weight_decay(config, part) if has_decay else 0.0,
            parameters=tuple(members[part, has_decay]),
        )
        for part, has_decay in order
    )


def learning_rate(config: OptimConfig, part: Part) -> float:
    """Return the peak learning rate of a part."""
    own = {"text": config.lr_text, "audio": config.lr_audio, "vision": config.lr_vision}
    return own.get(part, 0.0) or config.lr


def _weight_decay(config: OptimConfig, part: Part) -> float:
    own = {
        "text": config.weight_decay_text,
        "audio": config.weight_decay_audio,
        "vision": config.weight_decay_vision,
    }.get(part, -1.0)
    return own if own >= 0 else config.weight_decay


def _parts(network: Network, config: OptimConfig) -> Iterator[tuple[Part, nn.Parameter]]:
    """Yield every parameter with its part, in the network's own order."""
    own: set[Part] = {"text"}
    if config.lr_audio > 0 or config.weight_decay_audio >= 0:
        own.add("audio")
    if config.lr_vision > 0 or config.weight_decay_vision >= 0:
        own.add("vision")
    children: dict[Part, nn.Module | None] = {
        "text": network.text_encoder,
        "audio": getattr(network, "audio", None),
        "vision": getattr(network, "vision", None),
    }
    part_of: dict[int, Part] = {
        id(parameter): part
        for part, child in children.items()
        if part in own and child is not None
        for parameter in child.parameters()
    }
    for parameter in network.parameters():
        yield part_of.get(id(parameter), "rest"), parameter


def _parameters_of_heads(network: Network) -> set[int]:
    return {
        id(parameter)
        for module in network.modules()
        if isinstance(module, (ScoreHead, OrdinalHead))
        for parameter in module.parameters()
    }
