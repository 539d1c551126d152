"""From a config to a network."""

from __future__ import annotations

from setgf.config import ExperimentConfig
from setgf.data.batch import DataFacts
from setgf.errors import ConfigError
from setgf.model.base import Network
from setgf.model.heads import BranchHeads, head_width
from setgf.model.ordinal import OrdinalHead
from setgf.model.registry import network_class
from setgf.model.text_encoder import load_text_encoder
from setgf.terms import MODALITIES, Branch, Dataset, Modality

__all__ = ["Network", "build_network"]


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
    network = make(encoder, config, facts)
    if config.loss.ordinal_weight > 0:
        network.ordinal = OrdinalHead(_fusion_width(network, config), Dataset(facts.dataset))
    return network


def _fusion_width(network: Network, config: ExperimentConfig) -> int:
    for heads in network.modules():
        if isinstance(heads, BranchHeads) and Branch.FUSION in heads.heads:
            return head_width(config.model, Branch.FUSION)
    raise ConfigError(
        f"`loss.ordinal_weight` is {config.loss.ordinal_weight:g}, but `{config.model.name}` has "
        "no fusion feature an ordinal head could read. Set it to 0 or choose another model."
    )


def _check_needs(config: ExperimentConfig, needs: frozenset[Modality]) -> None:
    missing = [part for part in MODALITIES if part in needs and part not in config.data.modalities]
    if missing:
        raise ConfigError(
            f"`model.name` is `{config.model.name}`, but `data.modalities` leaves "
            f"{' and '.join(missing)} out. Add `{','.join(missing)}` to `data.modalities` or "
            "choose another model."
        )
