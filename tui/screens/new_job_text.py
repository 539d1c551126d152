"""What the New job form says beside its fields: what one means, and what would be queued."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.style import Style
from rich.text import Text

from tui.formatting import Role, duration, plural
from tui.job_records import JobDraft, JobPlan, PlannedJob
from tui.plotting.glyphs import Glyphs
from tui.widgets.styles import role_style

if TYPE_CHECKING:
    from tui.screens.new_job import FieldRow

MOST_SHOWN = 40


def meaning_text(row: FieldRow, *, dark: bool) -> Text:
    """Return what a field means, what it may be, and what is wrong with it."""
    text = Text()
    text.append(row.field.name, role_style(Role.STRONG, dark=dark))
    text.append(f"  {row.field.meaning}", role_style(Role.PLAIN, dark=dark))
    if row.field.choices:
        text.append(f"\n{', '.join(row.field.choices)}", role_style(Role.DIM, dark=dark))
    if row.field.default:
        text.append(f"\ndefault {row.field.default}", role_style(Role.DIM, dark=dark))
    if row.problem:
        text.append(f"\n{row.problem}", role_style(Role.BAD, dark=dark))
    return text


def plan_text(
    plan: JobPlan, draft: JobDraft, *, problem: str, now: float, dark: bool, glyphs: Glyphs
) -> Text:
    """Return what would be queued, how long it should take, or why it can't be queued."""
    writer = _Writer(dark=dark)
    if problem:
        writer.line(problem, Role.BAD)
    elif not plan.fields:
        writer.line("Planning ...", Role.DIM)
    elif plan.problems:
        _say_problems(writer, plan)
    else:
        _say_jobs(writer, plan, draft, now, glyphs)
    return writer.text


class _Writer:
    """Lines of roles."""

    def __init__(self, *, dark: bool) -> None:
        self.text = Text()
        self._dark = dark

    def line(self, words: str, role: Role = Role.PLAIN, *, bold: bool = False) -> None:
        """Write one line."""
        self.text.append(f"{words}\n", role_style(role, dark=self._dark) + Style(bold=bold or None))


def _say_problems(writer: _Writer, plan: JobPlan) -> None:
    writer.line("Can't be queued yet", Role.WARN, bold=True)
    for name, words in plan.problems.items():
        writer.line("")
        if name:
            writer.line(name, Role.STRONG)
        writer.line(words, Role.BAD)


def _say_jobs(writer: _Writer, plan: JobPlan, draft: JobDraft, now: float, glyphs: Glyphs) -> None:
    counted = plan.jobs if draft.again else [job for job in plan.jobs if not job.same_as]
    writer.line(f"Will queue {plural(len(counted), 'job')}", Role.STRONG, bold=True)
    known = [job.seconds for job in counted if job.seconds is not None]
    if counted and len(known) == len(counted):
        writer.line(f"about {duration(sum(known))} of work in all", Role.PLAIN)
    if not plan.has_worker:
        writer.line("No worker is running: they wait for one.", Role.WARN)
    elif plan.done_at is not None and counted:
        done = duration(plan.done_at - now)
        writer.line(f"all over in about {done}, behind what waits", Role.PLAIN)
    for job in plan.jobs[:MOST_SHOWN]:
        _say_job(writer, job, draft, now, glyphs)
    if len(plan.jobs) > MOST_SHOWN:
        writer.line(f"\n{len(plan.jobs) - MOST_SHOWN} more", Role.DIM)


def _say_job(writer: _Writer, job: PlannedJob, draft: JobDraft, now: float, glyphs: Glyphs) -> None:
    writer.line(f"\n{glyphs.markers[6]} {job.name}", Role.ACCENT)
    writer.line(f"  {job.needs}", Role.DIM)
    if job.seconds is None:
        writer.line("  time unknown: no similar run yet", Role.DIM)
    else:
        writer.line(f"  about {duration(job.seconds)}, from {job.told_by}", Role.DIM)
    if job.starts_at is not None and not job.same_as:
        wait = job.starts_at - now
        writer.line("  starts next" if wait < 1 else f"  starts in {duration(wait)}", Role.DIM)
    if job.same_as:
        what = "queued again" if draft.again else "left out; f queues it again"
        writer.line(f"  the same experiment as {job.same_as}: {what}", Role.WARN)
