"""When to write checkpoints, and how to go on from one."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from setgf.errors import CheckpointError
from setgf.training.checkpoint import CheckpointEntry, CheckpointFolder
from setgf.training.recorder import Recorder
from setgf.training.session import Session

MAX_SHARE = 0.1
"""Share of the time that checkpoints at the end of epochs may take."""


class Keeper:
    """Writes a session's checkpoints and tells the recorder of each.

    The best weights wait in memory and go to disk with the next `last`, which names them: the two
    always belong together, and a crash in between falls back to the pair before.
    """

    def __init__(self, session: Session, recorder: Recorder, *, data_fingerprint: str) -> None:
        self.session = session
        self.recorder = recorder
        self.owner = {
            "fingerprint": session.config.fingerprint,
            "data_fingerprint": data_fingerprint,
        }
        self.folder = CheckpointFolder(recorder.checkpoints, **self.owner)
        self._entries: tuple[CheckpointEntry, ...] = ()
        self._best: tuple[int, int, dict[str, Any]] | None = None
        self._best_file: str | None = None
        self._written_at = time.monotonic()
        self._cost = 0.0

    def resume(self, path: Path) -> tuple[CheckpointEntry | None, tuple[str, ...]]:
        """Put the session where the newest whole checkpoint in `path` was.

        Returns:
            The checkpoint, None where there is none; and a sentence for each damaged one and for
            what keeps the run from repeating to the bit.

        Raises:
            CheckpointError: the checkpoints are of another experiment or of other data.
        """
        earlier = CheckpointFolder(path, **self.owner)
        warnings: list[str] = []
        for entry in earlier.candidates():
            try:
                state = earlier.load(entry)
                if entry.best is not None:
                    earlier.load(earlier.find(entry.best))
            except CheckpointError as error:
                warnings.append(f"{error} Going on from an earlier one.")
                continue
            self.session.load_state_dict(state["session"])
            if state["session"]["threads"] != self.session.threads:
                warnings.append(
                    f"The run goes on with {self.session.threads} CPU threads after "
                    f"{state['session']['threads']}: its last digits will differ from those of an "
                    "uninterrupted one."
                )
            self._best_file = entry.best
            if path.resolve() != self.folder.path.resolve():
                self.folder.adopt(earlier, entry)
            self._entries = self.folder.entries()
            return entry, tuple(warnings)
        return None, tuple(warnings)

    def keep_best(self) -> None:
        """Remember the weights of this moment as the best."""
        position = self.session.position
        self._best = (position.epoch, position.step, self.session.weights())

    def tell(self) -> None:
        """Tell the recorder of the checkpoints a resume has taken over."""
        for entry in self._entries:
            self._tell(entry)

    def is_due(self, *, at_epoch_end: bool) -> bool:
        """True when it is time for a checkpoint.

        At the latest every `checkpoint_seconds`; at the end of an epoch also when writing takes
        a small share of the time, so that short epochs of a large model don't drown in it.
        """
        elapsed = time.monotonic() - self._written_at
        due = self.session.config.train.checkpoint_seconds
        return elapsed >= (min(due, self._cost / MAX_SHARE) if at_epoch_end else due)

    def save(self) -> None:
        """Write a `last` checkpoint, and the best weights before it where they are new.

        Raises:
            RunFolderError: the disk is full; earlier checkpoints are unharmed.
        """
        started = time.monotonic()
        fresh: list[CheckpointEntry] = []
        if self._best is not None:
            epoch, step, weights = self._best
            state = {**self.owner, "network": weights}
            entry = self.folder.write(state, role="best", epoch=epoch, step=step)
            fresh.append(entry)
        best_file = fresh[0].file if fresh else self._best_file
        position = self.session.position
        state = {**self.owner, "session": self.session.state_dict()}
        fresh.append(
            self.folder.write(
                state, role="last", epoch=position.epoch, step=position.step, best=best_file
            )
        )
        names = {entry.file for entry in fresh}
        earlier = tuple(entry for entry in self._entries if entry.file not in names)
        self._entries = self.folder.publish((*earlier, *fresh))
        self._best, self._best_file = None, best_file
        for entry in fresh:
            self._tell(entry)
        self._written_at = time.monotonic()
        self._cost = self._written_at - started

    def load_best(self) -> None:
        """Give the network the weights of the best epoch, as they are on disk.

        Raises:
            CheckpointError: they are damaged.
        """
        assert self._best_file is not None, "the first epoch is always the best so far"
        state = self.folder.load(self.folder.find(self._best_file))
        self.session.average = None  # the best weights are averages where these are on
        self.session.network.load_state_dict(state["network"])

    def _tell(self, entry: CheckpointEntry) -> None:
        fields = asdict(entry)
        del fields["best"]
        fields["file"] = f"{self.folder.path.name}/{entry.file}"
        self.recorder.event("checkpoint", **fields)
