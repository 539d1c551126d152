"""What plain SQL adds is what `add_jobs` adds, on both databases and without SQLAlchemy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from db.engine import Database
from db.errors import NotFoundError
from db.job_adding import insert_jobs, same_experiments
from db.jobs import add_jobs, cancel, list_actions, list_attempts, undo
from db.records import Job, NewJob
from db.statements import EngineStatements, FileStatements, file_connection
from db.tables import job_dependencies, settings, tags
from tests.db.builders import NOW, new_job

FULL: dict[str, Any] = {
    "priority": 3,
    "not_before": NOW + 60,
    "memory_mib": 512,
    "time_limit": 3600.0,
    "gpus": 0.5,
    "max_attempts": 5,
    "held": True,
    "owner": "ada",
    "tags": ("it's", 'a "tag"', "it's"),
    "settings": {"optim.lr": 1e-4, "data.modalities": ("text", "audio"), "x": True, "y": ":z"},
    "config": {"name": "colon :name and 'quote'"},
}


def plainly(database: Database, new: Sequence[NewJob], **options: Any) -> tuple[int, ...]:
    with database.write() as connection:
        return insert_jobs(EngineStatements(connection), new, actor="ada", now=NOW, **options)


def stored(database: Database, table: Any) -> list[tuple[Any, ...]]:
    with database.read() as connection:
        return sorted(map(tuple, connection.execute(select(*table.c))), key=repr)


def comparable(job: Job) -> Job:
    return replace(job, id=0, run_id="", position=0.0)


def jobs_of(database: Database, ids: Sequence[int]) -> list[Job]:
    from db.jobs import get_job

    with database.read() as connection:
        return [get_job(connection, job_id) for job_id in ids]


def test_both_ways_store_the_same(database: Database) -> None:
    plainly(database, [new_job(1)])
    (here,) = plainly(database, [new_job(2, after=(1,), **FULL)], group_name="sweep")
    with database.write() as connection:
        (there,) = add_jobs(
            connection, [new_job(3, after=(1,), **{**FULL, "config": FULL["config"]})],
            actor="ada", now=NOW, group_name="sweep",
        )  # fmt: skip

    first, second = jobs_of(database, [here, there.id])
    assert comparable(first) == replace(
        comparable(second), name=first.name, fingerprint=first.fingerprint, seed=first.seed
    )
    assert first.position < second.position
    assert [row[1:] for row in stored(database, settings) if row[0] == "run00002"] == [
        row[1:] for row in stored(database, settings) if row[0] == "run00003"
    ]
    added = {row[1] for row in stored(database, tags) if row[0] == "run00002"}
    assert added == {"it's", 'a "tag"'}
    assert stored(database, job_dependencies) == [(here, 1, "ok"), (there.id, 1, "ok")]
    with database.read() as connection:
        new, old, _ = list_actions(connection)
    assert (old.what, old.job_ids) == (new.what, (here,))


def test_the_success_of_a_job_named_both_ways_is_waited_for(database: Database) -> None:
    plainly(database, [new_job(1), new_job(2)])
    plainly(database, [new_job(3, after=(1,), after_any=(1, 2))])

    assert stored(database, job_dependencies) == [(3, 1, "ok"), (3, 2, "any")]


def test_nothing_is_added_when_a_job_that_is_needed_is_not_there(database: Database) -> None:
    with pytest.raises(NotFoundError, match="There is no job 9"):
        plainly(database, [new_job(1), new_job(2, after=(9,))], group_name="sweep")

    with database.read() as connection:
        assert list_actions(connection) == ()
        assert list_attempts(connection, "run00001") == ()
    assert stored(database, settings) == []


def test_what_was_added_plainly_can_be_undone(database: Database) -> None:
    ids = plainly(database, [new_job(1), new_job(2)])

    with database.write() as connection:
        undone = undo(connection, "ada", NOW + 1)

    assert undone.restored == ids
    assert {job.state for job in jobs_of(database, ids)} == {"cancelled"}


def test_the_newest_job_of_an_experiment_is_found(database: Database) -> None:
    plainly(database, [new_job(1), new_job(2, fingerprint="f1"), new_job(3)])
    with database.write() as connection:
        cancel(connection, [3], "ada", NOW)
        found = same_experiments(EngineStatements(connection), ["f1", "f3", "f1"], ["queued"])

    assert found == {"f1": (2, "queued")}


def test_a_file_is_written_without_sqlalchemy(path: Path) -> None:
    code = (
        "import sys\n"
        "from db.statements import FileStatements, file_connection\n"
        "from db.job_adding import insert_jobs\n"
        "from db.job_list import read_jobs\n"
        "from db.job_filters import matching\n"
        f"statements = FileStatements(file_connection({str(path)!r}, read_only=False))\n"
        "matching(statements, 'lr < 1 or state == queued', read_jobs(statements), now=0.0)\n"
        "print('sqlalchemy' in sys.modules)"
    )

    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    # There is no setting `lr` in an empty database: the filter says so.
    assert "Jobs have nothing called `lr`" in result.stderr
    code = code.replace("lr < 1 or ", "")
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"


def test_a_job_added_to_a_file_is_there_for_everybody(path: Path) -> None:
    connection = file_connection(f"sqlite:///{path}", read_only=False)
    assert connection is not None
    with closing(connection):
        connection.execute("BEGIN IMMEDIATE")
        ids = insert_jobs(FileStatements(connection), [new_job(1, **FULL)], actor="ada", now=NOW)
        connection.execute("COMMIT")

    database = Database(path)
    (job,) = jobs_of(database, ids)
    database.close()
    assert (job.state, job.gpus, job.tags) == ("held", 0.5, ('a "tag"', "it's"))
    assert job.config == FULL["config"]


def test_only_a_file_of_this_version_is_opened_plainly(path: Path, tmp_path: Path) -> None:
    assert file_connection(str(tmp_path / "none.db"), read_only=True) is None
    assert file_connection("postgresql+psycopg://user@host/name", read_only=True) is None
    (tmp_path / "text.db").write_text("this is no database" * 99)
    assert file_connection(str(tmp_path / "text.db"), read_only=True) is None
    (tmp_path / "empty.db").touch()
    assert file_connection(str(tmp_path / "empty.db"), read_only=False) is None
    opened = file_connection(str(path), read_only=True)
    assert opened is not None
    opened.close()
