"""The jobs of one `setgf queue add`, from options or from a file, and how they are stored."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from setgf.cli.job_words import actor
from setgf.errors import ConfigError, SetgfError
from setgf.home import find_home
from setgf.worker.submit import MOST_JOBS, group_kind, plan_jobs_on_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db.records import NewJob
    from db.statements import Statements
    from setgf.worker.submit import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A job that is to be added."""

    job: NewJob
    group: str | None
    group_kind: str
    section: str | None = None
    """Name of its section in a file of jobs."""
    after_sections: tuple[tuple[str, str], ...] = ()
    """Sections whose jobs it waits for, each with `ok` or `any`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Jobs that are added together, all or none."""

    entries: tuple[Entry, ...]

    @property
    def jobs(self) -> tuple[NewJob, ...]:
        """The jobs, in order."""
        return tuple(entry.job for entry in self.entries)


def from_request(request: Request, *, group: str | None, now: float) -> Batch:
    """Return the jobs of a request; several of them are put in a group.

    Raises:
        ConfigError, DataError, EncoderError: what `plan_jobs` refuses.
    """
    jobs = plan_jobs_on_all(find_home(), request)
    check_group(group)
    if group is None and len(jobs) > 1:
        group = _group_name(request, now)
    kind = group_kind(request)
    return Batch(entries=tuple(Entry(job=job, group=group, group_kind=kind) for job in jobs))


def from_file(path: Path, *, now: float, hold: bool, group: str | None) -> Batch:
    """Return the jobs of a file, all of them checked.

    Raises:
        ConfigError: every problem, each with its line and the job's name.
    """
    from setgf.runs.environment import command_line
    from setgf.worker.jobs_file import read_jobs_file

    check_group(group)
    entries: list[Entry] = []
    problems: list[str] = []
    for section in read_jobs_file(path, now=now):
        request = replace(
            section.request,
            held=hold or section.request.held,
            owner=actor(),
            command=command_line(),
        )
        try:
            check_group(section.group)
            jobs = plan_jobs_on_all(find_home(), request)
        except SetgfError as error:
            problems += [f"{section.where}: {line}" for line in str(error).splitlines()]
            continue
        name = section.group or group
        if name is None and len(jobs) > 1:
            name = _group_name(request, now)
        entries += [
            Entry(
                job=job,
                group=name,
                group_kind=group_kind(request),
                section=section.name,
                after_sections=section.after_names,
            )
            for job in jobs
        ]
    if problems:
        raise ConfigError("\n".join(problems))
    if len(entries) > MOST_JOBS:
        raise ConfigError(f"{path} makes {len(entries)} jobs; at most {MOST_JOBS} are allowed.")
    return Batch(entries=tuple(entries))


def check_group(name: str | None) -> None:
    """Refuse what can't be typed again as `group:NAME`.

    Raises:
        ConfigError: it is empty, or not one line of text.
    """
    if name is not None and (not name.strip() or not name.isprintable()):
        raise ConfigError(f"A group's name must be one line of text, but is {name!r}.")


def store(statements: Statements, batch: Batch, *, actor: str, now: float) -> tuple[int, ...]:
    """Add the jobs of a batch and return their ids.

    Args:
        statements: in a writing transaction.
        batch: the jobs; those of a section of a file wait for the sections they name.
        actor: who adds them.
        now: seconds since the epoch.
    """
    from db.job_adding import insert_jobs

    ids: list[int] = []
    of_section: dict[str, list[int]] = {}
    for part in _parts(batch.entries):
        first = part[0]
        needed = {kind: _ids_of(first, kind, of_section) for kind in ("ok", "any")}
        jobs = [
            replace(
                entry.job,
                after=(*entry.job.after, *needed["ok"]),
                after_any=(*entry.job.after_any, *needed["any"]),
            )
            for entry in part
        ]
        added = insert_jobs(
            statements, jobs, actor=actor, now=now,
            group_name=first.group, group_kind=first.group_kind,
        )  # fmt: skip
        ids += added
        if first.section is not None:
            of_section.setdefault(first.section, []).extend(added)
    return tuple(ids)


def _parts(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Return the entries in runs that are stored alike."""
    parts: list[list[Entry]] = []
    for entry in entries:
        last = parts[-1][-1] if parts else None
        if last is None or (last.group, last.group_kind, last.section, last.after_sections) != (
            entry.group,
            entry.group_kind,
            entry.section,
            entry.after_sections,
        ):
            parts.append([])
        parts[-1].append(entry)
    return parts


def _ids_of(entry: Entry, kind: str, of_section: dict[str, list[int]]) -> list[int]:
    return [
        job_id
        for name, wanted in entry.after_sections
        if wanted == kind
        for job_id in of_section.get(name, ())
    ]


def _group_name(request: Request, now: float) -> str:
    """Return a name that can be typed without quotes."""
    begin = request.name or f"{'+'.join(request.models)}-{request.data_name}"
    words = "-".join(begin.split()).replace(":", "-").replace(",", "+").replace("*", "")
    return f"{words}-{time.strftime('%m%d-%H%M%S', time.localtime(now))}"
