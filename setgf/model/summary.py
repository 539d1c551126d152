"""What a network costs: parameters, floating-point operations, memory; module by module.

Operations are counted as they run, a product and its sum as two, on one sample in evaluation. What
is kept for the backward pass is measured as it is kept, on one sample in training.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from setgf.data.batch import Batch
from setgf.model.base import Network

MOMENTS = 2
"""Values Adam and AdamW keep a trainable parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleSummary:
    """One module with everything in it."""

    name: str
    """Dotted; empty for the whole network."""
    kind: str
    """Its class."""
    parameters: int
    trainable: int
    flops: int
    """Floating-point operations of the forward pass of one sample."""
    weight_bytes: int
    """Parameters and buffers."""
    kept_bytes: int
    """What one sample keeps in memory for the backward pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSummary:
    """A network, the sample it was measured on, and its parts."""

    lengths: Mapping[str, int]
    """Word pieces, and steps of audio and vision, of the sample."""
    whole: ModuleSummary
    modules: tuple[ModuleSummary, ...]
    """The parts, in their order."""

    @property
    def gradient_bytes(self) -> int:
        """Gradients of all trainable parameters, float32."""
        return 4 * self.whole.trainable

    @property
    def optimizer_bytes(self) -> int:
        """What Adam and AdamW keep of all trainable parameters, float32."""
        return 4 * MOMENTS * self.whole.trainable

    def training_bytes(self, batch_size: int) -> int:
        """Return about what training needs: weights, gradients, moments and a batch."""
        fixed = self.whole.weight_bytes + self.gradient_bytes + self.optimizer_bytes
        return fixed + batch_size * self.whole.kept_bytes


def summarise(network: Network, batch: Batch, *, depth: int = 1) -> NetworkSummary:
    """Return what a network on the CPU costs; its mode and torch's random state stay as they were.

    Args:
        network: on the CPU.
        batch: one sample, on the CPU.
        depth: how far modules in modules are told: 1 for those of the network itself.
    """
    parts = dict(_parts(network, depth))
    flops = _count_flops(network, batch)
    kept = _measure_kept(network, batch, parts)
    whole, *modules = [
        ModuleSummary(
            name=name,
            kind=type(module).__name__,
            parameters=sum(p.numel() for p in module.parameters()),
            trainable=sum(p.numel() for p in module.parameters() if p.requires_grad),
            flops=flops.get(name, 0),
            weight_bytes=sum(
                t.numel() * t.element_size() for t in (*module.parameters(), *module.buffers())
            ),
            kept_bytes=kept.get(name, 0),
        )
        for name, module in parts.items()
        if _is_told(name, parts, kept)
    ]
    return NetworkSummary(
        lengths={
            "text": int(batch.text_lengths.sum()),
            "audio": int(batch.audio_lengths.sum()),
            "vision": int(batch.vision_lengths.sum()),
        },
        whole=whole,
        modules=tuple(modules),
    )


def _parts(network: nn.Module, depth: int) -> Iterator[tuple[str, nn.Module]]:
    """Yield the network and its parts down to a depth, lists opened; parts without use left out."""

    def walk(module: nn.Module, prefix: str, left: int) -> Iterator[tuple[str, nn.Module]]:
        for name, child in module.named_children():
            full = f"{prefix}{name}"
            if isinstance(child, nn.ModuleList | nn.ModuleDict):
                yield from walk(child, f"{full}.", left)
                continue
            if any(True for _ in child.parameters()):
                yield full, child
                if left > 1:
                    yield from walk(child, f"{full}.", left - 1)

    yield "", network
    yield from walk(network, "", depth)


def _is_told(name: str, parts: Collection[str], ran: Collection[str]) -> bool:
    """Return whether a part has numbers of its own: some encoders' layers run as one."""
    pieces = name.split(".")
    above = (".".join(pieces[:end]) for end in range(2, len(pieces) + 1))
    return all(one in ran for one in above if one in parts)


def _count_flops(network: Network, batch: Batch) -> dict[str, int]:
    """Return the operations of every module by its dotted name; of the network by the empty one."""
    counter = FlopCounterMode(display=False)
    # With gradients: the counter can't follow a module that is given a parameter without.
    with _mode(network, training=False), torch.enable_grad(), _countable(), counter:
        network(batch)
    root = type(network).__name__
    found: dict[str, int] = {}
    for name, counts in counter.get_flop_counts().items():
        if name == root or name.startswith(f"{root}."):
            found[name.removeprefix(root).removeprefix(".")] = sum(counts.values())
    found[""] = counter.get_total_flops()
    return found


def _measure_kept(network: Network, batch: Batch, parts: Mapping[str, nn.Module]) -> dict[str, int]:
    """Return the bytes one sample keeps for the backward pass, by part that ran; each once."""
    weights = {t.untyped_storage().data_ptr() for t in (*network.parameters(), *network.buffers())}
    seen: set[int] = set()
    held: list[Tensor] = []  # so that no storage is freed and its place used again
    kept = {"": 0}
    inside = [""]

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights | seen:
            seen.add(storage.data_ptr())
            held.append(tensor.detach())
            for name in inside:
                kept[name] += storage.nbytes()
        return tensor

    with ExitStack() as stack:
        for name, module in parts.items():
            if name:
                stack.enter_context(_noting(module, name, inside, kept))
        stack.enter_context(_mode(network, training=True))
        stack.enter_context(torch.random.fork_rng(devices=[]))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(saved_tensors_hooks(pack, lambda tensor: tensor))
        network(batch)
    return kept


@contextmanager
def _noting(
    module: nn.Module, name: str, inside: list[str], kept: dict[str, int]
) -> Generator[None]:
    """Have a module's name in `inside` while it runs, and in `kept` from then on."""

    def enter(_module: nn.Module, _inputs: Any) -> None:
        inside.append(name)
        kept.setdefault(name, 0)

    def leave(_module: nn.Module, _inputs: Any, _output: Any) -> None:
        inside.remove(name)

    before = module.register_forward_pre_hook(enter)
    after = module.register_forward_hook(leave, always_call=True)
    try:
        yield
    finally:
        before.remove()
        after.remove()


@contextmanager
def _mode(network: nn.Module, *, training: bool) -> Generator[None]:
    """Switch training on or off for a time; an encoder's memory of its texts is off meanwhile."""
    was = network.training
    network.train(training)
    if isinstance(network, Network):
        network.text_encoder.use_cache(None)
    try:
        yield
    finally:
        network.train(was)


@contextmanager
def _countable() -> Generator[None]:
    """Have attention and recurrent layers run as plain products, which can be counted."""
    set_flags: Any = torch.backends.mkldnn.set_flags
    was = set_flags(False, None, None, None)[0], torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        set_flags(was[0], None, None, None)
        torch.backends.mha.set_fastpath_enabled(was[1])
