"""The record of experiments: what is stored comes back, the fence, what users may change."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from db.checkpoints import add_artifact, add_checkpoint, forget_checkpoints
from db.engine import Database, open_database
from db.errors import FencedError, JobStateError, NotFoundError
from db.jobs import finish_attempt
from db.predictions import store_predictions
from db.query import Query
from db.records import Artifact, Checkpoint, JobState, Prediction
from db.runs import (
    add_run,
    add_tag,
    archive,
    delete_run,
    remove_tag,
    set_environment,
    set_final_metrics,
    set_note,
    update_run,
)
from db.tables import metadata
from db.tables import settings as settings_table
from tests.db.builders import NOW, add_one, new_run, running_job, take

NASTY = "'; DROP TABLE runs; -- \" %s :x {y} \x00"
words = st.text(max_size=30) | st.just(NASTY)
finite = st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | finite | st.integers(-(2**53), 2**53) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


def add(database: Database, run_id: str = "run00001", **changes: Any) -> None:
    with database.write() as connection:
        add_run(connection, new_run(run_id, **changes))


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    texts=st.fixed_dictionaries(
        dict.fromkeys(("name", "dataset", "data_name", "model", "folder", "variant"), words)
    ),
    config=st.dictionaries(words, plain, max_size=4),
    tags=st.lists(words, max_size=3, unique=True),
    command=st.lists(words, max_size=3),
    note=words,
    metrics=st.dictionaries(words, st.floats(), max_size=4),
    predictions=st.lists(st.tuples(words, finite, finite, st.none() | finite), max_size=4),
)
def test_what_is_stored_of_a_run_comes_back(
    template: Path,
    texts: dict[str, str],
    config: dict[str, Any],
    tags: list[str],
    command: list[str],
    note: str,
    metrics: dict[str, float],
    predictions: list[tuple[str, float, float, float | None]],
) -> None:
    rows = tuple(
        Prediction(sample_id=name, label=label, fusion=score, text=text)
        for name, label, score, text in predictions
    )
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(shutil.copy(template, folder))
        add(database, config=config, tags=tuple(tags), command=tuple(command), **texts)
        with database.write() as connection:
            set_note(connection, "run00001", note, actor=NASTY, now=NOW)
            set_final_metrics(connection, "run00001", metrics, attempt=1)
            store_predictions(connection, "run00001", "test", rows)
        query = Query(database)
        detail = query.detail("run00001")
        stored = query.predictions("run00001")
        database.close()

    run = detail.run
    assert {name: getattr(run, name) for name in texts} == texts
    assert run.config == json.loads(json.dumps(config))
    assert run.tags == tuple(sorted(tags, key=lambda tag: tag.encode()))
    assert (detail.command, run.note) == (tuple(command), note)
    assert repr(dict(sorted(run.metrics.items()))) == repr(dict(sorted(metrics.items())))
    assert stored == rows


def test_a_run_takes_the_state_of_its_job_and_follows_it(database: Database) -> None:
    job = running_job(database)
    query = Query(database)
    assert (query.run(job.run_id).state, query.run(job.run_id).attempt) == (JobState.RUNNING, 1)

    with database.write() as connection:
        finish_attempt(connection, job.id, 1, outcome="failed", error="bad data", now=NOW + 9)
    run = query.run(job.run_id)
    assert (run.state, run.error, run.finished_at) == (JobState.FAILED, "bad data", NOW + 9)


def test_a_run_that_is_there_is_not_made_anew(database: Database) -> None:
    add(database, name="first")
    add(database, name="second", tags=("late",))

    run = Query(database).run("run00001")
    assert (run.name, run.tags) == ("first", ())


def test_settings_are_stored_flat_with_their_numbers(database: Database) -> None:
    values = {"a.b": 0.5, "c": True, "d": ("x", "y"), "e": "1e3", "f": 7}
    add(database, settings=values)

    with database.read() as connection:
        query = select(settings_table.c.name, settings_table.c.text, settings_table.c.number)
        stored = {name: (text, number) for name, text, number in connection.execute(query)}
    assert stored == {
        "a.b": ("0.5", 0.5),
        "c": ("true", 1.0),
        "d": ("x,y", None),
        "e": ("1e3", None),
        "f": ("7", 7.0),
    }


def test_an_attempt_moves_its_run_on_and_a_stale_one_can_not(database: Database) -> None:
    add(database)
    with database.write() as connection:
        update_run(
            connection, "run00001", attempt=2, now=NOW + 5, epoch=3, step=90, best_valid=math.nan
        )
    run = Query(database).run("run00001")
    assert (run.attempt, run.epoch, run.step, run.best_valid) == (2, 3, 90, None)
    assert run.updated_at == NOW + 5

    for late in (
        lambda c: update_run(c, "run00001", attempt=1, epoch=99),
        lambda c: set_final_metrics(c, "run00001", {"test.mae": 0.0}, attempt=1),
        lambda c: set_environment(c, "run00001", {}, attempt=1),
    ):
        with pytest.raises(FencedError, match="Attempt 1 no longer owns"), database.write() as c:
            late(c)
    assert Query(database).run("run00001") == run


def test_a_new_claim_fences_the_old_attempt_off_the_run(database: Database) -> None:
    job = running_job(database)
    with database.write() as connection:
        finish_attempt(connection, job.id, 1, outcome="lost", requeue=True, now=NOW)
        take(connection, job.id, now=NOW)

    with pytest.raises(FencedError), database.write() as connection:
        update_run(connection, job.run_id, attempt=1, epoch=99)


def test_only_known_columns_of_a_run_can_be_set(database: Database) -> None:
    add(database)

    with pytest.raises(TypeError, match="can't set folder"), database.write() as connection:
        update_run(connection, "run00001", attempt=1, folder="/elsewhere")


def test_the_environment_keeps_code_and_data_apart(database: Database) -> None:
    add(database)
    environment = {
        "code": {"commit": "8d8259f", "dirty": True, "diff": "+x"},
        "host": "box",
        "data_fingerprint": "abc",
        "python": "3.11.7",
    }
    with database.write() as connection:
        set_environment(connection, "run00001", environment, attempt=1)

    detail = Query(database).detail("run00001")
    assert (detail.run.code_commit, detail.run.code_dirty) == ("8d8259f", True)
    assert (detail.run.host, detail.run.data_fingerprint) == ("box", "abc")
    assert detail.code_diff == "+x"
    assert detail.environment["python"] == "3.11.7"


def test_final_metrics_replace_those_before(database: Database) -> None:
    add(database)
    with database.write() as connection:
        set_final_metrics(connection, "run00001", {"test.mae": 0.9, "old": 1.0}, attempt=1)
        set_final_metrics(connection, "run00001", {"test.mae": 0.8}, attempt=1)

    assert Query(database).run("run00001").metrics == {"test.mae": 0.8}


def test_users_change_tags_note_and_archive_each_with_an_event(database: Database) -> None:
    add(database, tags=("a",))
    with database.write() as connection:
        add_tag(connection, "run00001", "b", actor="ada", now=NOW)
        remove_tag(connection, "run00001", "a", actor="ada", now=NOW)
        set_note(connection, "run00001", "look again", actor="ada", now=NOW)
        archive(connection, "run00001", actor="ada", now=NOW)

    run = Query(database).run("run00001")
    assert (run.tags, run.note, run.archived) == (("b",), "look again", True)
    assert [event.why for event in Query(database).events(run_id="run00001")] == [
        "began",
        "tagged b",
        "tag a removed",
        "note changed",
        "archived",
    ]


def test_what_is_not_there_is_refused_by_name(database: Database) -> None:
    add(database)
    for change, sentence in (
        (lambda c: add_tag(c, "nope", "x", actor="", now=NOW), "There is no run `nope`"),
        (lambda c: remove_tag(c, "run00001", "x", actor="", now=NOW), "has no tag `x`"),
        (lambda c: delete_run(c, "nope", actor="", now=NOW), "There is no run `nope`"),
        (lambda c: update_run(c, "nope", attempt=1), "There is no run `nope`"),
    ):
        with pytest.raises(NotFoundError, match=sentence), database.write() as connection:
            change(connection)


def test_deleting_a_run_leaves_nothing_of_it_but_its_history(database: Database) -> None:
    job = running_job(database)
    with database.write() as connection:
        store_predictions(
            connection, job.run_id, "test", [Prediction(sample_id="a", label=1.0, fusion=0.5)]
        )
        finish_attempt(connection, job.id, 1, outcome="succeeded", now=NOW)
        delete_run(connection, job.run_id, actor="ada", now=NOW)
        left = {
            name
            for name, table in metadata.tables.items()
            if connection.execute(select(1).select_from(table)).first()
        }

    assert left == {"events", "actions", "workers", "devices"}


def test_a_run_that_may_go_on_is_not_deleted(database: Database) -> None:
    job = running_job(database)

    with (
        pytest.raises(JobStateError, match="is running; only one that is over can be deleted"),
        database.write() as connection,
    ):
        delete_run(connection, job.run_id, actor="ada", now=NOW)


def checkpoint(path: str, **changes: Any) -> Checkpoint:
    values: dict[str, Any] = {
        "run_id": "run00001",
        "attempt": 1,
        "role": "last",
        "path": path,
        "epoch": 1,
        "step": 10,
        "size": 5,
        "sha256": "ab",
        "created_at": NOW,
    }
    return Checkpoint(**{**values, **changes})


def test_a_checkpoint_of_the_same_path_replaces_the_one_before(database: Database) -> None:
    add(database)
    best = checkpoint("a1/best.pt", role="best", step=20)
    with database.write() as connection:
        add_checkpoint(connection, checkpoint("a1/best.pt", role="best"))
        add_checkpoint(connection, best)
        add_checkpoint(connection, checkpoint("a1/last-1.pt"))
        forget_checkpoints(connection, "run00001", 1, keep=["a1/best.pt"])

    assert Query(database).checkpoints("run00001") == (best,)


def test_artifacts_come_back(database: Database) -> None:
    add(database)
    artifact = Artifact(
        run_id="run00001",
        attempt=1,
        kind="predictions-test",
        path="a1/predictions-test.csv",
        size=9,
        sha256="cd",
        created_at=NOW,
    )
    with database.write() as connection:
        add_artifact(connection, artifact)

    assert Query(database).detail("run00001").artifacts == (artifact,)


def test_a_run_is_found_by_an_unambiguous_beginning_of_its_id(database: Database) -> None:
    for run_id in ("abc1", "abd2", "abd", "x%yz"):
        add(database, run_id)
    query = Query(database)

    assert query.run("abc").id == "abc1"
    assert query.run("abd").id == "abd"
    with pytest.raises(NotFoundError, match=r"beginning of several runs: `abc1`, `abd`, `abd2`"):
        query.run("ab")
    for nothing in ("", "zz", "a%", "AB"):
        with pytest.raises(NotFoundError, match=r"There is no run .* `setgf runs list`"):
            query.run(nothing)


def test_epochs_of_a_run_show_on_its_job(database: Database) -> None:
    job = running_job(database)
    add_one(database, 2)
    with database.write() as connection:
        update_run(connection, job.run_id, attempt=1, epoch=2)

    assert [one.epoch for one in Query(database).jobs()] == [2, 0]
