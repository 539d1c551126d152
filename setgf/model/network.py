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
        width = head_width(config.model, Branch.FUSION) if _has_fusion_head(network) else None
        network.ordinal = OrdinalHead(width, Dataset(facts.dataset))
    return network


def _has_fusion_head(network: Network) -> bool:
    heads = (module.heads for module in network.modules() if isinstance(module, BranchHeads))
    return any(Branch.FUSION in found for found in heads)


def _check_needs(config: ExperimentConfig, needs: frozenset[Modality]) -> None:
    missing = [part for part in MODALITIES if part in needs and part not in config.data.modalities]
    if missing:
        raise ConfigError(
            f"`model.name` is `{config.model.name}`, but `data.modalities` leaves "
            f"{' and '.join(missing)} out. Add `{','.join(missing)}` to `data.modalities` or "
            "choose another model."
        )
