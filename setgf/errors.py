"""What can go wrong, one class a cause.

    SetgfError                    exit code
      ConfigError                 2   a setting, an option or a name
        UnknownSettingError       2
      DataError                   3   a feature file or store
        UnsafePickleError         3
        MetricError               3   predictions or labels that can't be scored
      EncoderError                3   the text encoder's folder or weights
      CheckpointError             1
      TrainingError               1
        DivergedError             1   loss or score not finite
        StoppedError            130   asked to stop; a checkpoint was written
      RunFolderError              1   the run folder can't be read or written
        DiskFullError             1   there is no room for it
        RunNotFoundError          4   there is no such run
      WorkerError                 5   no worker, GPU or child process

Every message says what is wrong, what it is, what was expected and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar


class SetgfError(Exception):
    """Base of every error a user can cause or must know of."""

    exit_code: ClassVar[int] = 1


class ConfigError(SetgfError):
    """A setting, an option or a name is not what it must be."""

    exit_code = 2


class UnknownSettingError(ConfigError):
    """A setting that does not exist, with the nearest one that does."""

    def __init__(self, name: str, known: Iterable[str], *, where: str = "") -> None:
        self.name = name
        nearest = get_close_matches(name, list(known), n=1, cutoff=0.6)
        place = f" in {where}" if where else ""
        hint = (
            f" Did you mean `{nearest[0]}`?" if nearest else " See `setgf config` for all settings."
        )
        super().__init__(f"Unknown setting `{name}`{place}.{hint}")


class DataError(SetgfError):
    """A feature file or store is missing, damaged or not of the expected form."""

    exit_code = 3


class UnsafePickleError(DataError):
    """A pickle asks for something else than plain data; it was refused before anything ran."""


class MetricError(DataError):
    """Predictions or labels that can't be scored."""


class EncoderError(SetgfError):
    """The text encoder can't be found or loaded."""

    exit_code = 3


class CheckpointError(SetgfError):
    """A checkpoint is missing, damaged or of another experiment."""


class TrainingError(SetgfError):
    """Training could not go on."""


class DivergedError(TrainingError):
    """The loss or a score became NaN or infinite."""


class StoppedError(TrainingError):
    """Training was asked to stop and left a checkpoint."""

    exit_code = 130


class RunFolderError(SetgfError):
    """A run folder can't be read or written."""


class DiskFullError(RunFolderError):
    """A run folder's disk has no room; what was stored before is safe."""


class RunNotFoundError(RunFolderError):
    """There is no folder of such a run; the exit code is that of a row that is not there."""

    exit_code = 4


class WorkerError(SetgfError):
    """A worker, its GPU or its child process is not there."""

    exit_code = 5
