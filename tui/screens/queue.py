"""Screen 2: jobs as they will happen, and the workers that make them happen."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from db.records import JobState
from tui.formatting import plural
from tui.gateway import Gateway
from tui.job_records import QueueBody
from tui.messages import OpenRun
from tui.screens.base import Clock
from tui.screens.queue_actions import QueueActions
from tui.widgets.filter_line import FilterLine, has_words
from tui.widgets.job_table import JobRow, JobTable, remark
from tui.widgets.table import Table
from tui.widgets.worker_panel import WorkerPanel, WorkersShown


class QueueScreen(QueueActions):
    """Jobs on the left, workers with their devices on the right."""

    NAME = "queue"
    EMPTY = (
        "The queue is empty.",
        "\nPress a to add jobs, or:\n\n"
        "$ setgf queue add --data NAME --model setgf --seeds 1111-1115",
    )
    DEFAULT_CSS = """
    QueueScreen #split { height: 1fr; }
    QueueScreen JobTable { width: 1fr; }
    QueueScreen WorkerPanel { width: 34%; min-width: 36; max-width: 54; border-left: solid $panel; }
    QueueScreen.-narrow #split { layout: vertical; }
    QueueScreen.-narrow WorkerPanel { width: 1fr; height: auto; max-height: 35%;
        border-left: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("escape", "clear", "no filter, no selection", show=False),
    ]

    def __init__(self, gateway: Gateway, time: Clock) -> None:
        super().__init__(gateway, time)
        self._filter = ""

    def compose_body(self) -> ComposeResult:
        """Yield jobs and workers."""
        with Horizontal(id="split"):
            yield JobTable(id="table")
            yield WorkerPanel(id="workers")
        yield FilterLine()

    def on_mount(self) -> None:
        """Let the table have the keys."""
        self.query_one(JobTable).focus()

    def read(self, request: object) -> QueueBody:
        """Read jobs and workers."""
        del request
        return self.gateway.read_queue()

    def has_nothing(self, body: QueueBody) -> bool:
        """Return True when there are neither jobs nor workers."""
        return not body.lines and not body.workers

    def grows_old(self) -> bool:
        """Return True: a worker that died changes nothing, its heartbeat grows old."""
        return bool(self.body.workers)

    def ticks(self) -> bool:
        """Return True while times are shown that grow or shrink: of what runs or waits."""
        return any(line.job.is_live or line.starts_at for line in self.body.lines)

    @property
    def body(self) -> QueueBody:
        """What is shown now."""
        return cast(QueueBody, self.frame.body) if self.frame else QueueBody()

    def show_body(self, body: QueueBody) -> None:
        """Hand jobs and workers to their widgets."""
        now = self.frame.read_at if self.frame else 0.0
        self._show_rows()
        names = {line.job.id: line.job.name for line in body.lines}
        shown = WorkersShown(workers=body.workers, job_names=names, use=body.use, now=now)
        self.query_one(WorkerPanel).show(shown)

    def _show_rows(self) -> None:
        now = self.frame.read_at if self.frame else 0.0
        devices: dict[int, list[str]] = {}
        for worker in self.body.workers:
            for device in worker.devices:
                if device.job_id is not None:
                    devices.setdefault(device.job_id, []).append(device.name)
        rows = (
            JobRow(line=line, device=", ".join(devices.get(line.job.id, ())), now=now)
            for line in self.body.lines
        )
        self.query_one(JobTable).show(r for r in rows if has_words(self._filter, _haystack(r)))

    def describe(self) -> str:
        """Return how many jobs are in each state, selection and filter."""
        table = self.query_one(JobTable)
        states = [line.job.state for line in self.body.lines]
        parts = self._remark() + [
            f"{states.count(state.value)} {state.value}" for state in JobState if state in states
        ]
        if len(table.rows) != len(states):
            parts.insert(0, f"{len(table.rows)} of {plural(len(states), 'job')}")
        if table.selection:
            parts.insert(0, f"{len(table.selection)} selected")
        if self._filter:
            parts.append(f"filter: {self._filter}")
        if self.body.num_older:
            parts.append(f"{self.body.num_older} cleared or older")
        if self.gateway.read_only:
            parts.append("read-only")
        return " · ".join(parts)

    def _remark(self) -> list[str]:
        """Return why the job under the cursor is where it is."""
        row = self.query_one(JobTable).cursor_row
        said = remark(row) if row else ""
        return [f"job {row.line.job.id}: {said}"] if row and said else []

    def run_id_here(self) -> str | None:
        """Return the run of the job under the cursor."""
        row = self.query_one(JobTable).cursor_row
        return None if row is None else row.line.job.run_id

    def rows(self, is_meant: Callable[[JobRow], bool]) -> tuple[JobRow, ...]:
        """Return the rows an action is meant for."""
        return tuple(row for row in self.query_one(JobTable).chosen if is_meant(row))

    # Keys

    def on_table_highlighted(self, _message: Table.Highlighted) -> None:
        """Say why the job is where it is."""
        self.show_status()

    def on_table_opened(self, message: Table.Opened) -> None:
        """Show the job's run."""
        run_id = self.run_id_here()
        if message.key is not None and run_id is not None:
            self.post_message(OpenRun(run_id))

    def on_table_changed(self, _message: Table.Changed) -> None:
        """Say what is selected."""
        self.show_status()

    def action_filter(self) -> None:
        """Let the user type a filter."""
        self.query_one(FilterLine).open(self._filter)

    def on_filter_line_filtered(self, message: FilterLine.Filtered) -> None:
        """Put the filter in force."""
        self._filter = message.text
        if message.is_final:
            self.query_one(FilterLine).close()
            self.query_one(JobTable).focus()
        self._show_rows()
        self.show_status()

    def action_clear(self) -> None:
        """Take away the selection, else the filter."""
        table = self.query_one(JobTable)
        if table.selection:
            table.clear_selection()
        elif self._filter:
            self.on_filter_line_filtered(FilterLine.Filtered("", is_final=True))


def _haystack(row: JobRow) -> str:
    job = row.line.job
    words = (str(job.id), job.name, job.model, job.data_name, job.state, job.reason, job.owner)
    return " ".join((*words, job.group_name or "", job.error or "", row.line.why))
