"""Screen 2: jobs as they will happen, and the workers that make them happen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from db.records import Job, JobState
from tui.formatting import plural
from tui.gateway import Gateway
from tui.messages import OpenRun
from tui.records import QueueBody
from tui.screens.base import Clock, DataScreen
from tui.widgets.filter_line import FilterLine, has_words
from tui.widgets.job_table import JobRow, JobTable
from tui.widgets.table import Table
from tui.widgets.worker_panel import WorkerPanel, WorkersShown

RETRYABLE = (JobState.FAILED, JobState.CANCELLED, JobState.LOST)


class QueueScreen(DataScreen):
    """Jobs on the left, workers with their devices on the right."""

    NAME = "queue"
    EMPTY = (
        "The queue is empty.",
        "\nAdd jobs, one for each seed:\n\n"
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
        Binding("ctrl+k", "cancel", "cancel", key_display="^k"),
        Binding("R", "retry", "retry"),
        Binding("H", "hold", "hold or release"),
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
        return QueueBody(jobs=self.gateway.list_jobs(), workers=self.gateway.list_workers())

    def has_nothing(self, body: QueueBody) -> bool:
        """Return True when there are neither jobs nor workers."""
        return not body.jobs and not body.workers

    def grows_old(self) -> bool:
        """Return True: a worker that died changes nothing, its heartbeat grows old."""
        return bool(self.body.workers)

    def ticks(self) -> bool:
        """Return True while a job runs: its time grows."""
        return any(job.state.is_live for job in self.body.jobs)

    @property
    def body(self) -> QueueBody:
        """What is shown now."""
        return cast(QueueBody, self.frame.body) if self.frame else QueueBody()

    def show_body(self, body: QueueBody) -> None:
        """Hand jobs and workers to their widgets."""
        now = self.frame.read_at if self.frame else 0.0
        self._show_rows()
        names = {job.id: job.name for job in body.jobs}
        self.query_one(WorkerPanel).show(
            WorkersShown(workers=body.workers, job_names=names, now=now)
        )

    def _show_rows(self) -> None:
        now = self.frame.read_at if self.frame else 0.0
        devices: dict[int, list[str]] = {}
        for worker in self.body.workers:
            for device in worker.devices:
                if device.job_id is not None:
                    devices.setdefault(device.job_id, []).append(device.name)
        self.query_one(JobTable).show(
            JobRow(job=job, device=", ".join(devices.get(job.id, ())), now=now)
            for job in self.body.jobs
            if has_words(self._filter, _haystack(job))
        )

    def describe(self) -> str:
        """Return how many jobs are in each state, selection and filter."""
        table = self.query_one(JobTable)
        states = [job.state for job in self.body.jobs]
        parts = self._remark() + [
            f"{states.count(state)} {state.value}" for state in JobState if state in states
        ]
        if len(table.rows) != len(states):
            parts.insert(0, f"{len(table.rows)} of {plural(len(states), 'job')}")
        if table.selection:
            parts.append(f"{len(table.selection)} selected")
        if self._filter:
            parts.append(f"filter: {self._filter}")
        if self.gateway.read_only:
            parts.append("read-only")
        return " · ".join(parts)

    def _remark(self) -> list[str]:
        """Return why the job under the cursor is where it is."""
        row = self.query_one(JobTable).cursor_row
        said = (row.job.error or row.job.reason) if row else ""
        return [f"job {row.job.id}: {' '.join(said.split())}"] if row and said else []

    # Keys

    def on_table_highlighted(self, _message: Table.Highlighted) -> None:
        """Say why the job is where it is."""
        self.show_status()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return False for actions where nothing may be changed."""
        del parameters
        return not (self.gateway.read_only and action in ("cancel", "retry", "hold"))

    def on_table_opened(self, message: Table.Opened) -> None:
        """Show the job's run."""
        row = self.query_one(JobTable).cursor_row
        if message.key is not None and row is not None:
            self.post_message(OpenRun(row.job.run_id))

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

    def action_cancel(self) -> None:
        """Cancel the chosen jobs that are not over yet."""
        jobs = self._chosen(lambda state: not state.is_finished)
        live = sum(job.state.is_live for job in jobs)
        detail = "Jobs that wait leave the queue; `R` puts them back."
        if live:
            detail = f"{plural(live, 'running job')} will stop; its checkpoint stays."
        self._ask("Cancel", jobs, detail, self.gateway.cancel_jobs)

    def action_retry(self) -> None:
        """Queue the chosen jobs again."""
        jobs = self._chosen(lambda state: state in RETRYABLE)
        detail = "They go on from their last checkpoint where there is one."
        self._ask("Retry", jobs, detail, self.gateway.retry_jobs)

    def action_hold(self) -> None:
        """Hold the chosen queued jobs; where there are none, release those held."""
        queued = self._chosen(lambda state: state is JobState.QUEUED, quiet=True)
        held = self._chosen(lambda state: state is JobState.HELD, quiet=True)
        if queued:
            self.act(partial(self.gateway.hold_jobs, [job.id for job in queued]))
        elif held:
            self.act(partial(self.gateway.release_jobs, [job.id for job in held]))
        else:
            self.notify("Only a queued job can be held, only a held one released.")

    def _chosen(
        self, is_meant: Callable[[JobState], bool], *, quiet: bool = False
    ) -> tuple[Job, ...]:
        rows = self.query_one(JobTable).chosen
        jobs = tuple(row.job for row in rows if is_meant(row.job.state))
        if rows and not jobs and not quiet:
            self.notify(f"Nothing to do for a job that is {rows[0].job.state.value}.")
        return jobs

    def _ask(
        self,
        verb: str,
        jobs: Sequence[Job],
        detail: str,
        action: Callable[[Sequence[int]], str],
    ) -> None:
        if jobs:
            ids = [job.id for job in jobs]
            names = f"job {ids[0]} ({jobs[0].name})" if len(ids) == 1 else plural(len(ids), "job")
            self.act_after_asking(f"{verb} {names}?", detail, partial(action, ids))


def _haystack(job: Job) -> str:
    words = (str(job.id), job.name, job.model, job.data_name, job.state.value, job.reason)
    return " ".join((*words, job.group_name or "", job.error or "", *job.tags))
