"""What a machine with several users must hold: no open port, private files, news, a whole log."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from db.engine import Database
from db.records import JobState
from setgf.runs.heartbeat import read_heartbeat
from setgf.worker.supervision import marked_processes, read_process
from tests.acceptance.test_real_training import add
from tests.acceptance.workers import REAL, Site
from tests.worker.processes import wait_until

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("processes"), pytest.mark.timeout(300)]

HOOK = """
import json, os, sys
path = os.path.join(os.environ["SETGF_HOME"], "told.jsonl")
with open(path, "a") as file:
    file.write(sys.stdin.read() + "\\n")
"""


def test_a_worker_and_its_jobs_open_no_port_keep_files_private_and_tell_the_end(
    home: Path, file_database: Database
) -> None:
    (home / "notify.toml").touch(mode=0o600)
    (home / "hook.py").write_text(HOOK)
    command = json.dumps([sys.executable, str(home / "hook.py")])
    (home / "notify.toml").write_text(f"[hook]\ncommand = {command}\n")
    before = os.umask(0)  # as careless as can be
    try:
        with Site(home, file_database, REAL) as site:
            (job,) = add(site, times=1)
            worker = site.start_worker("--slots", "1", "--drain")
            site.wait_for_steps(job.id, 5, seconds=120)
            attempt = site.attempt(site.job(job.id))
            record = read_process(attempt)
            assert record is not None
            ours = {worker.pid, record.shim_pid, *(pid for pid, _ in marked_processes(attempt))}
            assert record.child_pid in ours

            assert [pid for pid in ours if _listens(pid)] == []
            assert worker.wait(120) == 0
            assert site.job(job.id).state is JobState.SUCCEEDED
    finally:
        os.umask(before)

    beat = read_heartbeat(attempt)
    assert beat is not None
    assert beat.units > site.query.run(job.run_id).step
    written = [path for path in (home / "runs").rglob("*") if not path.is_symlink()]
    assert [str(path) for path in written if path.stat().st_mode & 0o077] == []
    news = [json.loads(line) for line in (home / "told.jsonl").read_text().splitlines() if line]
    assert [told["event"] for told in news] == ["finished", "queue_empty"]
    assert news[0]["job_id"] == job.id
    assert "test.mae" in news[0]["metrics"]
    lines = attempt.log.read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", line) for line in lines)
    assert sum(" epoch " in line for line in lines) == 6


def test_a_worker_in_the_background_outlives_the_shell_that_started_it(
    home: Path, file_database: Database
) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "setgf.cli.main", "worker", *words],
            capture_output=True, text=True, timeout=100, check=False,
            env={**os.environ, "SETGF_HOME": str(home)}, start_new_session=True,
        )  # fmt: skip

    started = run("start", "--detach", "--slots", "1", "--gpus", "none")
    assert started.returncode == 0, started.stderr
    (pid,) = map(int, re.findall(r"\(pid (\d+)\)", started.stdout))
    worker = psutil.Process(pid)

    assert os.getsid(pid) == pid
    assert f"(pid {pid}) works on cpu0" in run("logs").stdout
    second = run("start", "--once", "--slots", "1", "--gpus", "none")
    assert f"(pid {pid}) works on this machine, too, with 1 CPU slot;" in second.stderr

    stopped = run("stop")

    assert stopped.returncode == 0
    assert re.fullmatch(r"Worker \S+ stopped\.\n", stopped.stdout)
    wait_until(lambda: not psutil.pid_exists(pid) or worker.status() == psutil.STATUS_ZOMBIE)


def _listens(pid: int) -> bool:
    """True for a process that takes connections, of whatever kind."""
    found = psutil.Process(pid).net_connections(kind="inet")
    return any(one.status == psutil.CONN_LISTEN or not one.raddr for one in found)
