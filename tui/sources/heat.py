"""How hot the GPUs of this machine are, by the NVIDIA management library where it is."""

from __future__ import annotations

from functools import cache
from typing import Any

MARGIN = 3
"""Degrees below the point at which a card slows down."""
USUAL_LIMIT = 90
"""Degrees Celsius, for cards that do not say where they slow down."""


def hot_gpus(library: Any = None) -> tuple[tuple[str, int, int], ...]:
    """Return name, degrees Celsius and limit of the GPUs that are about to slow down."""
    nvml = _library() if library is None else library
    if nvml is None:
        return ()
    try:
        count = nvml.nvmlDeviceGetCount()
    except nvml.NVMLError:
        return ()
    found: list[tuple[str, int, int]] = []
    for index in range(count):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            degrees = int(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
        except nvml.NVMLError:
            continue
        limit = _limit(nvml, handle)
        if degrees >= limit - MARGIN:
            found.append((f"cuda:{index}", degrees, limit))
    return tuple(found)


def _limit(nvml: Any, handle: Any) -> int:
    try:
        kind = nvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN
        return int(nvml.nvmlDeviceGetTemperatureThreshold(handle, kind))
    except nvml.NVMLError:
        return USUAL_LIMIT


@cache
def _library() -> Any:
    """Return the library, started; None on a machine without a driver."""
    import pynvml

    nvml: Any = pynvml
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return None
    return nvml
