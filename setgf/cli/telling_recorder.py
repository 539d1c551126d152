"""The recorder of `setgf train`: warnings are told to whoever looks on, too."""

from __future__ import annotations

from typing import Any

from setgf.cli.output import note
from setgf.runs.recorder import FolderRecorder


class TellingRecorder(FolderRecorder):
    """Writes the run folder, and says every warning on stderr."""

    def event(self, kind: str, **fields: Any) -> None:
        """Record an event; say a warning."""
        super().event(kind, **fields)
        if kind == "warning":
            note(f"warning: {fields['message']}")
