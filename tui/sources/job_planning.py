"""From a filled-in form to jobs: planned, checked field by field, and queued."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from db.errors import NotFoundError
from db.job_adding import insert_jobs
from db.records import NewJob
from setgf.config import (
    ExperimentConfig,
    config_from_dict,
    full_name,
    override,
    parse_assignments,
    parse_seeds,
)
from setgf.errors import ConfigError, SetgfError
from tui.gateway import GatewayError, MissingError
from tui.job_records import JobDraft, JobPlan, PlannedJob
from tui.sources.access import READ_ONLY
from tui.sources.job_form import begin_config, form_fields, show_value
from tui.sources.queue_doing import names, read_moment, whole_number

if TYPE_CHECKING:
    from db.statements import Statements
    from setgf.worker.outlook import Outlook
    from setgf.worker.submit import Request
    from tui.sources.access import DatabaseAccess

Read = TypeVar("Read")
OPTIONS = frozenset(
    (
        *("data", "model", "seeds", "preset", "grid", "name", "group", "tags", "gpus", "memory"),
        *("time limit", "priority", "not before", "after", "retries", "held"),
    )
)


class _Reader:
    """Reads the fields of a draft one by one, and keeps what is wrong with each."""

    def __init__(self, draft: JobDraft) -> None:
        self.draft = draft
        self.problems: dict[str, str] = {}

    def read(self, name: str, parse: Callable[[str], Read], default: Read) -> Read:
        """Return a field as `parse` reads it; its default where it is empty or wrong."""
        text = self.draft.values.get(name, "").strip()
        if not text:
            return default
        try:
            return parse(text)
        except SetgfError as error:
            self.problems[name] = str(error).removeprefix("`--gpus` ")
            return default

    @property
    def settings(self) -> dict[str, str]:
        """The settings that are filled in, each checked alone."""
        found = {k: v for k, v in self.draft.values.items() if k not in OPTIONS and v.strip()}
        for name, text in found.items():
            try:
                override(ExperimentConfig(), {name: text})
            except ConfigError as error:
                self.problems[name] = str(error)
        return found


def plan(access: DatabaseAccess, draft: JobDraft) -> JobPlan:
    """Return what a draft would queue, or what is wrong with it, field by field."""
    fields = form_fields(access.home, draft)
    now = access.clock()
    jobs, problems = _new_jobs(access, draft, now)
    if problems:
        return JobPlan(problems=problems, fields=fields)
    try:
        with access.statements() as statements:
            from setgf.worker.outlook import look

            return _told(jobs, look(statements, now=now), _repeated(statements, jobs), fields)
    except MissingError:  # no database yet: nothing is known, nothing is a repetition
        planned = tuple(_planned(job, None, "") for job in jobs)
        return JobPlan(jobs=planned, fields=fields, has_worker=False)


def _told(
    jobs: Sequence[NewJob], outlook: Outlook, repeated: Mapping[int, str], fields: Any
) -> JobPlan:
    planned = [replace(_planned(job, outlook, ""), same_as=repeated.get(place, ""))
               for place, job in enumerate(jobs)]  # fmt: skip
    new = [place for place in range(len(jobs)) if place not in repeated]
    found = outlook.estimates([jobs[place] for place in new])
    ends: list[float | None] = []
    for order, place in enumerate(new, start=1):
        estimate = found.get(-order)
        ends.append(None if estimate is None else estimate.end)
        start = None if estimate is None else estimate.start
        planned[place] = replace(planned[place], starts_at=start)
    known = [end for end in ends if end is not None]
    return JobPlan(
        jobs=tuple(planned),
        fields=fields,
        done_at=max(known) if known and len(known) == len(ends) else None,
        has_worker=bool(outlook.workers),
    )


def _planned(job: NewJob, outlook: Outlook | None, same_as: str) -> PlannedJob:
    duration = None if outlook is None else outlook.duration(job)
    needs = "a CPU slot" if not job.gpus else f"{job.gpus:g} GPU{'s' if job.gpus > 1 else ''}"
    if job.memory_mib:
        needs += f", {job.memory_mib} MiB"
    if job.held:
        needs += ", held"
    told = ""
    if duration is not None:
        kind = "similar run" if duration.is_same else "run of this model and data"
        told = f"{duration.num_runs} {kind.replace('run', 'runs', int(duration.num_runs > 1))}"
    return PlannedJob(
        name=job.name,
        needs=f"{job.max_epochs} epochs at most, {needs}",
        seconds=None if duration is None else duration.seconds,
        told_by=told,
        same_as=same_as,
    )


def _new_jobs(
    access: DatabaseAccess, draft: JobDraft, now: float
) -> tuple[tuple[NewJob, ...], Mapping[str, str]]:
    """Return the jobs, or what is wrong by field."""
    reader = _Reader(draft)
    request = _request(reader, access.actor, now)
    if "data" not in draft.values:
        reader.problems["data"] = "Choose the feature store to train on."
    if reader.problems:
        return (), reader.problems
    from setgf.worker.submit import plan_jobs

    try:
        return plan_jobs(access.home, request), {}
    except SetgfError as error:
        return (), _by_field(str(error), draft)


def _request(reader: _Reader, actor: str, now: float) -> Request:
    from setgf.worker import quantities
    from setgf.worker.submit import Request

    after, after_any = reader.read(
        "after", lambda text: quantities.parse_needed(text.replace(",", " ").split()), ((), ())
    )
    return Request(
        data_name=reader.read("data", str, ""),
        models=reader.read("model", _words, ("setgf",)),
        seeds=reader.read("seeds", parse_seeds, (1111,)),
        settings=reader.settings,
        grid=reader.read("grid", _grid, {}),
        preset=reader.read("preset", str, "") or None,
        name=reader.read("name", _line, "") or None,
        gpus=reader.read("gpus", quantities.parse_gpus, None),
        memory_mib=reader.read("memory", quantities.parse_memory, 0) or None,
        time_limit=reader.read("time limit", quantities.parse_seconds, 0.0) or None,
        not_before=reader.read("not before", lambda t: read_moment(t, now=now), 0.0) or None,
        priority=reader.read("priority", lambda t: whole_number(t, "A priority"), 0),
        max_attempts=1 + reader.read("retries", lambda t: whole_number(t, "Retries", least=0), 2),
        held=reader.read("held", lambda text: text == "yes", False),
        after=after,
        after_any=after_any,
        tags=reader.read("tags", _words, ()),
        owner=actor,
        command=_command(reader.draft),
    )


def _by_field(message: str, draft: JobDraft) -> Mapping[str, str]:
    """Return an error by the fields it is about: those whose name it says."""
    found: dict[str, str] = {}
    for line in message.splitlines():
        quoted = line.split("`")[1::2]
        named = [name for name in quoted if name in OPTIONS or name in draft.values]
        if not named:
            named = _guessed(line)
        for name in named[:1] or [""]:
            found[name] = f"{found[name]} {line}" if name in found else line
    return found


def _guessed(line: str) -> list[str]:
    """Return the field of an error that does not say its name in ours."""
    begins = {
        "encoder": "text.encoder",
        "feature store": "data",
        "preset": "preset",
        "model": "model",
        "grid": "grid",
    }
    for words, name in begins.items():
        if words in line.lower():
            return [name]
    for quoted in line.split("`")[1::2]:
        try:
            return [full_name(quoted)]
        except ConfigError:
            continue
    return []


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _line(text: str) -> str:
    if not text.isprintable():
        raise ConfigError(f"It must be one line of text, but is {text!r}.")
    return text


def _grid(text: str) -> dict[str, list[str]]:
    """Read `optim.lr=1e-4,5e-4 dropout=0,0.1`."""
    found: dict[str, list[str]] = {}
    for name, values in parse_assignments(text.split()).items():
        mark = ";" if ";" in values else ","
        found[full_name(name)] = [part.strip() for part in values.split(mark) if part.strip()]
    return found


def _command(draft: JobDraft) -> tuple[str, ...]:
    """Return the command that does the same."""
    words: list[str] = ["setgf", "queue", "add"]
    plain = {"tags": "--tag", "time limit": "--time-limit", "not before": "--at"}
    for name, text in draft.values.items():
        if name not in OPTIONS:
            words += ["--set", f"{name}={text}"]
        elif name == "held":
            words += ["--hold"] if text == "yes" else []
        elif name == "not before" and text.startswith("in "):
            words += ["--in", text[3:]]
        elif name == "grid":
            words += [word for part in text.split() for word in ("--grid", part)]
        elif name == "tags":
            words += [word for part in _words(text) for word in ("--tag", part)]
        else:
            words += [plain.get(name, f"--{name}"), text]
    return (*words, "--force") if draft.again else tuple(words)


def _repeated(statements: Statements, jobs: Sequence[NewJob]) -> Mapping[int, str]:
    """Return by place which jobs are the experiment of another, and of which."""
    from setgf.worker.submit import find_duplicates

    known = find_duplicates(statements, [job.fingerprint for job in jobs])
    found: dict[int, str] = {}
    seen: set[str] = set()
    for place, job in enumerate(jobs):
        if job.fingerprint in known:
            job_id, state = known[job.fingerprint]
            found[place] = f"job {job_id} ({state})"
        elif job.fingerprint in seen:
            found[place] = "another of these jobs"
        seen.add(job.fingerprint)
    return found


def add(access: DatabaseAccess, draft: JobDraft) -> str:
    """Queue the jobs of a draft, all or none; repetitions only when that is asked for."""
    if access.read_only:
        raise GatewayError(READ_ONLY)
    now = access.clock()
    jobs, problems = _new_jobs(access, draft, now)
    if problems:
        raise GatewayError(" ".join(problems.values()))
    group = draft.values.get("group") or (_group_name(draft, now) if len(jobs) > 1 else None)
    kind = "grid" if "grid" in draft.values else "seeds" if len(jobs) > 1 else "jobs"
    from db.engine import open_database
    from db.statements import EngineStatements

    _make_database(access, open_database)

    def apply(connection: Any, at: float) -> tuple[tuple[int, ...], int]:
        statements = EngineStatements(connection)
        repeated: Mapping[int, str] = {} if draft.again else _repeated(statements, jobs)
        new = [job for place, job in enumerate(jobs) if place not in repeated]
        if not new:
            raise ConfigError("Nothing new to queue: all of it is queued or done already.")
        ids = insert_jobs(
            statements, new, actor=access.actor, now=at, group_name=group, group_kind=kind
        )
        return ids, len(repeated)

    ids, left_out = access.change(apply)
    rest = f"; {left_out} left out, queued or done already" if left_out else ""
    return f"Queued {names(ids)}{rest}."


def _make_database(access: DatabaseAccess, open_database: Callable[..., Any]) -> None:
    """Make the run database where there is none yet."""
    try:
        with access.reading():
            return
    except MissingError:
        open_database(access.url, create=True).close()


def _group_name(draft: JobDraft, now: float) -> str:
    """Return a name that can be typed without quotes, as `setgf queue add` makes it."""
    model = draft.values.get("model", "setgf").replace(",", "+")
    begin = draft.values.get("name") or f"{model}-{draft.values['data']}"
    words = "-".join(begin.split()).replace(":", "-")
    return f"{words}-{time.strftime('%m%d-%H%M%S', time.localtime(now))}"


def draft_of(access: DatabaseAccess, run_id: str) -> JobDraft:
    """Return the form that makes a run again: its data, model and seed, and what it changed.

    Raises:
        GatewayError: there is no such run, or its settings are not known to this version.
    """
    config, tags, job = _stored(access, run_id)
    draft = JobDraft(values={"data": config.data.name}, again=True)
    begin = begin_config(access.home, draft).flatten()
    values = {
        "data": config.data.name,
        "model": config.model.name,
        "seeds": str(config.seed),
        "tags": ",".join(tag for tag in tags if not tag.startswith("restart-of-")),
        **job,
    }
    for name, value in config.flatten().items():
        if name not in ("data.name", "model.name", "seed") and value != begin[name]:
            values[name] = show_value(value)
    return JobDraft(values={name: text for name, text in values.items() if text}, again=True)


def _stored(
    access: DatabaseAccess, run_id: str
) -> tuple[ExperimentConfig, tuple[str, ...], Mapping[str, str]]:
    """Return config, tags and what the job asked for, of a run or of a job that has none yet."""
    with access.reading() as query:
        with query.database.read() as connection:
            from db.statements import EngineStatements

            found = EngineStatements(connection).rows(
                "SELECT id FROM jobs WHERE run_id = :run", {"run": run_id}
            )
        try:
            job = query.job(int(found[0][0])) if found else None
            run = query.run(run_id) if job is None else None
        except NotFoundError as error:
            raise GatewayError(str(error)) from error
    of = job or run
    assert of is not None
    try:
        config = config_from_dict(of.config)
    except ConfigError as error:
        raise GatewayError(f"The settings of this run are not known here: {error}") from error
    asked: dict[str, str] = {}
    if job is not None:
        asked = {
            "gpus": f"{job.gpus:g}",
            "memory": f"{job.memory_mib}M" if job.memory_mib else "",
            "time limit": f"{job.time_limit:g}s" if job.time_limit else "",
            "priority": str(job.priority) if job.priority else "",
            "group": job.group_name or "",
        }
    return config, of.tags, asked
