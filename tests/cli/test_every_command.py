"""What holds for every command of the tree: help with an example, and refusing what is wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.command import run_setgf
from tests.cli.command_tree import all_commands
from tests.cli.queue_home import ADD, add, make_store

COMMANDS = sorted(all_commands())
USAGE, DATA, DATABASE, WORKER = 2, 3, 4, 5


def test_the_tree_is_whole() -> None:
    assert len(COMMANDS) > 50
    for words in (("queue", "add"), ("worker", "start"), ("runs", "list"), ("db", "info")):
        assert words in COMMANDS


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_has_an_example_and_tells_every_option(words: tuple[str, ...]) -> None:
    outcome = run_setgf(*words, "--help")

    assert outcome.code == 0
    begin = "setgf " + " ".join(words)
    if words != ("version",):  # it takes nothing
        assert f"Example: {begin}" in " ".join(outcome.out.split()), outcome.out
    for parameter in all_commands()[words].params:
        if parameter.name != "help":
            assert getattr(parameter, "help", None), f"`{parameter.name}` has no help"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_an_unknown_option_is_refused_in_one_sentence(home: Path, words: tuple[str, ...]) -> None:
    outcome = run_setgf(*words, "--nonsense")

    assert outcome.code == USAGE
    assert outcome.out == ""
    (line,) = outcome.err.splitlines()
    assert line.startswith("setgf: error: ")
    assert "--nonsense" in line or "Missing" in line
    assert not (home / "setgf.db").exists()


EVERY_SELECTION: list[tuple[str, int, str]] = [
    ("", USAGE, "Name the jobs: by ids and ranges"),
    ("99", DATABASE, "There is no job 99"),
    ("x", USAGE, "Job ids must be numbers or ranges"),
    ("5-1", USAGE, "runs backwards; write `1-5`"),
    ("99999999999999999999", USAGE, "Job ids must be numbers or ranges"),
    ("group:none", DATABASE, "There is no group `none`"),
    ("--where stat==queued", USAGE, "Did you mean `state`"),
    ("--where seed==99", DATABASE, "No job matches"),
    ("--group none", DATABASE, "There is no group `none`"),
]
SELECTING = ("cancel", "hold", "release", "pause", "resume", "freeze", "thaw", "retry", "requeue",
             "restart", "clear", "wait", "priority 1", "edit --memory 6G")  # fmt: skip
REFUSED: list[tuple[str, int, str]] = [
    *(
        (f"queue {command} {words}".strip(), code, sentence)
        for command in SELECTING
        for words, code, sentence in EVERY_SELECTION[: None if command == "cancel" else 3]
    ),
    ("queue release 1", DATABASE, "Job 1 is queued; only a held job"),
    ("queue retry 1", DATABASE, "Job 1 is queued; only a failed, cancelled or lost job"),
    ("queue freeze 1", DATABASE, "Job 1 is queued; only"),
    ("queue thaw 1", DATABASE, "Job 1 is queued"),
    ("queue resume 1", DATABASE, "Job 1 is queued"),
    ("queue requeue 1", DATABASE, "Job 1 is queued"),
    ("queue restart 1", DATABASE, "Job 1 is queued; only a job that is over"),
    ("queue clear 1", DATABASE, "Job 1 is queued; only a finished job"),
    ("queue clear 1 --all", USAGE, "Name either jobs or `--all`"),
    ("queue list --state quued", USAGE, "Did you mean `queued`"),
    ("queue list --limit 0", USAGE, "--limit"),
    ("queue list --where lr<<3", USAGE, "unexpected here"),
    ("queue list 99", DATABASE, "There is no job 99"),
    ("queue show 99", DATABASE, "There is no job 99"),
    ("queue show 1-2", USAGE, "One job id is expected, but `1-2` names 2"),
    ("queue show x", USAGE, "Job ids must be numbers"),
    ("queue log 1", USAGE, "Job 1 is queued; attempt 1 has no log yet"),
    ("queue log 99", DATABASE, "There is no job 99"),
    ("queue log 1 --attempt 3", USAGE, "has made 0 attempts, but not 3"),
    ("queue log 1 --attempt 1 --all", USAGE, "either `--attempt` or `--all`"),
    ("queue move 1", USAGE, "Name one place"),
    ("queue move 1 --first --last", USAGE, "Name one place"),
    ("queue move 1 --before 1", USAGE, "can't be put beside itself"),
    ("queue move 1 --before 99", DATABASE, "There is no job 99"),
    ("queue move 99 --first", DATABASE, "There is no job 99"),
    ("queue priority high 1", USAGE, "high"),
    ("queue priority 9999999999 1", USAGE, "A priority must be -1000000 to 1000000"),
    ("queue edit 1", USAGE, "Say what to change"),
    ("queue edit 1-2 --name one", USAGE, "`--name` names one job, but 2 are meant"),
    ("queue edit 1 --time-limit 4", USAGE, "A duration must be a number with its unit"),
    ("queue edit 1 --memory much", USAGE, "Memory must be a number with its unit"),
    ("queue edit 1 --gpus auto", USAGE, "must be a number, but is `auto`"),
    ("queue edit 1 --set lr=-1", USAGE, "`optim.lr` must be above 0"),
    ("queue edit 1 --set data.name=other", USAGE, "`data.name` of a queued job can't be changed"),
    ("queue edit 1 --after 1", DATABASE, "It would wait for itself"),
    ("queue edit 1 --after 99", DATABASE, "There is no job 99"),
    ("queue edit 1 --at 2020-01-01", USAGE, "is past"),
    ("queue edit 1 --at none --in 2h", USAGE, "either `--at` or `--in`"),
    ("queue groups none", DATABASE, "There is no group `none`"),
    ("queue groups --pause", USAGE, "Name the group to change"),
    ("queue groups sweep --parallel 0", USAGE, "`--parallel` must be 1 or more"),
    ("queue groups sweep --pause --resume", USAGE, "either `--pause` or `--resume`"),
    ("queue undo 99", DATABASE, "There is no action 99"),
    ("queue undo x", USAGE, "x"),
    ("queue history --limit 0", USAGE, "--limit"),
    ("queue add", USAGE, "Name the feature store of the jobs with `--data`"),
    ("queue add --data none", DATA, "No feature store named `none`"),
    ("queue add --file none.toml", USAGE, "can't be read: No such file"),
]  # fmt: skip
ADDING: list[tuple[str, int, str]] = [
    ("--grid lr", USAGE, "must be `setting=value`"),
    ("--grid lr=", USAGE, "must name at least one value"),
    ("--grid max_epoch=1", USAGE, "Did you mean `max_epochs`"),
    ("--grid lr=1,1", USAGE, "names one value twice"),
    ("--grid lr=1 --grid optim.lr=2", USAGE, "The grid names `optim.lr` twice"),
    ("--grid lr=0", USAGE, "`optim.lr` must be above 0"),
    ("--set lr=x", USAGE, "`optim.lr` must be a number"),
    ("--model multi", USAGE, "No model `multi`"),
    ("--seeds 5-1", USAGE, "runs backwards"),
    ("--preset none", USAGE, "No preset `none`"),
    ("--gpus 1.5", USAGE, "`--gpus` must be auto"),
    ("--memory 6", USAGE, "Memory must be a number with its unit"),
    ("--time-limit 4", USAGE, "A duration must be a number"),
    ("--in soon", USAGE, "A duration must be a number"),
    ("--at 2020-01-01", USAGE, "is past"),
    ("--at tomorrow", USAGE, "A moment must be written as"),
    ("--at 02:00 --in 2h", USAGE, "either `--at` or `--in`"),
    ("--after 1:maybe", USAGE, "`:ok` (it succeeded) or `:any`"),
    ("--seeds 77 --after 99", DATABASE, "There is no job 99"),
    ("--retries -1", USAGE, "--retries"),
    ("--priority 9999999999", USAGE, "A priority must be"),
    ("--set text.encoder=/nowhere", DATA, "No text encoder folder"),
    ("--seeds 1-2", USAGE, "Nothing new to queue"),
]


@pytest.fixture
def queue(home: Path) -> Path:
    make_store(home)
    add("--seeds", "1-2", "--group", "sweep")
    return home


def refuse(watcher: sqlite3.Connection, words: Sequence[str], code: int, sentence: str) -> None:
    before = watcher.execute("PRAGMA data_version").fetchone()

    outcome = run_setgf(*words)

    assert (outcome.code, outcome.out) == (code, ""), outcome
    assert sentence in outcome.err
    assert outcome.err.startswith("setgf: error: ")
    assert "Traceback" not in outcome.err
    assert watcher.execute("PRAGMA data_version").fetchone() == before, words


def test_what_a_queue_command_is_given_wrong_is_said_and_changes_nothing(queue: Path) -> None:
    named = {words.split()[1] for words, _, _ in REFUSED}
    assert named == {words[1] for words in COMMANDS if words[0] == "queue"}
    with closing(sqlite3.connect(queue / "setgf.db")) as watcher:
        for words, code, sentence in REFUSED:
            refuse(watcher, words.split(), code, sentence)
        for words, code, sentence in ADDING:
            refuse(watcher, [*ADD, *words.split()], code, sentence)
        refuse(watcher, [*ADD, "--name", " "], USAGE, "A job's name must be one line of text")
        refuse(watcher, [*ADD, "--group", "a\nb"], USAGE, "A group's name must be one line")
