"""How much memory reading a file may take: refused by arithmetic before it is taken."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path

from setgf.errors import ConfigError, DataError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_SHARE_OF_FREE = 0.8


@dataclass(slots=True)
class Budget:
    """Counts what the parts of one file take."""

    path: Path
    limit: int
    """Bytes."""
    taken: int = 0
    """Bytes so far."""

    def take(self, size: int, what: str) -> None:
        """Count `size` more bytes.

        Raises:
            DataError: that is beyond the limit; nothing was allocated for it.
        """
        self.taken += size
        if self.taken > self.limit:
            raise DataError(
                f"{self.path} would take more than {self.limit / 1e6:,.0f} MB of memory ({what}), "
                "so reading was stopped. Raise the limit with --max-memory if the file is right."
            )


def make_budget(path: Path, limit: int | None) -> Budget:
    """Return a budget of `limit` bytes; None takes 80 % of the memory that is free now."""
    return Budget(path, int(free_memory() * _SHARE_OF_FREE) if limit is None else limit)


def free_memory() -> int:
    """Return the bytes of memory this machine can give now; Linux is asked without psutil."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    import psutil  # 30 ms to load

    return int(psutil.virtual_memory().available)


def parse_size(text: str) -> int:
    """Return the bytes of `500M`, `8G` or a plain number.

    Raises:
        ConfigError: it is no size.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None or not float(match[1]):
        raise ConfigError(
            f"`--max-memory` is `{text}`, but must be a size above 0 such as 500M or 8G."
        )
    return int(float(match[1]) * _UNITS[match[2].lower()])
