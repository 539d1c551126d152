"""The queue at a glance: read from the run database, laid out in lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from db.job_list import LIVE, ListedJob, count_states, read_jobs
from db.statements import EngineStatements
from setgf.cli.job_words import first_line, show_duration
from setgf.cli.run_text import show_text
from setgf.cli.screen import Row
from setgf.cli.worker_words import living_workers
from setgf.worker.outlook import look

if TYPE_CHECKING:
    from db.query import Query
    from db.records import Device, Worker
    from setgf.worker.outlook import Outlook

BAR = 12
RECENT_SECONDS = 24 * 3600.0
ENDED, WAITING = 5, 8
"""Jobs shown that are over, and that wait, where there is room for them."""
NAME = 28
MIB_A_GIB = 1024
_COLOURS = {"title": "1", "dim": "2", "live": "32", "bad": "31", "warn": "33", "": ""}


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line and what it is about: `title`, `dim`, `live`, `bad`, `warn` or plain."""

    text: str
    role: str = ""

    def row(self, *, has_colour: bool) -> Row:
        """Return the line as a row of a screen; bold and dim are no colours."""
        code = _COLOURS[self.role]
        return Row(self.text, code if has_colour or code in ("1", "2") else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What is shown, at a moment."""

    outlook: Outlook
    counts: Mapping[str, int]
    """Jobs by state, of all time."""
    ended: Sequence[ListedJob]
    """Those that were over within a day, the newest first."""
    workers: Sequence[Worker]
    best: Mapping[str, tuple[str, float | None]]
    """Monitored metric and its best value, by run id, of what runs."""


def read(query: Query, *, now: float) -> Glance:
    """Read what is shown."""
    with query.database.read() as connection:
        statements = EngineStatements(connection)
        outlook = look(statements, now=now)
        counts = count_states(statements)
        recent = read_jobs(
            statements, states=("succeeded", "failed", "cancelled"),
            ended_since=now - RECENT_SECONDS, cleared=False,
        )  # fmt: skip
        live = [job.run_id for job in outlook.jobs if job.state in LIVE]
        rows = statements.rows(
            "SELECT id, monitor, best_valid FROM runs WHERE state IN ('running', 'stopping')", {}
        )
    return Glance(
        outlook=outlook,
        counts=counts,
        ended=sorted(recent, key=lambda job: -(job.finished_at or 0.0)),
        workers=living_workers(query),
        best={run: (monitor, best) for run, monitor, best in rows if run in live},
    )


def as_plain(glance: Glance) -> Mapping[str, Any]:
    """Return the same as plain data for JSON."""
    outlook = glance.outlook
    estimates = outlook.estimates()

    def plain(job: ListedJob) -> Mapping[str, Any]:
        estimate = estimates.get(job.id)
        return {
            "id": job.id, "run": job.run_id, "name": job.name, "state": job.state,
            "epoch": job.epoch, "max_epochs": job.max_epochs, "worker": job.worker_id,
            "seconds": outlook.ran(job) if job.is_live else job.running_seconds,
            "ends_at": outlook.end_of(job) if job.is_live else estimate and estimate.end,
            "starts_at": None if job.is_live else estimate and estimate.start,
            "why": outlook.why(job) or None,
        }  # fmt: skip

    return {
        "at": outlook.now,
        "counts": dict(glance.counts),
        "workers": [asdict(worker) for worker in glance.workers],
        "jobs": [plain(job) for job in outlook.jobs],
    }


def draw(glance: Glance, width: int, *, height: int | None) -> list[TextLine]:
    """Return the lines, cut to a width and, where there is one, to a height."""
    head = list(_head(glance))
    live = list(_live(glance))
    waiting = list(_waiting(glance, WAITING if height is not None else None))
    ended = list(_ended(glance))
    lines = [*head, *live, *waiting, *ended]
    if height is not None and len(lines) > height:
        lines = lines[: height - 1]
        lines.append(TextLine("... more with a larger terminal, or `setgf queue list`", "dim"))
    return [TextLine(_cut(line.text, width), line.role) for line in lines]


def _head(glance: Glance) -> Iterator[TextLine]:
    """Yield counts, workers and devices."""
    outlook = glance.outlook
    states = Counter(job.state for job in outlook.jobs)
    said = [f"{number} {state}" for state, number in states.items()]
    failed = sum(job.state == "failed" for job in glance.ended)
    said += [f"{failed} failed today"] if failed else []
    ends = [job.ends_at for job in _ends(outlook) if job.ends_at is not None]
    over = f"; all over in about {show_duration(max(ends) - outlook.now)}" if ends else ""
    yield TextLine(f"setgf top  {', '.join(said) or 'the queue is empty'}{over}", "title")
    yield TextLine("")
    if not glance.workers:
        yield TextLine("No worker is running; start one with `setgf worker start`.", "warn")
    names = {job.id: job.name for job in outlook.jobs}
    for worker in glance.workers:
        beat = outlook.now - worker.heartbeat_at
        late = f", last seen {show_duration(beat)} ago" if worker.state == "stale" else ""
        since = show_duration(outlook.now - worker.started_at)
        yield TextLine(
            f"worker {show_text(worker.id)} on {show_text(worker.host)}, up {since}{late}",
            "warn" if late else "",
        )
        for device in worker.devices:
            yield _device(device, names)
    yield TextLine("")


@dataclass(frozen=True, slots=True)
class _End:
    ends_at: float | None


def _ends(outlook: Outlook) -> list[_End]:
    """Return when everything ends; of what can't be said None."""
    estimates = outlook.estimates()
    live = [_End(outlook.end_of(job)) for job in outlook.jobs if job.is_live]
    return live + [_End(one.end) for one in estimates.values()]


def _device(device: Device, names: Mapping[int, str]) -> TextLine:
    filled = round(min(max(device.utilisation, 0.0), 100.0) / 100 * BAR)
    bar = "#" * filled + "." * (BAR - filled)
    memory = _memory(device.memory_used_mib)
    if device.kind == "gpu" and device.memory_mib:
        memory += f" of {_memory(device.memory_mib)}"
    doing = "idle"
    if device.job_id is not None:
        doing = f"job {device.job_id} {names.get(device.job_id, '')}".rstrip()
    return TextLine(
        f"  {device.name:<8} [{bar}] {device.utilisation:3.0f}%  {memory:>19}  "
        f"{show_text(doing)}  {show_text(device.model)}",
        "" if device.job_id is not None else "dim",
    )


def _live(glance: Glance) -> Iterator[TextLine]:
    outlook = glance.outlook
    jobs = [job for job in outlook.jobs if job.is_live]
    if not jobs:
        return
    yield TextLine(f"{'running':<9}{'':<{NAME + 2}}{'epoch':>9}  {'time':>8}  {'left':>8}  best",
                   "dim")  # fmt: skip
    for job in jobs:
        end = outlook.end_of(job)
        left = "" if end is None else show_duration(max(0.0, end - outlook.now))
        monitor, best = glance.best.get(job.run_id, ("", None))
        score = "" if best is None else f"valid.{monitor} {best:.4f}"
        state = "" if job.state == "running" else f"  {job.state}"
        state = "  frozen" if job.frozen_at is not None else state
        yield TextLine(
            f"{job.id:>7}  {_name(job)}  {_epochs(job):>9}  "
            f"{show_duration(outlook.ran(job)):>8}  {left:>8}  {score}{state}",
            "live",
        )
    yield TextLine("")


def _waiting(glance: Glance, most: int | None) -> Iterator[TextLine]:
    outlook = glance.outlook
    jobs = [job for job in outlook.jobs if not job.is_live]
    if not jobs:
        return
    estimates = outlook.estimates()
    yield TextLine(f"{'waiting':<9}{'':<{NAME + 2}}{'epoch':>9}  {'starts in':>9}  why", "dim")
    for job in jobs[:most]:
        estimate = estimates.get(job.id)
        known = estimate is not None and estimate.start is not None
        start = show_duration((estimate.start or 0.0) - outlook.now) if known and estimate else ""
        why = outlook.why(job)
        yield TextLine(
            f"{job.id:>7}  {_name(job)}  {_epochs(job):>9}  {start:>9}  {show_text(why)}",
            "warn" if job.state == "lost" else "",
        )
    if most is not None and len(jobs) > most:
        yield TextLine(f"         and {len(jobs) - most} more", "dim")
    yield TextLine("")


def _ended(glance: Glance) -> Iterator[TextLine]:
    if not glance.ended:
        return
    yield TextLine(f"{'ended':<9}{'':<{NAME + 2}}{'epoch':>9}  {'time':>8}  {'ago':>8}", "dim")
    for job in glance.ended[:ENDED]:
        ago = show_duration(glance.outlook.now - (job.finished_at or glance.outlook.now))
        took = show_duration(job.running_seconds)
        error = show_text(first_line(job.error)) if job.state == "failed" else ""
        yield TextLine(
            f"{job.id:>7}  {_name(job)}  {_epochs(job):>9}  {took:>8}  {ago:>8}  "
            f"{job.state}  {error}".rstrip(),
            "bad" if job.state == "failed" else "",
        )


def _name(job: ListedJob) -> str:
    return f"{_cut(show_text(job.name), NAME):<{NAME}}"


def _epochs(job: ListedJob) -> str:
    return f"{job.epoch}/{job.max_epochs}"


def _memory(mib: float) -> str:
    return f"{mib:.0f} MiB" if mib < MIB_A_GIB else f"{mib / MIB_A_GIB:.1f} GiB"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: max(width - 1, 0)]}~"
