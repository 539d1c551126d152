"""All sources of chance and of unequal rounding, in one place."""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np
import torch

CUDA_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


def seed_everything(seed: int) -> None:
    """Start every random source from one number and choose deterministic kernels."""
    os.environ.setdefault(CUDA_WORKSPACE, ":4096:8")
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - libraries draw from the global one
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False


def set_threads(threads: int) -> int:
    """Use this many CPU threads (0: what the environment grants); return how many are used.

    Sums are split among threads, so CPU results repeat bit for bit only at one thread count.
    """
    if threads > 0:
        torch.set_num_threads(threads)
    return torch.get_num_threads()


def random_states() -> dict[str, Any]:
    """Return the state of every random source, as tensors and plain numbers."""
    version, numbers, gauss = random.getstate()
    legacy: dict[str, Any] = dict(np.random.get_state(legacy=False))  # noqa: NPY002
    legacy["state"] = {**legacy["state"], "key": torch.from_numpy(legacy["state"]["key"].copy())}
    states: dict[str, Any] = {
        "python": [version, list(numbers), gauss],
        "numpy": legacy,
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def restore_random_states(states: dict[str, Any]) -> None:
    """Set every random source to what `random_states` returned."""
    version, numbers, gauss = states["python"]
    random.setstate((version, tuple(numbers), gauss))
    legacy = dict(states["numpy"])
    legacy["state"] = {**legacy["state"], "key": legacy["state"]["key"].numpy()}
    np.random.set_state(legacy)  # noqa: NPY002
    torch.set_rng_state(states["torch"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
