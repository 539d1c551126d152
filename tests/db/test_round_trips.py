"""Every record that can be stored comes back as it was, whatever text and numbers are in it.

Texts are drawn from strings that would break a statement put together by hand: what is not bound as
a value would fail here, or be gone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from importlib import import_module
from itertools import count
from typing import Any, get_type_hints

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from db.checkpoints import add_artifact, add_checkpoint
from db.commands import add_command, pending_commands
from db.engine import Database
from db.events import add_event
from db.jobs import add_attempt, add_jobs, get_attempt
from db.metrics import ingest
from db.predictions import store_predictions
from db.query import Query
from db.records import (
    Artifact,
    Attempt,
    Checkpoint,
    Command,
    Device,
    Event,
    FailureClass,
    NewJob,
    NewRun,
    NewWorker,
    Point,
    Prediction,
    Sample,
    Verb,
)
from db.runs import add_run, add_tag, rename, set_note
from db.tables import metadata
from db.workers import add_samples, register_worker
from tests.db.builders import NOW, new_attempt, new_run, points

INJECTIONS = (
    "'; DROP TABLE runs; --",
    '"; DELETE FROM jobs; --',
    "1 OR 1=1",
    "') UNION SELECT name FROM sqlite_master --",
    "%s %(id)s :name ?1 $1 {x}",
    "\\'; SELECT pg_sleep(9) --",
    "E'\\047'",
    "has x and not (seed == 1)",
    "[red]not markup[/red]",
    "\x1b[31m\r\n\t",
    "é中\U0001f600\u202e",
    "",
)
TEXT = st.sampled_from(INJECTIONS) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.dictionaries(
    TEXT, st.recursive(st.none() | st.booleans() | NUMBERS | TEXT, st.lists, max_leaves=4)
)
LIMITS: Mapping[str, Any] = {
    "max_examples": 12,
    "deadline": None,
    "phases": [Phase.explicit, Phase.reuse, Phase.generate],
    "suppress_health_check": [HealthCheck.too_slow],
}
IDS = count(1)
FIXED: Mapping[str, Any] = {"failure_class": st.none() | st.sampled_from(FailureClass)}
BY_TYPE: Mapping[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    str | None: st.none() | TEXT,
    int: st.integers(0, 2**31 - 1),
    int | None: st.none() | st.integers(0, 2**31 - 1),
    float: NUMBERS,
    float | None: st.none() | NUMBERS,
    bool: st.booleans(),
    tuple[str, ...]: st.lists(TEXT, max_size=3, unique=True).map(tuple),
    Mapping[str, Any]: JSON,
}


def made(record: type[Any], **fixed: Any) -> st.SearchStrategy[Any]:
    """Return records with any values in the fields that are not given."""
    hints = get_type_hints(record)
    chosen = {**FIXED, **fixed}
    values = {
        field.name: chosen.get(field.name, BY_TYPE.get(hints[field.name], st.nothing()))
        for field in fields(record)
    }
    return st.builds(
        record,
        **{
            name: value if isinstance(value, st.SearchStrategy) else st.just(value)
            for name, value in values.items()
        },
    )


def same(stored: object, given_one: object, *, but: tuple[str, ...] = ()) -> None:
    """Check the fields that both records have."""
    known = {field.name for field in fields(stored)} - set(but)  # pyright: ignore[reportArgumentType]
    for field in fields(given_one):  # pyright: ignore[reportArgumentType]
        if field.name in known:
            expected, found = getattr(given_one, field.name), getattr(stored, field.name)
            if isinstance(expected, Mapping):
                expected = json.loads(json.dumps(expected))
            if field.name == "tags":
                expected, found = set(expected), set(found)
            assert found == expected, field.name


@pytest.fixture(scope="module")
def stored(make_database: Callable[[], Database]) -> Database:
    """One database for all: what is stored here stays, and must stay whole."""
    database = make_database()
    with database.write() as connection:
        add_run(connection, new_run("base"))
        add_attempt(connection, new_attempt("base"))
    return database


def name() -> str:
    return f"r{next(IDS):07}"


@settings(**LIMITS)
@given(new=made(NewJob, run_id="", after=(), after_any=(), memory_mib=None, time_limit=None))
def test_a_job_comes_back(stored: Database, new: NewJob) -> None:
    new = replace(new, run_id=name())
    with stored.write() as connection:
        (job,) = add_jobs(connection, [new], actor="ada", now=NOW, group_name=new.name or "group")
    found = Query(stored).job(job.id)
    same(found, new)
    assert found.group_name == (new.name or "group")


@settings(**LIMITS)
@given(new=made(NewRun, id="", job_id=None, group_id=None), tag=TEXT, note=TEXT, other=TEXT)
def test_a_run_and_what_users_write_on_it_come_back(
    stored: Database, new: NewRun, tag: str, note: str, other: str
) -> None:
    new = replace(new, id=name(), created_at=NOW)
    with stored.write() as connection:
        add_run(connection, new)
        add_tag(connection, new.id, tag, actor=other, now=NOW)
        set_note(connection, new.id, note, actor=other, now=NOW)
    query = Query(stored)
    found = query.run(new.id)
    same(found, new, but=("tags",))
    assert set(found.tags) == {*new.tags, tag}
    assert (found.note, query.detail(new.id).command) == (note, new.command)
    with stored.write() as connection:
        rename(connection, new.id, other, actor=other, now=NOW)
    assert query.run(new.id).name == other
    assert {event.actor for event in query.events(run_id=new.id)} == {"run", other}


@settings(**LIMITS)
@given(attempt=made(Attempt, run_id="", number=1, job_id=None, worker_id=None))
def test_an_attempt_comes_back(stored: Database, attempt: Attempt) -> None:
    attempt = replace(attempt, run_id=name(), outcome="failed")
    with stored.write() as connection:
        add_run(connection, new_run(attempt.run_id))
        add_attempt(connection, attempt)
        assert get_attempt(connection, attempt.run_id, 1) == attempt


@settings(**LIMITS)
@given(
    checkpoint=made(Checkpoint, run_id="base", attempt=1, role=st.sampled_from(["best", "last"])),
    artifact=made(Artifact, run_id="base", attempt=1),
)
def test_files_come_back(stored: Database, checkpoint: Checkpoint, artifact: Artifact) -> None:
    with stored.write() as connection:
        add_checkpoint(connection, checkpoint)
        add_artifact(connection, artifact)
    detail = Query(stored).detail("base")
    assert checkpoint in detail.checkpoints
    assert artifact in detail.artifacts


@settings(**LIMITS)
@given(event=made(Event, id=0, kind=st.sampled_from(["job", "run", "worker", "command"])))
def test_an_event_comes_back(stored: Database, event: Event) -> None:
    values = {one.name: getattr(event, one.name) for one in fields(event) if one.name != "id"}
    with stored.write() as connection:
        add_event(connection, values.pop("kind"), now=values.pop("at"), **values)
    (found,) = Query(stored).events(limit=1)
    same(found, event, but=("id",))


@settings(**LIMITS)
@given(verb=st.sampled_from(Verb), command=made(Command, id=0, verb=Verb.CANCEL, job_id=None))
def test_a_command_comes_back(stored: Database, verb: Verb, command: Command) -> None:
    with stored.write() as connection:
        asked = add_command(
            connection,
            verb,
            actor=command.actor,
            now=command.created_at,
            worker_id=command.worker_id,
            arguments=command.arguments,
        )
        assert pending_commands(connection, verb=verb)[-1] == asked
    same(asked, command, but=("id", "verb", "handled_at", "result"))
    assert asked.verb is verb


@settings(**LIMITS)
@given(
    worker=made(NewWorker, id="", devices=()),
    device=made(Device, worker_id="", kind=st.sampled_from(["cpu", "gpu"]), job_id=None),
    sample=made(Sample, worker_id="", memory_used_mib=st.floats(0, 2**31 - 1)),
)
def test_a_worker_with_its_devices_and_their_use_comes_back(
    stored: Database, worker: NewWorker, device: Device, sample: Sample
) -> None:
    worker_id = f"{name()} {INJECTIONS[0]}"
    device = replace(device, worker_id=worker_id)
    worker = replace(worker, id=worker_id, devices=(device,))
    used = replace(sample, worker_id=worker_id, device=device.name, at=abs(sample.at) + 1)
    with stored.write() as connection:
        register_worker(connection, worker, now=NOW)
    query = Query(stored)
    (found,) = [one for one in query.workers(now=NOW) if one.id == worker_id]
    same(found, worker)
    with stored.write() as connection:
        add_samples(connection, [used])
    assert query.samples(worker_id, device.name) == (used,)


@settings(**LIMITS)
@given(rows=st.lists(made(Prediction), max_size=3, unique_by=lambda row: row.sample_id), split=TEXT)
def test_predictions_come_back(stored: Database, rows: list[Prediction], split: str) -> None:
    with stored.write() as connection:
        store_predictions(connection, "base", split, rows)
    assert Query(stored).predictions("base", split) == tuple(rows)


@settings(**LIMITS)
@given(
    split=TEXT.filter(lambda text: text and "." not in text),
    metric=TEXT.filter(lambda text: text and "." not in text),
    values=st.lists(NUMBERS, min_size=1, max_size=4),
)
def test_points_of_a_series_of_any_name_come_back(
    stored: Database, split: str, metric: str, values: list[float]
) -> None:
    run_id, series = name(), f"{split}.{metric}"
    batch = points(values, series)
    with stored.write() as connection:
        add_run(connection, new_run(run_id))
        add_attempt(connection, new_attempt(run_id))
        ingest(connection, run_id, 1, batch, points_offset=28 * len(batch))
    query = Query(stored)
    found = query.points(run_id, series)
    columns = zip(found.steps, found.epochs, found.values, found.times, strict=True)
    assert [
        Point(series=series, step=step, epoch=epoch, value=value, time=at)
        for step, epoch, value, at in columns
    ] == batch
    summary = query.detail(run_id).summaries[series]
    assert (summary.last, summary.minimum, summary.maximum) == (
        values[-1],
        min(values),
        max(values),
    )


def test_nothing_of_all_that_was_taken_for_sql(stored: Database) -> None:
    assert stored.check() == ()
    with stored.read() as connection:
        for table in metadata.sorted_tables:
            connection.execute(table.select().limit(1))
    assert Query(stored).run("base").id == "base"


def test_every_stored_record_is_tried_here() -> None:
    tried = {"Job", "NewJob", "Run", "NewRun", "RunDetail", "Attempt", "Checkpoint", "Artifact"}
    tried |= {"Event", "Command", "Worker", "NewWorker", "Device", "Sample", "Prediction"}
    tried |= {"Point", "Points", "SeriesSummary", "Group"}
    made_of_others = {"Claim", "Action", "Curve", "Buckets"}
    states = {"JobState", "FailureClass", "Verb"}
    assert set(import_module("db.records").__all__) <= tried | made_of_others | states
