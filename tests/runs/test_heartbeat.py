from __future__ import annotations

import threading
import time
from pathlib import Path

from setgf.runs.folder import RunFolder
from setgf.runs.heartbeat import Beating, read_heartbeat


def wait_for(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.002)


def test_the_heart_beats_while_the_work_hangs(tmp_path: Path) -> None:
    attempt = RunFolder(tmp_path / "abcd1234").begin_attempt(1)

    with Beating(attempt, seconds=0.01) as beating:
        beating.advance()
        beating.advance()
        wait_for(lambda: (beat := read_heartbeat(attempt)) is not None and beat.units == 2)
        first = read_heartbeat(attempt)
        assert first is not None
        wait_for(lambda: (beat := read_heartbeat(attempt)) and beat.beat_at > first.beat_at)
        later = read_heartbeat(attempt)

    assert later is not None
    assert later.worked_at == first.worked_at


def test_the_last_beat_tells_all_work(tmp_path: Path) -> None:
    attempt = RunFolder(tmp_path / "abcd1234").begin_attempt(1)

    with Beating(attempt, seconds=60) as beating:
        for _ in range(5):
            beating.advance()

    beat = read_heartbeat(attempt)
    assert beat is not None
    assert beat.units == 5


def test_an_attempt_without_a_heartbeat_has_none(tmp_path: Path) -> None:
    attempt = RunFolder(tmp_path / "abcd1234").begin_attempt(1)
    assert read_heartbeat(attempt) is None

    attempt.heartbeat.write_bytes(b"torn")
    assert read_heartbeat(attempt) is None


def test_a_disk_that_refuses_ends_no_training(tmp_path: Path) -> None:
    attempt = RunFolder(tmp_path / "abcd1234").begin_attempt(1)
    other = tmp_path / "other"
    other.write_bytes(b"mine")
    attempt.heartbeat.symlink_to(other)

    with Beating(attempt) as beating:
        beating.advance()

    assert other.read_bytes() == b"mine"
