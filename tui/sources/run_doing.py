"""What the dashboard does to runs: as the commands `setgf runs tag`, `delete` and so on do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tui.formatting import plural
from tui.gateway import GatewayError
from tui.sources.access import READ_ONLY
from tui.sources.runs import RunReading

if TYPE_CHECKING:
    from sqlalchemy import Connection


class RunsAccess(RunReading):
    """Lists and changes runs."""

    def archive_runs(self, run_ids: Sequence[str], *, archived: bool) -> str:
        """Put runs away, or take them back."""
        from db import runs

        self._each(
            run_ids,
            lambda c, now, run_id: runs.archive(
                c, run_id, actor=self.actor, now=now, archived=archived
            ),
        )
        return f"{'Put away' if archived else 'Took back'} {plural(len(run_ids), 'run')}."

    def tag_runs(self, run_ids: Sequence[str], tag: str, *, present: bool) -> str:
        """Add or remove a tag."""
        from db import runs

        change = runs.add_tag if present else runs.remove_tag
        self._each(
            run_ids,
            lambda c, now, run_id: change(c, run_id, tag, actor=self.actor, now=now),
        )
        where = f"{'on' if present else 'off'} {plural(len(run_ids), 'run')}"
        return f"Put tag `{tag}` {where}." if present else f"Took tag `{tag}` {where}."

    def note_runs(self, notes: Mapping[str, str]) -> str:
        """Give runs other notes."""
        from db import runs

        self._each(
            notes,
            lambda c, now, run_id: runs.set_note(
                c, run_id, notes[run_id], actor=self.actor, now=now
            ),
        )
        return f"Changed the note of {plural(len(notes), 'run')}."

    def rename_runs(self, names: Mapping[str, str]) -> str:
        """Give runs other names."""
        from db import runs

        self._each(
            names,
            lambda c, now, run_id: runs.rename(c, run_id, names[run_id], actor=self.actor, now=now),
        )
        return f"Renamed {plural(len(names), 'run')}."

    def trash_runs(self, run_ids: Sequence[str]) -> str:
        """Move runs into the trash, with their files."""
        self._refuse_read_only()
        for done, run_id in enumerate(run_ids):
            try:
                self._trash(run_id)
            except GatewayError as error:
                before = f"{plural(done, 'run')} went into the trash. " if done else ""
                raise GatewayError(f"{before}{error}") from error
        return f"Moved {plural(len(run_ids), 'run')} into the trash; U brings them back."

    def recover_runs(self, run_ids: Sequence[str]) -> str:
        """Bring runs back from the trash."""
        from db import runs
        from setgf.errors import SetgfError
        from setgf.runs.trash import take_back

        self._each(
            run_ids, lambda c, now, run_id: runs.recover(c, run_id, actor=self.actor, now=now)
        )
        try:
            for run_id in run_ids:
                take_back(self.home, run_id)
        except SetgfError as error:
            raise GatewayError(str(error)) from error
        return f"Brought back {plural(len(run_ids), 'run')}."

    def write_file(self, name: str, text: str) -> str:
        """Write a text to a file of the user's that is not there yet."""
        from setgf.home import users_umask

        path = Path(name).expanduser()
        try:
            with users_umask(), path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError as error:
            raise GatewayError(f"`{path}` is there already. Name another file.") from error
        except OSError as error:
            raise GatewayError(f"`{path}` can't be written: {error.strerror}.") from error
        return f"Wrote {path}."

    def _each(
        self, run_ids: Iterable[str], change: Callable[[Connection, float, str], None]
    ) -> None:
        """Change several runs in one transaction: all of them, or none."""

        def change_all(connection: Connection, now: float) -> None:
            for run_id in run_ids:
                change(connection, now, run_id)

        self.change(change_all)

    def _refuse_read_only(self) -> None:
        if self.read_only:
            raise GatewayError(READ_ONLY)

    def _trash(self, run_id: str) -> None:
        """Mark the row, then move the folder: if the second fails, the first is taken back."""
        from db import runs
        from setgf.errors import SetgfError
        from setgf.runs.folder import RunFolder
        from setgf.runs.trash import move_to_trash

        def mark(connection: Connection, now: float) -> None:
            runs.trash(connection, run_id, actor=self.actor, now=now)

        def unmark(connection: Connection, now: float) -> None:
            runs.recover(connection, run_id, actor=self.actor, now=now)

        try:
            folder = RunFolder(self.home.run_path(run_id))
            if not folder.path.is_dir():
                self.change(mark)
                return
            with folder.hold():
                self.change(mark)
                try:
                    move_to_trash(self.home, folder, now=self.clock())
                except SetgfError:
                    self.change(unmark)
                    raise
        except SetgfError as error:
            raise GatewayError(str(error)) from error
