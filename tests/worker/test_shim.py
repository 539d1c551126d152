from __future__ import annotations

import ast
import os
import signal
import sys
from pathlib import Path

import pytest

from setgf.worker import attempt_log, control_group, shim
from setgf.worker.logs import log_tail
from setgf.worker.supervision import (
    Liveness,
    boot_id,
    end_attempt,
    is_process,
    kill_process,
    liveness,
    marked_processes,
    read_exit,
    read_process,
    start_ticks,
)
from tests.worker.processes import begin, start_shim, wait_until

SLEEP = "import time\nprint('ready')\ntime.sleep(60)"
STUBBORN = "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('ready')\ntime.sleep(60)"
POLITE = """
import signal, sys, time
signal.signal(15, lambda *a: sys.exit(130))
print('ready', flush=True)
time.sleep(60)
"""
WITH_HELPERS = """
import os, subprocess, sys, time
loader = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(60)
    os._exit(0)
os.wait()
print('ready', flush=True)
time.sleep(0 if 'end' in sys.argv else 60)
"""


def is_ready(attempt) -> bool:
    return attempt.log.exists() and "ready" in attempt.log.read_text()


def test_the_exit_code_and_the_output_of_the_child_are_recorded(tmp_path: Path) -> None:
    attempt = begin(tmp_path)

    process = start_shim(
        attempt, "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)"
    )

    assert process.wait(20) == 0
    ended = read_exit(attempt)
    assert ended is not None
    assert (ended.code, ended.asked_to_stop, ended.killed_leftovers) == (7, False, 0)
    assert ended.peak_memory_kib > 1000
    assert log_tail(attempt.log) == "out\nerr"
    assert liveness(attempt) is Liveness.ENDED


def test_the_child_reads_nothing_and_has_its_own_session(tmp_path: Path) -> None:
    attempt = begin(tmp_path)
    script = "import os, sys; print(sys.stdin.read() == '', os.getsid(0) == os.getpid())"

    assert start_shim(attempt, script).wait(20) == 0

    assert log_tail(attempt.log) == "True True"


def test_a_living_attempt_says_who_runs_it(tmp_path: Path) -> None:
    attempt = begin(tmp_path)
    process = start_shim(attempt, SLEEP)
    wait_until(lambda: is_ready(attempt))

    record = read_process(attempt)

    assert record is not None
    assert record.shim_pid == process.pid
    assert is_process(record.child_pid, record.child_start, record.boot_id)
    assert not is_process(record.child_pid, record.child_start + 1, record.boot_id)
    assert not is_process(record.child_pid, record.child_start, "another boot")
    assert liveness(attempt) is Liveness.ALIVE
    assert end_attempt(attempt) >= 1
    process.wait(20)


def test_a_stop_file_ends_the_child_politely(tmp_path: Path) -> None:
    attempt = begin(tmp_path)
    process = start_shim(attempt, POLITE)
    wait_until(lambda: is_ready(attempt))

    attempt.request_stop()

    assert process.wait(20) == 0
    ended = read_exit(attempt)
    assert ended is not None
    assert (ended.code, ended.asked_to_stop, ended.killed_after_grace) == (130, True, False)


def test_a_child_that_ignores_sigterm_is_killed_after_the_grace_time(tmp_path: Path) -> None:
    attempt = begin(tmp_path)
    process = start_shim(attempt, STUBBORN, grace=0.3)
    wait_until(lambda: is_ready(attempt))

    attempt.request_stop()

    assert process.wait(20) == 0
    ended = read_exit(attempt)
    assert ended is not None
    assert (ended.code, ended.asked_to_stop, ended.killed_after_grace) == (-9, True, True)


def test_sigterm_to_the_shim_stops_the_child(tmp_path: Path) -> None:
    attempt = begin(tmp_path)
    process = start_shim(attempt, POLITE)
    wait_until(lambda: is_ready(attempt))

    process.send_signal(signal.SIGTERM)

    assert process.wait(20) == 0
    ended = read_exit(attempt)
    assert ended is not None
    assert (ended.code, ended.asked_to_stop) == (130, True)


def test_a_killed_child_is_recorded_with_its_signal_and_its_helpers_are_swept(
    tmp_path: Path,
) -> None:
    attempt = begin(tmp_path)
    process = start_shim(attempt, WITH_HELPERS)
    wait_until(lambda: is_ready(attempt))
    record = read_process(attempt)
    assert record is not None
    assert len(list(marked_processes(attempt))) == 3

    assert kill_process(record.child_pid, record.child_start, record.boot_id)

    assert process.wait(20) == 0
    ended = read_exit(attempt)
    assert ended is not None
    assert (ended.code, ended.asked_to_stop) == (-9, False)
    assert ended.killed_leftovers >= 1
    assert list(marked_processes(attempt)) == []


def test_the_child_dies_with_its_shim_and_the_rest_is_found_by_its_mark(tmp_path: Path) -> None:
    attempt = begin(tmp_path)
    process = start_shim(attempt, WITH_HELPERS)
    wait_until(lambda: is_ready(attempt))
    record = read_process(attempt)
    assert record is not None

    process.kill()
    process.wait(20)

    wait_until(lambda: not is_process(record.child_pid, record.child_start, record.boot_id))
    assert liveness(attempt) is Liveness.GONE
    end_attempt(attempt)
    assert list(marked_processes(attempt)) == []


def test_a_shim_of_another_attempt_does_not_start(tmp_path: Path) -> None:
    first = begin(tmp_path, 1)
    second = begin(tmp_path, 2)

    assert start_shim(first, "print('ran')").wait(20) == shim.EXIT_FENCED

    assert not first.log.exists()
    assert start_shim(second, "print('ran')").wait(20) == 0


def test_an_attempt_that_ended_is_never_run_again(tmp_path: Path) -> None:
    attempt = begin(tmp_path)
    assert start_shim(attempt, "print('ran')").wait(20) == 0

    assert start_shim(attempt, "print('ran')").wait(20) == shim.EXIT_FENCED

    assert log_tail(attempt.log) == "ran"


def test_a_command_that_does_not_exist_is_an_exit_code_of_127(tmp_path: Path) -> None:
    attempt = begin(tmp_path)
    missing = str(tmp_path / "nothing")

    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-S", shim.__file__, str(attempt.run.path), "1", "1", "--", missing],
        {},
    )
    os.waitpid(pid, 0)

    ended = read_exit(attempt)
    assert ended is not None
    assert ended.code == 127
    assert "the child could not start" in attempt.log.read_text()


@pytest.mark.parametrize("source", [shim.__file__, attempt_log.__file__, control_group.__file__])
def test_the_shim_needs_the_standard_library_only(source: str) -> None:
    tree = ast.parse(Path(source).read_text())
    imported = {
        alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        node.module.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
    }

    # Its log's writer is found by its folder; the package's path is for whoever imports the shim.
    assert imported - {"attempt_log", "control_group", "setgf"} <= sys.stdlib_module_names


def test_a_process_of_another_start_time_is_never_killed(tmp_path: Path) -> None:
    attempt = begin(tmp_path)
    process = start_shim(attempt, SLEEP)
    wait_until(lambda: is_ready(attempt))
    start = start_ticks(process.pid)
    assert start is not None

    assert not kill_process(process.pid, start + 1, boot_id())
    assert not kill_process(process.pid, start, "another boot")

    assert process.poll() is None
    end_attempt(attempt)
    process.wait(20)


def test_ending_a_run_leaves_the_same_run_of_a_copied_home_alone(tmp_path: Path) -> None:
    here, copied = begin(tmp_path / "here"), begin(tmp_path / "copied")
    assert here.run.id == copied.run.id
    process = start_shim(copied, SLEEP)
    wait_until(lambda: is_ready(copied))

    assert list(marked_processes(here)) == []
    end_attempt(here)

    assert liveness(copied) is Liveness.ALIVE
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
