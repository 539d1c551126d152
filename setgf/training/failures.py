"""What kind of failure an error is: decides whether another attempt is worth it."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from setgf.errors import (
    ConfigError,
    DataError,
    DivergedError,
    EncoderError,
    RunFolderError,
    SetgfError,
)
from setgf.training.memory import explain_out_of_memory, memory_use

OUT_OF_MEMORY, HOST_OUT_OF_MEMORY = "out_of_memory", "host_out_of_memory"
_NO_HOST_MEMORY = ("can't allocate memory", "Cannot allocate memory")
_NO_GPU_MEMORY = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
_ASKED = re.compile(r"tried to allocate ([0-9.]+ [A-Za-z]+)", re.IGNORECASE)
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE)


def failure_class(error: BaseException) -> str:
    """Return the class of an error.

    Returns:
        `config`, `data`, `diverged`, `out_of_memory` (of the GPU), `host_out_of_memory`,
        `disk_full` (or a run folder that can't be written for another reason) or `error`.
    """
    systems = [cause for cause in causes(error) if isinstance(cause, OSError)]
    if any(cause.errno in _DISK_ERRORS for cause in systems):
        return "disk_full"
    if isinstance(error, RunFolderError) and systems:
        return "disk_full"
    if any(map(_lacks_host_memory, causes(error))):
        return HOST_OUT_OF_MEMORY
    if any(words in str(cause) for cause in causes(error) for words in _NO_GPU_MEMORY):
        return OUT_OF_MEMORY
    for kind, name in (
        (DivergedError, "diverged"),
        (ConfigError, "config"),
        ((DataError, EncoderError), "data"),
    ):
        if isinstance(error, kind):
            return name
    return "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a run failed, for people and for the rule that tries again."""

    kind: str
    """The class: see `failure_class`."""
    message: str
    figures: Mapping[str, int | None]
    """Memory in MiB, where that was lacking; else empty."""


def describe_failure(error: BaseException) -> Failure:
    """Return what to record of an error; call it while what was lacking still is."""
    kind = failure_class(error)
    if kind in (OUT_OF_MEMORY, HOST_OUT_OF_MEMORY):
        use = memory_use()
        asked = _ASKED.search(str(error))
        message = explain_out_of_memory(
            is_gpu=kind == OUT_OF_MEMORY, use=use, asked=asked.group(1) if asked else ""
        )
        return Failure(kind=kind, message=message, figures=asdict(use))
    message = str(error) or type(error).__name__
    if not isinstance(error, SetgfError):
        message = f"{type(error).__name__}: {message}"
    return Failure(kind=kind, message=message, figures={})


def _lacks_host_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or (
        isinstance(error, OSError) and error.errno == errno.ENOMEM
    ):
        return True
    return any(words in str(error) for words in _NO_HOST_MEMORY)


def causes(error: BaseException) -> list[BaseException]:
    """Return an error and what it came from, nearest first."""
    chain: list[BaseException] = []
    found: BaseException | None = error
    while found is not None and found not in chain:
        chain.append(found)
        found = found.__cause__ or found.__context__
    return chain
