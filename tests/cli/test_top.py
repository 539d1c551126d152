"""`setgf top`: what it shows, and that a screen sends only what differs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from db.engine import open_database
from db.query import Query
from setgf.cli.screen import Row, change
from setgf.cli.top_text import draw, read
from setgf.home import Home
from tests.cli import queue_home
from tests.cli.command import run_setgf


@pytest.fixture(autouse=True)
def queue(home: Path) -> None:
    queue_home.make_store(home)
    queue_home.add("--seeds", "1-4")
    queue_home.worker(home, "cpu0", "cpu1")
    queue_home.start(home, 1)
    queue_home.start(home, 2, "cpu1")
    queue_home.finish(home, 2, "failed", error="Traceback\nBoom: \x1b[31mred")


def lines_of(home: Path, height: int | None = None) -> list[str]:
    database = open_database(Home(home).database_url)
    try:
        glance = read(Query(database), now=time.time())
    finally:
        database.close()
    return [line.text for line in draw(glance, 100, height=height)]


def test_it_shows_what_runs_waits_and_has_ended(home: Path) -> None:
    text = "\n".join(lines_of(home))

    assert text.startswith("setgf top  1 running, 2 queued, 1 failed today")
    assert "epoch" in text.split("running", 2)[2]
    assert "waits for" in text or "no worker" in text.lower()
    assert "failed  Boom: \\e[31mred" in text
    assert "\x1b" not in text


def test_it_keeps_to_the_size_of_the_terminal(home: Path) -> None:
    lines = lines_of(home, height=6)

    assert len(lines) == 6
    assert "larger terminal" in lines[-1]


def test_once_and_json_say_the_same(home: Path) -> None:
    once, plain = run_setgf("top", "--once"), run_setgf("top", "--json").json

    assert once.code == 0
    assert plain["counts"] == {"failed": 1, "queued": 2, "running": 1}
    assert [job["id"] for job in plain["jobs"]] == [1, 3, 4]
    without_terminal = run_setgf("top").out
    assert without_terminal.splitlines()[0] == once.out.splitlines()[0]


def test_a_home_without_a_database_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SETGF_HOME", str(tmp_path))
    outcome = run_setgf("top", "--once")

    assert outcome.code == 4
    assert "No run database" in outcome.err


def test_of_a_row_only_what_differs_is_sent() -> None:
    assert change(Row("up 9s ago"), Row("up 8s ago"), 3) == "\x1b[3;4H8"
    assert change(Row("abc", "31"), Row("abX", "31"), 1) == "\x1b[1;3H\x1b[31mX\x1b[0m"
    assert change(Row("abc"), Row("ab"), 1) == "\x1b[1;1Hab\x1b[K"
    assert change(Row("abc"), Row("abc", "31"), 1) == "\x1b[1;1H\x1b[31mabc\x1b[0m\x1b[K"
