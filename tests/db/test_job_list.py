"""The plain list of jobs and its filters say the same as the records, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from db.engine import Database
from db.errors import FilterError, NotFoundError
from db.job_filters import matching
from db.job_list import (
    count_states,
    find_group,
    living_devices,
    past_runs,
    read_groups,
    read_jobs,
    waits_for,
)
from db.jobs import (
    add_jobs,
    cancel,
    clear,
    finish_attempt,
    hold,
    list_jobs,
    set_parallelism,
)
from db.runs import update_run
from db.statements import EngineStatements
from tests.db.builders import NOW, new_job, running_job


@pytest.fixture
def queue(database: Database) -> Iterator[EngineStatements]:
    """Jobs 1 (succeeded), 2 (held), 3 (waits for 2), 4 (cancelled, cleared); 2-4 in a group."""
    job = running_job(database)
    with database.write() as connection:
        update_run(connection, job.run_id, attempt=1, epoch=2)
        finish_attempt(connection, job.id, 1, outcome="succeeded", now=NOW + 31)
        for new in (
            new_job(2, priority=5, tags=("paper",)),
            new_job(3, model="self_mm", after=(2,), settings={"optim.lr": 0.01}, owner="bob"),
            new_job(4, name="the fourth", gpus=1.0),
        ):
            add_jobs(connection, [new], actor="ada", now=NOW + 40, group_name="sweep")
        set_parallelism(connection, "sweep", 2, "ada", NOW)
        hold(connection, [2], "ada", NOW + 41)
        cancel(connection, [4], "ada", NOW + 42)
        clear(connection, [4], "ada", NOW + 43)
    with database.read() as connection:
        yield EngineStatements(connection)


def test_rows_hold_what_the_records_hold(database: Database, queue: EngineStatements) -> None:
    with database.read() as connection:
        records = list_jobs(connection, cleared=True)

    rows = read_jobs(queue)

    assert [row.id for row in rows] == [1, 2, 3, 4]
    names = set(rows[0]._fields) - {"attempt_started_at"}
    for row, record in zip(rows, records, strict=True):
        for name in names:
            assert getattr(row, name) == getattr(record, name), name
    assert rows[0].attempt_started_at == NOW


def test_jobs_are_chosen_by_id_state_time_and_clearing(queue: EngineStatements) -> None:
    assert [row.id for row in read_jobs(queue, ids=[3, 1, 99])] == [1, 3]
    assert read_jobs(queue, ids=[]) == []
    assert [row.id for row in read_jobs(queue, states=["held", "queued"])] == [2, 3]
    assert [row.id for row in read_jobs(queue, ended_since=NOW + 40)] == [2, 3, 4]
    assert [row.id for row in read_jobs(queue, cleared=False)] == [1, 2, 3]
    assert count_states(queue) == {"succeeded": 1, "held": 1, "queued": 1, "cancelled": 1}


def test_groups_needs_devices_and_past_runs_are_read(queue: EngineStatements) -> None:
    assert waits_for(queue) == {3: [(2, "ok", "held")]}
    assert read_groups(queue)["sweep"].parallelism == 2
    assert find_group(queue, "sweep") == [2, 3, 4]
    with pytest.raises(NotFoundError, match=r"There is no group `swep`. Did you mean `sweep`\?"):
        find_group(queue, "swep")
    assert sorted(living_devices(queue, now=NOW + 5)["w1"]) == ["cpu", "cpu", "gpu"]
    assert living_devices(queue, now=NOW + 500) == {}
    (run,) = past_runs(queue)
    assert (run.variant, run.epochs, run.max_epochs, run.seconds) == ("v1", 2, 3, 31.0)
    assert not run.is_gpu


MEANINGS: list[tuple[str, list[int]]] = [
    ("state == queued", [3]),
    ('state == "queued" and model == "self_mm"', [3]),
    ("state != queued", [1, 2, 4]),
    ("state in [held, cancelled]", [2, 4]),
    ("state not in [held, cancelled]", [1, 3]),
    ("priority > 0", [2]),
    ("optim.lr > 0.005", [3]),
    ("lr == 0.001", [1, 2, 4]),
    ("model.name == setgf", [1, 2, 4]),
    ("has paper or tag == nothing", [2]),
    ("group == sweep and not owner == bob", [2, 4]),
    ("group == null", [1]),
    ("group != null", [2, 3, 4]),
    ('name ~ "^the"', [4]),
    ("finished > 20s", [1, 4]),
    ("finished < 20s", []),
    ("created > 2026-01-31", [1, 2, 3, 4]),
    ("running >= 30s", [1]),
    ("time_limit < 2h", []),
    ("cleared", [4]),
    ("cleared == false and gpus == 0", [1, 2, 3]),
    ("id in [1, 3] and not (attempt == 1)", [3]),
]
REFUSED = [
    ("stat == queued", "Jobs have nothing called `stat`. Did you mean `state`"),
    ("state == quued", "There is no state `quued`. Did you mean `queued`"),
    ("state > queued", "`state` is text; compare it with ==, != or in"),
    ("priority == high", "`priority` is a number, and `high` is something else"),
    ("created > soon", "`created` is a moment"),
    ("running > many", "`running` is a duration"),
    ("cleared == 3", "`cleared` is true or false, and `3` is something else"),
    ("model", "`model` is not true or false"),
    ("seed ~ x", "`seed` is"),
    ('name ~ "["', "This regular expression can't be read"),
    ("tag < x", "`tag` is a word on the run"),
    ("priority > null", "`null` can only be compared"),
    ("state = queued", "`=` is not a comparison"),
    ("", "ends too early"),
]


def test_a_filter_means_jobs(queue: EngineStatements) -> None:
    jobs = read_jobs(queue)

    for text, ids in MEANINGS:
        assert [job.id for job in matching(queue, text, jobs, now=NOW + 50)] == ids, text


def test_what_a_filter_gets_wrong_is_shown(queue: EngineStatements) -> None:
    for text, problem in REFUSED:
        with pytest.raises(FilterError) as caught:
            matching(queue, text, [], now=NOW)

        assert problem in str(caught.value), text
