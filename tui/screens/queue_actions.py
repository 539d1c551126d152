"""What one can do to jobs on the Queue screen: a key for every command of `setgf queue`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

from textual.binding import Binding, BindingType

from db.records import Group, JobState
from tui.formatting import plural
from tui.job_records import JobChange
from tui.screens.base import DataScreen
from tui.widgets.dialogs import Ask, Choose
from tui.widgets.host import host
from tui.widgets.job_table import JobRow

RETRYABLE = (JobState.FAILED, JobState.CANCELLED, JobState.LOST)
WAITING = (JobState.QUEUED, JobState.HELD)
EDITABLE = (*WAITING, JobState.PAUSED, *RETRYABLE)
RESUMABLE = (JobState.PAUSED, JobState.HELD)
EDITS = (
    ("priority", "A higher one starts first."),
    ("time limit", "Time of running, all attempts together: 4h; none: no limit."),
    ("memory", "Memory it needs: 6G; none: as measured."),
    ("gpus", "0: a CPU slot; 0.5: half a GPU; 1, 2."),
    ("retries", "New attempts after a crash."),
    ("not before", "02:00, 2026-11-24 02:00, in 2h; none."),
    ("after", "Jobs it waits for: 3,5-9 (3:any: however they end); none: nothing."),
    ("name", "One line, of one job."),
    ("setting", "setting=value, of a job that never started: optim.lr=1e-4."),
)
MOST, PAUSE, RESUME = "most jobs at once", "start no more of its jobs", "start its jobs again"


class QueueActions(DataScreen):
    """Asks the gateway for changes of the chosen jobs; says so when none of them can be changed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("P", "pause", "pause or go on"),
        Binding("ctrl+k", "cancel", "cancel", key_display="^k"),
        Binding("T", "retry", "try again"),
        Binding("J", "move(1)", "later", show=False),
        Binding("K", "move(-1)", "earlier", show=False),
        Binding("p", "first", "start next", show=False),
        Binding("left_parenthesis", "priority(-1)", "lower priority", show=False, key_display="("),
        Binding("right_parenthesis", "priority(1)", "higher priority", show=False, key_display=")"),
        Binding("E", "edit", "edit"),
        Binding("F", "freeze", "freeze or thaw", show=False),
        Binding("B", "requeue", "back into the queue", show=False),
        Binding("ctrl+r", "restart", "again from the beginning", show=False, key_display="^r"),
        Binding("D", "clear_finished", "clear what is over", show=False),
        Binding("M", "groups", "groups: most at once, pause", show=False),
        Binding("W", "start_worker", "start a worker", show=False),
        Binding("U", "undo", "undo"),
    ]
    CHANGING: ClassVar[frozenset[str]] = frozenset(
        (
            *("pause", "cancel", "retry", "move", "first", "priority", "edit", "freeze"),
            *("requeue", "restart", "clear_finished", "groups", "start_worker", "undo"),
        )
    )

    def rows(self, is_meant: Callable[[JobRow], bool]) -> tuple[JobRow, ...]:
        """Return the rows an action is meant for: those selected, else the one at the cursor."""
        raise TypeError(f"{type(self).__name__} shows no jobs for {is_meant!r}.")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return False for actions where nothing may be changed."""
        del parameters
        return not (self.gateway.read_only and action in self.CHANGING)

    # States

    def action_pause(self) -> None:
        """Pause what waits or runs; where there is nothing of it, let the paused ones go on."""
        active = self._ids(lambda row: _can_pause(row))
        if active:
            self._change(JobChange.PAUSE, active)
            return
        resting = self._ids(lambda row: row.is_frozen or row.state in RESUMABLE)
        self._change_or_say(JobChange.RESUME, resting)

    def action_freeze(self) -> None:
        """Freeze what runs; where there is nothing of it, thaw the frozen ones."""
        running = self._ids(lambda row: row.state is JobState.RUNNING and not row.is_frozen)
        if running:
            self._change(JobChange.FREEZE, running)
        else:
            self._change_or_say(JobChange.THAW, self._ids(lambda row: row.is_frozen))

    def action_requeue(self) -> None:
        """Put live jobs back into the queue by way of a checkpoint."""
        ids = self._ids(lambda row: row.state.is_live or row.state is JobState.PAUSED)
        self._change_or_say(JobChange.REQUEUE, ids)

    def action_retry(self) -> None:
        """Queue failed jobs again; they go on from their checkpoints."""
        ids = self._ids(lambda row: row.state in RETRYABLE)
        self._change_or_say(JobChange.RETRY, ids)

    def action_restart(self) -> None:
        """Queue finished jobs once more as new jobs."""
        ids = self._ids(lambda row: row.state.is_finished)
        self._change_or_say(JobChange.RESTART, ids)

    def action_cancel(self) -> None:
        """Cancel the chosen jobs that are not over, after asking."""
        rows = self.rows(lambda row: not row.state.is_finished)
        if not self._is_possible(bool(rows)):
            return
        live = sum(row.state.is_live for row in rows)
        detail = "Jobs that wait leave the queue; `U` puts them back."
        if live:
            verb = "stops; its checkpoint stays" if live == 1 else "stop; their checkpoints stay"
            detail = f"{plural(live, 'running job')} {verb}, and `T` goes on from it."
        ids = [row.line.job.id for row in rows]
        self.act_after_asking(
            f"Cancel {_names(rows)}?",
            detail,
            partial(self.gateway.change_jobs, JobChange.CANCEL, ids),
        )

    def action_clear_finished(self) -> None:
        """Take the chosen jobs that are over off the list; with none chosen all of them."""
        rows = self.rows(lambda row: row.state.is_finished)
        chosen = self.rows(_is_any)
        if len(chosen) > 1 or (chosen and rows):
            ids = [row.line.job.id for row in rows]
            self._change_or_say(JobChange.CLEAR, ids)
            return
        self.act_after_asking(
            "Take all jobs that are over off the list?",
            "Their runs, logs and history stay; `U` brings the jobs back.",
            self.gateway.clear_finished,
        )

    # Order

    def action_move(self, step: int) -> None:
        """Move the job under the cursor within the queue."""
        ids = self._ids(lambda row: row.state in WAITING)
        if self._is_possible(bool(ids)):
            self.act(partial(self.gateway.move_job, ids[0], step=step))

    def action_first(self) -> None:
        """Let the chosen jobs start before all others, in their order."""
        ids = self._ids(lambda row: row.state in WAITING)
        if self._is_possible(bool(ids)):
            self.act(lambda: [self.gateway.move_job(i, first=True) for i in reversed(ids)][-1])

    def action_priority(self, step: int) -> None:
        """Raise or lower the priority of the chosen jobs."""
        rows = self.rows(lambda row: not row.state.is_finished)
        if self._is_possible(bool(rows)):
            to = rows[0].line.job.priority + step
            self.act(
                partial(self.gateway.set_priority, [row.line.job.id for row in rows], to),
            )

    # Values

    def action_edit(self) -> None:
        """Ask what of the chosen jobs is to be changed, and to what."""
        rows = self.rows(lambda row: row.state in EDITABLE)
        if not self._is_possible(bool(rows)):
            return
        meanings = dict(EDITS)

        def ask(what: str | None) -> None:
            if what is not None:
                title = f"{what.capitalize()} of {_names(rows)}"
                host(self).push_screen(
                    Ask(title, meanings[what], _value(rows[0], what)),
                    partial(self._edited, rows, what),
                )

        host(self).push_screen(Choose(f"edit {_names(rows)}", list(meanings), ""), ask)

    def _edited(self, rows: Sequence[JobRow], what: str, text: str | None) -> None:
        if text is None:
            return
        name, value = what, text
        if what == "setting":
            name, _, value = (part.strip() for part in text.partition("="))
        if name:
            ids = [row.line.job.id for row in rows]
            self.act(partial(self.gateway.edit_jobs, ids, {name: value}))

    # Groups, worker, undo

    def action_groups(self) -> None:
        """Read the groups in a thread, then offer them."""

        def read() -> str:
            groups = self.gateway.list_groups()
            host(self).call_from_thread(self._offer_groups, groups)
            return "" if groups else "No group has jobs that are not over."

        self.act(read)

    def _offer_groups(self, groups: Sequence[Group]) -> None:
        if not groups:
            return
        labels = {_group_words(group): group for group in groups}

        def ask(label: str | None) -> None:
            if label is not None:
                group = labels[label]
                choices = (MOST, RESUME if group.paused_at is not None else PAUSE)
                host(self).push_screen(
                    Choose(f"group {group.name}", choices, ""), partial(self._change_group, group)
                )

        host(self).push_screen(Choose("group", list(labels), ""), ask)

    def _change_group(self, group: Group, what: str | None) -> None:
        if what == MOST:
            now = "none" if group.parallelism is None else str(group.parallelism)

            def limited(text: str | None) -> None:
                if text:
                    self.act(partial(self.gateway.change_group, group.name, parallelism=text))

            meaning = "Jobs of it that may run at once; none: no limit."
            host(self).push_screen(Ask(f"Group {group.name}", meaning, now), limited)
        elif what is not None:
            self.act(partial(self.gateway.change_group, group.name, paused=what == PAUSE))

    def action_start_worker(self) -> None:
        """Start a worker on this machine, after asking: it takes its cores and GPUs."""
        self.act_after_asking(
            "Start a worker on this machine?",
            "It runs in the background, on half of the cores and all GPUs; "
            "`setgf worker stop` ends it.",
            self.gateway.start_worker,
        )

    def action_undo(self) -> None:
        """Take back the last thing this user did to the queue."""
        self.act(self.gateway.undo)

    # Parts

    def _ids(self, is_meant: Callable[[JobRow], bool]) -> list[int]:
        return [row.line.job.id for row in self.rows(is_meant)]

    def _change(self, change: JobChange, ids: Sequence[int]) -> None:
        self.act(partial(self.gateway.change_jobs, change, ids))

    def _change_or_say(self, change: JobChange, ids: Sequence[int]) -> None:
        if self._is_possible(bool(ids)):
            self._change(change, ids)

    def _is_possible(self, is_any: bool) -> bool:
        """Return whether there is a job to change; say so where there is none."""
        if not is_any:
            chosen = self.rows(_is_any)
            states = {"frozen" if row.is_frozen else row.state.value for row in chosen}
            one = states.pop() if len(states) == 1 else "in these states"
            self.notify(
                f"Nothing to do for a job that is {one}." if chosen else "No job is chosen."
            )
        return is_any


def _is_any(_row: JobRow) -> bool:
    return True


def _can_pause(row: JobRow) -> bool:
    is_active = row.state is JobState.QUEUED or row.state.is_live
    return is_active and not row.is_frozen and row.state is not JobState.STOPPING


def _names(rows: Sequence[JobRow]) -> str:
    if len(rows) == 1:
        return f"job {rows[0].line.job.id} ({rows[0].line.job.name})"
    return plural(len(rows), "job")


def _value(row: JobRow, what: str) -> str:
    """Return what a job asks for now, as it would be typed."""
    job = row.line.job
    limit = "none" if job.time_limit is None else f"{job.time_limit:g}s"
    memory = "none" if job.memory_mib is None else f"{job.memory_mib}M"
    values = {
        "priority": str(job.priority),
        "time limit": limit,
        "memory": memory,
        "gpus": f"{job.gpus:g}",
        "retries": str(max(job.max_attempts - job.attempt - 1, 0)),
        "name": job.name,
    }
    return values.get(what, "")


def _group_words(group: Group) -> str:
    counts = ", ".join(f"{number} {state}" for state, number in sorted(group.counts.items()))
    most = "" if group.parallelism is None else f"; at most {group.parallelism} at once"
    return f"{group.name}: {counts}{most}{'; paused' if group.paused_at is not None else ''}"
