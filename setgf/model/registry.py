"""Which models there are: names and classes, without loading torch.

A name is here from the moment its class works; `ModelName` may know it earlier.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from setgf.errors import ConfigError

if TYPE_CHECKING:
    from setgf.config import ExperimentConfig
    from setgf.data.batch import DataFacts
    from setgf.model.base import Network
    from setgf.model.text_encoder import TextEncoder
    from setgf.terms import Modality

_NETWORKS: Mapping[str, tuple[str, str]] = {
    "setgf": ("setgf.model.setgf_network", "SetgfNetwork"),
    "self_mm": ("setgf.model.baselines.self_mm", "SelfMmNetwork"),
    "text_only": ("setgf.model.baselines.text_only", "TextOnlyNetwork"),
    "ef_lstm": ("setgf.model.baselines.ef_lstm", "EfLstmNetwork"),
    "lf_dnn": ("setgf.model.baselines.lf_dnn", "LfDnnNetwork"),
    "tfn": ("setgf.model.baselines.tfn", "TfnNetwork"),
    "lmf": ("setgf.model.baselines.lmf", "LmfNetwork"),
    "mult": ("setgf.model.baselines.mult", "MultNetwork"),
    "misa": ("setgf.model.baselines.misa", "MisaNetwork"),
    "tetfn": ("setgf.model.baselines.tetfn", "TetfnNetwork"),
    "almt": ("setgf.model.baselines.almt", "AlmtNetwork"),
}
"""Module and class of every network, loaded when it is asked for."""
_FLOORS = ("majority", "median", "ridge")


class NetworkClass(Protocol):
    """A class of networks, as the registry knows it."""

    @property
    def needs(self) -> frozenset[Modality]:
        """Modalities it can't do without."""
        ...

    @property
    def has_unimodal_tasks(self) -> bool:
        """Whether it has heads for single modalities, which want labels of their own."""
        ...

    def __call__(
        self, text_encoder: TextEncoder, config: ExperimentConfig, facts: DataFacts
    ) -> Network:
        """Make a network."""
        ...


def network_names() -> tuple[str, ...]:
    """Return the names of all networks, SETGF first."""
    return tuple(_NETWORKS)


def model_names() -> tuple[str, ...]:
    """Return every name `model.name` may have, SETGF first."""
    return (*network_names(), *floor_names())


def floor_names() -> tuple[str, ...]:
    """Return the models without gradients, computed in closed form (`setgf.training.floor`)."""
    return _FLOORS


def network_class(name: str) -> NetworkClass:
    """Return the class of a network.

    Raises:
        ConfigError: there is no such network.
    """
    if name in _FLOORS:
        raise ConfigError(
            f"`model.name` is `{name}`, which is computed in closed form and has no network. "
            f"Choose one of: {', '.join(network_names())}."
        )
    if name not in _NETWORKS:
        raise ConfigError(f"No model `{name}`. Known models: {', '.join(model_names())}.")
    module, found = _NETWORKS[name]
    return cast(NetworkClass, getattr(cast(Any, import_module(module)), found))
