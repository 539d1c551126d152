"""`setgf queue` as users type it: add, list, choose, change, undo."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from db.engine import open_database
from db.runs import update_run
from setgf.home import Home
from tests.cli.command import run_setgf
from tests.cli.queue_home import ADD, add, finish, jobs, make_store, start, worker


@pytest.fixture(autouse=True)
def store(home: Path) -> Path:
    make_store(home)
    return home


def ok(*words: object) -> str:
    outcome = run_setgf("queue", *words)
    assert outcome.code == 0, outcome.err
    return outcome.out


def states() -> dict[int, str]:
    return {job_id: job["state"] for job_id, job in jobs().items()}


def test_a_grid_is_a_group_of_every_combination() -> None:
    said = add("--grid", "optim.lr=1e-4,5e-4", "--grid", "max_epochs=2,3", "--group", "sweep")

    assert said.out.count("Queued job") == 4
    assert "setgf small lr=1e-4 max_epochs=3 1111" in said.out
    (group,) = run_setgf("queue", "groups", "--json").json
    assert (group["name"], group["kind"], group["counts"]) == ("sweep", "grid", {"queued": 4})
    assert run_setgf(*ADD, "--grid", "modalities=text;text,audio", "--dry-run").code == 0


def test_what_a_job_asks_for_is_kept() -> None:
    add()
    add("--seeds", 2, "--after", "1:any", "--in", "2h", "--time-limit", "90min", "--gpus", "0.5",
        "--memory", "6G", "--retries", 0, "--hold", "--priority", 3, "--tag", "paper")  # fmt: skip

    job = run_setgf("queue", "show", 2, "--json").json

    assert (job["gpus"], job["memory_mib"], job["time_limit"]) == (0.5, 6144, 5400)
    assert (job["state"], job["priority"], job["max_attempts"]) == ("held", 3, 1)
    assert (job["tags"], job["owner"] != "") == (["paper"], True)
    assert abs(job["not_before"] - time.time() - 7200) < 600
    ok("release", 2)
    assert "waits for job 1 (queued)" in ok("show", 2)


def test_the_same_experiment_is_queued_once() -> None:
    add("--seeds", "1-2")

    again = add("--seeds", "2-3")
    within = run_setgf(
        *ADD, "--seeds", 9, "--model", "setgf", "--grid", "lr=1e-3,0.001", "--dry-run"
    )

    assert again.out.count("Queued job") == 1
    assert "the same experiment is job 2 (queued)" in again.err
    assert within.out.count("Would queue") == 1
    assert "in this request already" in within.err
    assert run_setgf(*ADD, "--seeds", 1).code == 2
    assert add("--seeds", 1, "--force").out.count("Queued job") == 1


def test_many_jobs_are_told_in_a_line() -> None:
    said = add("--seeds", "1-30", "--group", "many")

    assert said.out == "Queued 30 jobs, 1 to 30, in group `many`.\n"
    assert "30 jobs: cancelled" in ok("cancel", "group:many", "--yes")


def test_a_file_of_jobs_is_queued_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "jobs.toml"
    text = """data = "small"
[settings]
text.encoder = "tiny"
[[job]]
name = "first"
seeds = [1, 2]
[[job]]
name = "second"
after = ["first:any"]
"""
    file.write_text(text + '[[job]]\nname = "third"\nmodel = "multi"\n')
    refused = run_setgf("queue", "add", "--file", file)
    assert refused.code == 2
    assert f"{file}:10 (third): No model `multi`" in refused.err
    assert jobs() == {}

    file.write_text(text)
    said = ok("add", "--file", file)

    assert said.count("Queued job") == 3
    assert "waits for job 1 (queued), 2 (queued)" in ok("show", 3)
    assert jobs()[1]["group_name"].startswith("first-")
    assert "can't stand beside `--file`" in run_setgf(*ADD, "--file", file).err


def test_jobs_are_chosen_by_group_range_and_filter() -> None:
    add("--seeds", "1-3", "--group", "sweep")
    add("--seeds", "4", "--set", "lr=0.01")

    ok("hold", "--where", "optim.lr == 0.01 or seed == 1")
    assert states() == {1: "held", 2: "queued", 3: "queued", 4: "held"}
    ok("release", "group:sweep", "4")
    ok("cancel", "1-3", "--where", "seed > 1")
    assert states() == {1: "queued", 2: "cancelled", 3: "cancelled", 4: "queued"}
    ok("retry", "--group", "sweep")
    assert set(states().values()) == {"queued"}


def test_many_jobs_of_a_group_or_filter_are_asked_for() -> None:
    add("--seeds", "1-11", "--group", "sweep")

    for words in (["group:sweep"], ["--group", "sweep"], ["--where", "seed > 0"]):
        refused = run_setgf("queue", "cancel", *words)
        assert refused.code == 2
        assert "would cancel 11 jobs, and nobody can be asked here; add `--yes`" in refused.err
    assert set(states().values()) == {"queued"}
    ok("hold", "1-11")
    ok("cancel", "--where", "seed > 0", "--yes")
    assert set(states().values()) == {"cancelled"}


def test_the_list_says_why_a_job_waits_and_when_it_starts(home: Path) -> None:
    add("--seeds", "1-3")
    assert {job["waits_because"] for job in jobs().values()} == {"no worker is running"}
    worker(home, "cpu0")
    start(home, 1)
    database = open_database(Home(home).database_url)
    with database.write() as connection:
        update_run(connection, jobs()[1]["run_id"], attempt=1, epoch=4)
    database.close()
    finish(home, 1)
    start(home, 2, ago=4)
    add("--seeds", 4, "--gpus", 1)
    add("--seeds", 5, "--in", "1h")
    add("--seeds", 6, "--hold", "--group", "other")
    add("--seeds", 7, "--group", "limited")
    ok("groups", "limited", "--pause")

    found = jobs()

    now = time.time()
    assert 0 <= found[2]["estimated_end"] - now < 10
    assert found[3]["estimated_start"] == pytest.approx(found[2]["estimated_end"], abs=1)
    assert found[3]["estimated_end"] - found[3]["estimated_start"] == pytest.approx(10, abs=2)
    why = {job_id: job["waits_because"] for job_id, job in found.items()}
    assert why == {
        1: None, 2: None, 3: "waits for a CPU slot",
        4: "needs 1 GPU, but no worker has more than 0", 5: "delayed",
        6: "held; `setgf queue release` lets it start", 7: "group `limited` is paused",
    }  # fmt: skip
    table = ok("list")
    assert "starts in" in table
    assert "ends in" in table
    assert "about 10 s, from 1 similar run" in ok("show", 3)


def test_a_dry_run_estimates_from_similar_runs(home: Path) -> None:
    add("--seeds", 1)
    assert "time unknown: no similar run yet" in ok(*ADD[1:], "--seeds", 2, "--dry-run")
    worker(home)
    start(home, 1, ago=120)
    database = open_database(Home(home).database_url)
    with database.write() as connection:
        update_run(connection, jobs()[1]["run_id"], attempt=1, epoch=4)
    database.close()
    finish(home, 1)

    same = run_setgf(*ADD, "--seeds", "2-3", "--dry-run")
    other = run_setgf(*ADD, "--seeds", 2, "--set", "lr=0.01", "--dry-run")

    assert "about 2 min, from 1 similar run\n" in same.out
    assert "All of it would be done in about 4 min" in same.err
    assert "from 1 run of this model and data" in other.out
    assert len(jobs()) == 1


def test_a_long_list_is_cut_and_says_so() -> None:
    add("--seeds", "1-60")

    cut = run_setgf("queue", "list")
    some = run_setgf("queue", "list", "--limit", 5)

    assert len(cut.out.splitlines()) == 51
    assert "10 more jobs are not shown; `--all` or `--limit 60`" in cut.err
    assert [line.split()[0] for line in some.out.splitlines()] == ["id", "1", "2", "3", "4", "5"]
    assert len(run_setgf("queue", "list", "--all").out.splitlines()) == 61
    assert len(run_setgf("queue", "list", "--json").json) == 60


def test_lists_are_filtered_by_state_group_and_filter() -> None:
    add("--seeds", "1-2", "--group", "sweep")
    add("--seeds", 3)
    ok("hold", 1)

    assert set(jobs("--state", "held")) == {1}
    assert set(jobs("--group", "sweep")) == {1, 2}
    assert set(jobs("--group", "sweep", "--state", "queued")) == {2}
    assert set(jobs("--where", "seed >= 2 and state == queued")) == {2, 3}
    assert set(jobs("2-3")) == {2, 3}
    assert ok("list", "--where", "seed == 99") == "No job matches.\n"


def test_places_and_priorities_decide_the_order() -> None:
    add("--seeds", "1-4")

    ok("move", 4, "--first")
    ok("move", 1, "--after", 3)
    assert list(jobs()) == [4, 2, 3, 1]
    ok("priority", 5, 3)
    assert list(jobs()) == [3, 4, 2, 1]


def test_an_edit_changes_what_a_waiting_job_asks_for() -> None:
    add("--seeds", "1-2")
    before = jobs()

    ok("edit", "1-2", "--time-limit", "4h", "--memory", "6G", "--gpus", "0", "--retries", 4)
    ok("edit", 2, "--set", "lr=0.02", "--name", "faster", "--after", "1")

    after = jobs()
    assert {job["time_limit"] for job in after.values()} == {14_400}
    assert {job["max_attempts"] for job in after.values()} == {5}
    assert after[2]["name"] == "faster"
    assert after[2]["waits_because"] == "waits for job 1 (queued)"
    assert after[2]["fingerprint"] != before[2]["fingerprint"]
    assert run_setgf("queue", "show", 2, "--json").json["config"]["optim"]["lr"] == 0.02
    ok("edit", "1-2", "--time-limit", "none", "--memory", "none", "--after", "none")
    assert {job["memory_mib"] for job in jobs().values()} == {None}
    assert after[1]["waits_because"] == "no worker is running"


def test_actions_are_listed_and_undone() -> None:
    add("--seeds", "1-2")
    ok("cancel", "1-2")

    assert "Undone: cancel" in ok("undo")

    assert states() == {1: "queued", 2: "queued"}
    shown = ok("history").splitlines()
    assert shown[1].split()[0] == "1"
    assert "undone" in shown[2]
    assert run_setgf("queue", "undo", 2).code == 4
    ok("undo")
    assert states() == {}
    assert "nothing to the queue that can be undone" in run_setgf("queue", "undo").err


def test_finished_jobs_are_cleared_off_the_list() -> None:
    add("--seeds", "1-3")
    ok("cancel", "1-2")

    assert ok("clear", 1).startswith("Cleared 1 job off the list")
    assert set(states()) == {2, 3}
    ok("clear", "--all")
    assert set(states()) == {3}
    assert set(jobs("--cleared")) == {1, 2, 3}
    assert "cancelled" in ok("show", 1)


def test_running_jobs_are_asked_through_their_worker(home: Path) -> None:
    add("--seeds", "1-2")
    worker(home)
    start(home, 1)

    assert "Job 1 is asked to write a checkpoint and pause" in ok("pause", 1)
    assert "Job 2 is held" in ok("pause", 2)
    assert "Job 1 is asked to stop where it is" in ok("freeze", 1)
    assert "go back into the queue" in ok("requeue", 1)
    assert "asked to stop" in ok("cancel", 1)
    assert states() == {1: "running", 2: "held"}
    ok("resume", 2)
    assert states()[2] == "queued"


def test_a_finished_job_is_restarted_as_a_new_one(home: Path) -> None:
    add()
    worker(home)
    start(home, 1)
    finish(home, 1)

    assert "Queued job 2: setgf small 1111" in ok("restart", 1)
    assert states() == {1: "succeeded", 2: "queued"}


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        (["succeeded", "succeeded"], 0),
        (["succeeded", "failed"], 1),
        (["succeeded", "cancelled"], 3),
    ],
)
def test_waiting_ends_as_the_work_did(home: Path, ends: list[str], code: int) -> None:
    add("--seeds", "1-2", "--group", "sweep")
    worker(home, "cpu0", "cpu1")
    for job_id, end in enumerate(ends, start=1):
        start(home, job_id, device=f"cpu{job_id - 1}")
        finish(home, job_id, end)

    outcome = run_setgf("queue", "wait", "group:sweep")

    assert outcome.code == code
    assert len(outcome.out.splitlines()) == 2
    assert "All over" in outcome.err


def test_a_log_is_printed_by_attempt_and_from_its_end(home: Path) -> None:
    add()
    worker(home)
    start(home, 1)
    finish(home, 1)
    run_id = jobs()[1]["run_id"]
    folder = home / "runs" / run_id / "a1"
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text("one\ntwo\nthree\n")

    assert ok("log", 1) == "one\ntwo\nthree\n"
    assert ok("log", 1, "--lines", 2) == "two\nthree\n"
    assert ok("log", 1, "-f", "-n", 1) == "three\n"
    assert ok("log", 1, "--all") == "one\ntwo\nthree\n"
    assert "has made 1 attempts, but not 2" in run_setgf("queue", "log", 1, "--attempt", 2).err
