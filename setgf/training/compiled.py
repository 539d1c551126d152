"""`torch.compile` where it pays: the layers of the text encoder and the attention blocks.

Layer by layer and not the network as a whole: packed sequences, kept states and groups of equal
length are Python that breaks a graph in pieces, which takes minutes to compile (measured: five for
a tiny SETGF), while all layers of a kind share one compiled function, for any length.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from setgf.model.attention import AttentionBlock
from setgf.model.base import Network


def compile_network(network: Network) -> None:
    """Compile what `compiled_parts` names, when it is first run; weights and names stay."""
    for part in compiled_parts(network):
        part.compile(dynamic=True)


def compiled_parts(network: Network) -> Iterator[nn.Module]:
    """Yield every layer of the text encoder, then every attention block."""
    for layers in network.text_encoder.transformer.modules():
        if isinstance(layers, nn.ModuleList):
            yield from layers
    for block in network.modules():
        if isinstance(block, AttentionBlock):
            yield block
