"""The list of runs from a real database file: complete, fresh, and without SQLAlchemy at first."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.engine import Database, open_database
from db.jobs import add_attempt
from db.runs import add_run, add_tag, archive, rename, set_final_metrics, update_run
from setgf.home import Home
from tests.db.builders import NOW, new_attempt, new_run
from tui.database_gateway import DatabaseGateway
from tui.gateway import FilterProblem, GatewayError, MissingError


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'setgf.db'}")
    with opened.write() as connection:
        for number in range(3):
            run_id = f"run{number:05d}"
            add_run(connection, new_run(run_id, created_at=NOW + number))
            add_attempt(connection, new_attempt(run_id))
    yield opened
    opened.close()


@pytest.fixture
def gateway(tmp_path: Path, database: Database) -> Iterator[DatabaseGateway]:
    opened = DatabaseGateway(
        f"sqlite:///{tmp_path / 'setgf.db'}", Home(tmp_path), clock=lambda: NOW
    )
    yield opened
    opened.close()


def test_the_newest_run_comes_first_as_sqlalchemy_reads_it(
    gateway: DatabaseGateway, database: Database
) -> None:
    from db.query import Query

    with database.write() as connection:
        add_tag(connection, "run00001", "base", actor="ada", now=NOW)
        set_final_metrics(connection, "run00001", {"test.mae": 0.5}, attempt=1)

    assert gateway.list_runs() == Query(database).runs()


def test_every_change_is_seen_at_the_next_look_and_the_rest_is_not_read_again(
    gateway: DatabaseGateway, database: Database
) -> None:
    before = {one.id: one for one in gateway.list_runs()}
    with database.write() as connection:
        rename(connection, "run00001", "new name", actor="ada", now=NOW + 5)
        archive(connection, "run00002", actor="ada", now=NOW + 5)

    after = {one.id: one for one in gateway.list_runs()}

    assert set(after) == {"run00000", "run00001"}
    assert after["run00001"].name == "new name"
    still_live = after["run00000"].state.is_live
    assert still_live or after["run00000"] is before["run00000"]
    assert len(gateway.list_runs(archived=True)) == 3


def test_a_live_run_is_read_at_every_look(gateway: DatabaseGateway, database: Database) -> None:
    with database.write() as connection:
        update_run(connection, "run00000", attempt=1, state="running", now=NOW)
    gateway.list_runs()
    with database.write() as connection:
        update_run(connection, "run00000", attempt=1, epoch=2, now=NOW)

    assert next(one for one in gateway.list_runs() if one.id == "run00000").epoch == 2


def test_a_filter_is_answered_or_explained_with_a_caret(gateway: DatabaseGateway) -> None:
    assert [one.id for one in gateway.list_runs('id == "run00001"')] == ["run00001"]
    with pytest.raises(FilterProblem, match=r"\^~+"):
        gateway.list_runs("learning > 1")


def test_names_and_values_for_completion_come_from_the_data(
    gateway: DatabaseGateway, database: Database
) -> None:
    with database.write() as connection:
        add_tag(connection, "run00001", "base", actor="ada", now=NOW)
        add_run(connection, new_run("run00009", model="self_mm", settings={"optim.lr": 0.01}))

    names = gateway.list_names()

    assert "optim.lr" in names.settings and names.tags == ("base",)
    assert set(gateway.list_values("model")) == {"setgf", "self_mm"}
    assert "0.01" in gateway.list_values("optim.lr")
    assert gateway.list_values("tag") == ("base",)
    assert gateway.list_values("no such name") == ()


def test_values_of_columns_are_read_and_unknown_ones_left_out(gateway: DatabaseGateway) -> None:
    values = gateway.read_values(["run00001", "gone"], ["optim.lr", "no.such.name"])

    assert values == {"run00001": {"optim.lr": 0.001}, "gone": {}}


def test_trash_moves_the_files_and_undo_brings_them_back(
    tmp_path: Path, gateway: DatabaseGateway, database: Database
) -> None:
    folder = tmp_path / "runs" / "run00001"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    with database.write() as connection:
        update_run(connection, "run00001", attempt=1, state="succeeded", now=NOW)

    gateway.trash_runs(["run00001"])
    assert not folder.exists()
    assert "run00001" not in [one.id for one in gateway.list_runs()]

    gateway.recover_runs(["run00001"])
    assert (folder / "config.json").exists()
    assert "run00001" in [one.id for one in gateway.list_runs()]


def test_a_live_run_is_not_trashed(gateway: DatabaseGateway, database: Database) -> None:
    with database.write() as connection:
        update_run(connection, "run00001", attempt=1, state="running", now=NOW)

    with pytest.raises(GatewayError, match="only one that is over can be deleted"):
        gateway.trash_runs(["run00001"])


def test_a_file_that_is_there_is_never_overwritten(
    tmp_path: Path, gateway: DatabaseGateway
) -> None:
    path = tmp_path / "runs.csv"
    assert gateway.write_file(str(path), "a,b\n") == f"Wrote {path}."
    with pytest.raises(GatewayError, match="is there already"):
        gateway.write_file(str(path), "c\n")
    assert path.read_text() == "a,b\n"


def test_a_missing_and_a_broken_database_are_told_apart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'none.db'}"
    with pytest.raises(MissingError):
        DatabaseGateway(url, Home(tmp_path)).list_runs()
    (tmp_path / "none.db").write_bytes(b"no database at all, but some words" * 100)
    with pytest.raises(GatewayError, match="not a run database, or is damaged"):
        DatabaseGateway(url, Home(tmp_path)).list_runs()


def test_the_first_list_does_not_wait_for_sqlalchemy(tmp_path: Path, database: Database) -> None:
    code = (
        "import sys; from pathlib import Path; from setgf.home import Home; "
        "from tui.database_gateway import DatabaseGateway; "
        f"g = DatabaseGateway('sqlite:///{tmp_path / 'setgf.db'}', Home(Path({str(tmp_path)!r}))); "
        "g.version(); g.counts(); assert len(g.list_runs()) == 3; "
        "assert 'sqlalchemy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
