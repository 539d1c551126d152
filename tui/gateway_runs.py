"""What the screens may ask of the list of runs, and do to runs: a part of the gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from db.records import Run
    from tui.settings import Remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNames:
    """What a filter or a column can name besides the columns every run has."""

    settings: tuple[str, ...] = ()
    """`optim.lr` and so on, sorted."""
    metrics: tuple[str, ...] = ()
    """Final metrics and series, `test.acc7` and `train.loss`, sorted."""
    tags: tuple[str, ...] = ()


class RunsGateway(Protocol):
    """Lists and changes runs; raises `GatewayError` as every gateway does."""

    @property
    def remembered(self) -> Remembered:
        """How the user looks at this run database."""
        ...

    def list_runs(self, where: str = "", *, archived: bool = False) -> tuple[Run, ...]:
        """Return the runs that match a filter expression, newest first.

        Raises:
            FilterProblem: the expression can't be read.
        """
        ...

    def read_values(
        self, run_ids: Sequence[str], names: Sequence[str]
    ) -> Mapping[str, Mapping[str, Any]]:
        """Return settings and metrics by run id and name; what no run has is left out."""
        ...

    def list_names(self) -> RunNames:
        """Return the names of all settings, metrics and tags."""
        ...

    def list_values(self, name: str) -> tuple[str, ...]:
        """Return the values that runs have under a name, as one types them; at most a hundred."""
        ...

    def archive_runs(self, run_ids: Sequence[str], *, archived: bool) -> str:
        """Put runs away, or take them back; return what was done."""
        ...

    def tag_runs(self, run_ids: Sequence[str], tag: str, *, present: bool) -> str:
        """Add or remove a tag; return what was done."""
        ...

    def note_runs(self, notes: Mapping[str, str]) -> str:
        """Give runs other notes, by run id; return what was done."""
        ...

    def rename_runs(self, names: Mapping[str, str]) -> str:
        """Give runs other names, by run id; return what was done."""
        ...

    def trash_runs(self, run_ids: Sequence[str]) -> str:
        """Move runs into the trash, with their files; return what was done."""
        ...

    def recover_runs(self, run_ids: Sequence[str]) -> str:
        """Bring runs back from the trash; return what was done."""
        ...

    def write_file(self, name: str, text: str) -> str:
        """Write a text to a file of the user's that is not there yet; return what was done."""
        ...
