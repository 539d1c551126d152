"""What kind of failure an error is: decides whether another attempt is worth it."""

from __future__ import annotations

import errno

from setgf.errors import ConfigError, DataError, DivergedError, EncoderError

_NO_MEMORY = ("out of memory", "can't allocate memory")
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT)


def failure_class(error: BaseException) -> str:
    """Return `config`, `data`, `diverged`, `out_of_memory`, `disk_full` or `error`."""
    if any(isinstance(cause, OSError) and cause.errno in _DISK_ERRORS for cause in causes(error)):
        return "disk_full"
    if isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY):
        return "out_of_memory"
    for kind, name in (
        (DivergedError, "diverged"),
        (ConfigError, "config"),
        ((DataError, EncoderError), "data"),
    ):
        if isinstance(error, kind):
            return name
    return "error"


def causes(error: BaseException) -> list[BaseException]:
    """Return an error and what it came from, nearest first."""
    chain: list[BaseException] = []
    found: BaseException | None = error
    while found is not None and found not in chain:
        chain.append(found)
        found = found.__cause__ or found.__context__
    return chain
