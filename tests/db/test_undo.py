"""Undo: every action of a user can be taken back as long as the job has not moved on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from db.engine import Database
from db.errors import JobStateError, NotFoundError
from db.jobs import (
    actions,
    add_jobs,
    cancel,
    clear,
    dependencies,
    edit,
    finish_attempt,
    get_job,
    get_jobs,
    hold,
    list_actions,
    list_groups,
    list_jobs,
    move,
    pause,
    pause_group,
    release,
    resume,
    retry,
    set_parallelism,
    set_priority,
    undo,
)
from db.query import Query
from db.records import JobState
from db.run_settings import setting_rows
from tests.db.builders import NOW, add_one, new_job, running_job, take

Change = Callable[[Any], object]
LATER = NOW + 100


def as_it_was(database: Database, job_id: int, change: Change) -> None:
    """Do something to a job and undo it: then nothing is left of it but history."""
    with database.write() as connection:
        before = get_job(connection, job_id)
        change(connection)
        assert get_job(connection, job_id) != before
        action = undo(connection, "ada", LATER)
        assert get_job(connection, job_id) == before

    assert (action.restored, action.refused, action.undone_at) == ((job_id,), (), LATER)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: hold(c, [1], "ada", NOW),
        lambda c: pause(c, [1], "ada", NOW),
        lambda c: cancel(c, [1], "ada", NOW),
        lambda c: set_priority(c, [1], 7, "ada", NOW),
        lambda c: move(c, 1, last=True, actor="ada", now=NOW),
        lambda c: move(c, 1, after=2, actor="ada", now=NOW),
        lambda c: edit(c, [1], "ada", NOW, name="new", time_limit=60.0, max_attempts=9, gpus=1.0),
    ],
)
def test_what_was_done_to_a_waiting_job_is_undone(database: Database, change: Change) -> None:
    job = add_one(database, not_before=NOW + 50)
    add_one(database, 2)

    as_it_was(database, job.id, change)


def test_a_release_and_the_cancel_of_a_held_job_are_undone(database: Database) -> None:
    job = add_one(database, held=True)

    as_it_was(database, job.id, lambda c: release(c, [job.id], "ada", NOW))
    as_it_was(database, job.id, lambda c: cancel(c, [job.id], "ada", NOW))


@pytest.mark.parametrize("outcome", ["failed", "cancelled", "paused"])
def test_a_retry_is_undone_with_the_error_it_had(database: Database, outcome: str) -> None:
    job = running_job(database)
    with database.write() as connection:
        finish_attempt(connection, job.id, 1, outcome=outcome, now=NOW, error="it broke")

    as_it_was(database, job.id, lambda c: retry(c, [job.id], "ada", NOW))
    assert Query(database).run(job.run_id).state == outcome


def test_the_cancel_and_the_resume_of_a_paused_job_are_undone(database: Database) -> None:
    job = running_job(database)
    with database.write() as connection:
        finish_attempt(connection, job.id, 1, outcome="paused", now=NOW)

    as_it_was(database, job.id, lambda c: cancel(c, [job.id], "ada", NOW))
    as_it_was(database, job.id, lambda c: resume(c, [job.id], "ada", NOW))


def test_clearing_is_undone(database: Database) -> None:
    job = running_job(database)
    with database.write() as connection:
        finish_attempt(connection, job.id, 1, outcome="succeeded", now=NOW)

    as_it_was(database, job.id, lambda c: clear(c, None, "ada", NOW))


def test_an_edit_of_settings_and_dependencies_is_undone(database: Database) -> None:
    needed, job = add_one(database, 2), add_one(database, 1)

    def change(connection: Any) -> None:
        edit(
            connection,
            [job.id],
            "ada",
            NOW,
            config={"optim": {"lr": 0.5}},
            settings={"optim.lr": 0.5},
            fingerprint="other",
            after=[needed.id],
        )
        assert dependencies(connection, job.id) == ((needed.id, "ok"),)
        assert setting_rows(connection, job.run_id) == (("optim.lr", "0.5", 0.5),)

    as_it_was(database, job.id, change)
    with database.read() as connection:
        assert dependencies(connection, job.id) == ()
        assert {row[0]: row[1] for row in setting_rows(connection, job.run_id)} == {
            "optim.lr": "0.001",
            "model.name": "setgf",
        }


def test_jobs_that_were_added_are_cancelled_and_cleared(database: Database) -> None:
    with database.write() as connection:
        added = add_jobs(connection, [new_job(1), new_job(2)], actor="ada", now=NOW)
        action = undo(connection, "ada", LATER)

        assert action.restored == tuple(job.id for job in added)
        assert list_jobs(connection) == ()
        left = list_jobs(connection, cleared=True)
    assert {job.state for job in left} == {JobState.CANCELLED}


def test_group_limits_and_pauses_are_undone(database: Database) -> None:
    with database.write() as connection:
        add_jobs(connection, [new_job(1)], group_name="g", actor="ada", now=NOW)
        (before,) = list_groups(connection)
        set_parallelism(connection, "g", 2, "ada", NOW)
        pause_group(connection, "g", "ada", NOW)
        undo(connection, "ada", LATER)
        assert list_groups(connection)[0].paused_at is None
        undo(connection, "ada", LATER)
        assert list_groups(connection) == (before,)


def test_a_job_that_has_started_since_is_refused_and_the_others_restored(
    database: Database,
) -> None:
    jobs = [add_one(database, number, held=True) for number in (1, 2)]
    ids = [job.id for job in jobs]
    with database.write() as connection:
        release(connection, ids, "ada", NOW)
        take(connection, ids[0])
        action = undo(connection, "ada", LATER)

        assert action.restored == (ids[1],)
        assert action.refused == ("Job 1 has moved on: it is starting now.",)
        assert [job.state for job in get_jobs(connection, ids)] == ["starting", "held"]


def test_what_can_not_be_undone_at_all_is_refused_and_stays(database: Database) -> None:
    job = add_one(database, held=True)
    with database.write() as connection:
        release(connection, [job.id], "ada", NOW)
        take(connection, job.id)

    with (
        pytest.raises(JobStateError, match="`release job 1` can't be undone: Job 1 has moved on"),
        database.write() as connection,
    ):
        undo(connection, "ada", LATER)
    assert Query(database).job(job.id).state is JobState.STARTING


def test_a_job_changed_again_by_someone_else_is_refused(database: Database) -> None:
    job = add_one(database)
    with database.write() as connection:
        set_priority(connection, [job.id], 3, "ada", NOW)
        set_priority(connection, [job.id], 5, "bob", NOW)

    with (
        pytest.raises(JobStateError, match="and `priority` changed again"),
        database.write() as connection,
    ):
        undo(connection, "ada", LATER)


def test_everyone_undoes_their_own_actions_first(database: Database) -> None:
    job, other = add_one(database, 1), add_one(database, 2)
    with database.write() as connection:
        hold(connection, [job.id], "bob", NOW)
        hold(connection, [other.id], "ada", NOW)
        undo(connection, "bob", LATER)

        assert [one.state for one in list_jobs(connection)] == ["queued", "held"]


def test_an_action_is_undone_once_and_by_its_id(database: Database) -> None:
    job = add_one(database)
    with database.write() as connection:
        hold(connection, [job.id], "bob", NOW)
        newest = list_actions(connection)[0]
        undo(connection, "ada", LATER, newest.id)

    assert (newest.what, newest.job_ids, newest.actor) == ("hold job 1", (job.id,), "bob")
    with pytest.raises(JobStateError, match="is undone already"), database.write() as connection:
        undo(connection, "ada", LATER, newest.id)


def test_who_has_done_nothing_can_undo_nothing(database: Database) -> None:
    with (
        pytest.raises(NotFoundError, match="`ada` has done nothing"),
        database.write() as connection,
    ):
        undo(connection, "ada", NOW)
    with pytest.raises(NotFoundError, match="no action 7"), database.write() as connection:
        undo(connection, "ada", NOW, 7)


def test_only_the_newest_actions_are_kept(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "KEPT", 3)
    job = add_one(database)
    with database.write() as connection:
        for priority in range(1, 6):
            set_priority(connection, [job.id], priority, "ada", NOW)

        kept = list_actions(connection)
    assert [action.what for action in kept] == ["priority 5", "priority 4", "priority 3"]
