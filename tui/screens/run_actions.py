"""What the Runs screen does to runs: tags, notes, names, archive, trash and undo, and files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual.binding import Binding, BindingType

from tui.formatting import plural
from tui.screens.run_list import RunListScreen
from tui.widgets.dialogs import Ask
from tui.widgets.host import host
from tui.widgets.run_rows import RunRow

Action = Callable[[], str]
NOTHING_TO_UNDO = "Nothing was changed here that can be undone."


class RunActionsScreen(RunListScreen):
    """A list of runs with keys that change the chosen ones."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "tag", "tag", show=False),
        Binding("i", "note", "note", show=False),
        Binding("r", "rename", "rename", show=False),
        Binding("z", "archive", "put away or take back", show=False),
        Binding("D", "trash", "trash", show=False),
        Binding("U", "undo", "undo", show=False),
        Binding("w", "write", "write CSV", show=False),
    ]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._undoing: list[Action] = []
        """What takes back the changes made here, the newest last."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether an action can be carried out: nothing changes when only reading."""
        changes = ("tag", "note", "rename", "archive", "trash", "undo")
        if action in changes and self.gateway.read_only:
            return False
        return super().check_action(action, parameters)

    def action_tag(self) -> None:
        """Put tags on the chosen runs, or take them off."""
        rows = self.table.chosen_runs
        if rows:
            tags = sorted({tag for row in rows for tag in row.run.tags})
            has = f"They have: {' '.join(tags)}. " if tags else ""
            detail = f"{has}Words are put on; with a - before it one is taken off."
            self._ask(f"Tags of {_these(rows)}", detail, "", partial(self._tag, rows))

    def _tag(self, rows: tuple[RunRow, ...], text: str) -> None:
        for word in text.replace(",", " ").split():
            present = not word.startswith("-")
            tag = word.lstrip("+-")
            ids = [row.run.id for row in rows if (tag in row.run.tags) != present]
            if tag and ids:
                self._do(
                    partial(self.gateway.tag_runs, ids, tag, present=present),
                    partial(self.gateway.tag_runs, ids, tag, present=not present),
                )

    def action_note(self) -> None:
        """Write a note on the chosen runs."""
        rows = self.table.chosen_runs
        if rows:
            detail = "An empty one removes it." if rows[0].run.note else ""
            note = partial(self._note, rows)
            self._ask(f"Note of {_these(rows)}", detail, rows[0].run.note, note)

    def _note(self, rows: tuple[RunRow, ...], text: str) -> None:
        before = {row.run.id: row.run.note for row in rows if row.run.note != text}
        if before:
            self._do(
                partial(self.gateway.note_runs, dict.fromkeys(before, text)),
                partial(self.gateway.note_runs, before),
            )

    def action_rename(self) -> None:
        """Give the run under the cursor another name."""
        row = self.table.cursor_run
        if row is not None:
            self._ask("New name", f"of {row.run.name}", row.run.name, partial(self._rename, row))

    def _rename(self, row: RunRow, text: str) -> None:
        if text and text != row.run.name:
            self._do(
                partial(self.gateway.rename_runs, {row.run.id: text}),
                partial(self.gateway.rename_runs, {row.run.id: row.run.name}),
            )

    def action_archive(self) -> None:
        """Put the chosen runs away, or take back those that all are; nothing is deleted."""
        rows = self.table.chosen_runs
        if rows:
            archived = not all(row.run.archived for row in rows)
            ids = [row.run.id for row in rows if row.run.archived != archived]
            self._do(
                partial(self.gateway.archive_runs, ids, archived=archived),
                partial(self.gateway.archive_runs, ids, archived=not archived),
            )

    def action_trash(self) -> None:
        """Move the chosen runs into the trash, with their files."""
        rows = self.table.chosen_runs
        if rows:
            ids = [row.run.id for row in rows]
            self.act_after_asking(
                f"Move {_these(rows)} into the trash?",
                "With their files. U brings them back, and so does `setgf runs restore`, until "
                "`setgf gc --apply` empties the trash.",
                self._undoable(
                    partial(self.gateway.trash_runs, ids), partial(self.gateway.recover_runs, ids)
                ),
            )

    def action_undo(self) -> None:
        """Take back the newest change made here."""
        if self._undoing:
            self.act(self._undoing.pop())
        else:
            self.notify(NOTHING_TO_UNDO)

    def action_write(self) -> None:
        """Write the table as it is shown to a file."""
        table = self.table
        if table.runs:
            what = (
                plural(len(table.groups), "group")
                if table.group
                else plural(len(table.runs), "run")
            )
            self._ask(f"Write {what} as CSV to", "", str(Path.cwd() / "runs.csv"), self._write)

    def _write(self, name: str) -> None:
        from tui.run_export import groups_csv, runs_csv

        table = self.table
        if table.group:
            text = groups_csv(table.columns, table.group, table.groups)
        else:
            text = runs_csv(table.columns, table.runs)
        if name:
            self.act(partial(self.gateway.write_file, name, text))

    def _ask(self, question: str, detail: str, value: str, then: Callable[[str], None]) -> None:
        def answered(text: str | None) -> None:
            if text is not None:
                then(text)

        host(self).push_screen(Ask(question, detail, value), answered)

    def _do(self, action: Action, undo: Action) -> None:
        self.act(self._undoable(action, undo))

    def _undoable(self, action: Action, undo: Action) -> Action:
        """Return an action that can be undone once it is done."""

        def do() -> str:
            report = action()
            self._undoing.append(undo)
            return report

        return do


def _these(rows: tuple[RunRow, ...]) -> str:
    return rows[0].run.name if len(rows) == 1 else plural(len(rows), "run")
