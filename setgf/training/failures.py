"""What kind of failure an error is: decides whether another attempt is worth it."""

from __future__ import annotations

import errno

from setgf.errors import ConfigError, DataError, DivergedError, EncoderError, RunFolderError

OUT_OF_MEMORY, HOST_OUT_OF_MEMORY = "out_of_memory", "host_out_of_memory"
_NO_HOST_MEMORY = ("can't allocate memory", "Cannot allocate memory")
_NO_GPU_MEMORY = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
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
