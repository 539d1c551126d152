from __future__ import annotations

import os
import re
from contextlib import closing
from pathlib import Path

import pytest

from setgf.worker import attempt_log
from setgf.worker.attempt_log import NAMES, STATE_SECONDS, AttemptLog
from setgf.worker.logs import follow_attempt, log_tail, read_end, without_stamps
from tests.worker.processes import begin, start_shim, wait_until

BAR_OF_TWO_LINES = b"\router 0%%\n\rinner %d%%\x1b[A\r"


class Clock:
    """Stands in for `time` in the module: it moves only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def strftime(self, form: str) -> str:
        return f"2026-01-02 03:04:{int(self.now) % 60:02} "


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(attempt_log, "time", clock)
    return clock


def lines(folder: Path) -> list[str]:
    return without_stamps((folder / "log.txt").read_text()).splitlines()


def whole_log(log: Path) -> str:
    with closing(follow_attempt(log)) as follower:
        return follower.read(to_end=True)


def test_every_line_has_the_moment_it_was_printed(tmp_path: Path, clock: Clock) -> None:
    log = AttemptLog(str(tmp_path))

    log.feed(b"first\n\nthi")
    clock.now += 5
    log.feed(b"rd\n")

    assert (tmp_path / "log.txt").read_text() == (
        "2026-01-02 03:04:40 first\n2026-01-02 03:04:40 \n2026-01-02 03:04:45 third\n"
    )


def test_a_progress_bar_is_one_line_as_it_ended(tmp_path: Path, clock: Clock) -> None:
    log = AttemptLog(str(tmp_path))

    for percent in range(101):
        log.feed(b"\r%3d%%" % percent)
    log.feed(b"\ndone\r\n")

    assert lines(tmp_path) == ["100%", "done"]


def test_a_bar_that_takes_long_is_shown_now_and_then(tmp_path: Path, clock: Clock) -> None:
    log = AttemptLog(str(tmp_path))

    log.feed(b"\r10%")
    clock.now += STATE_SECONDS
    log.tick()
    log.tick()
    log.feed(b"\r20%\r")
    clock.now += STATE_SECONDS
    log.tick()
    log.feed(b"\n")

    assert lines(tmp_path) == ["10%", "20%"]


def test_bars_of_several_lines_are_collapsed_too(tmp_path: Path, clock: Clock) -> None:
    log = AttemptLog(str(tmp_path))

    log.feed(b"start\n" + b"".join(BAR_OF_TWO_LINES % n for n in range(100)) + b"\x1b[B\nend\n")

    found = lines(tmp_path)
    assert found[0] == "start"
    assert found[-1] == "end"
    assert len(found) <= 5


def test_colours_titles_and_control_characters_are_left_out(tmp_path: Path) -> None:
    log = AttemptLog(str(tmp_path))

    log.feed(b"\x1b[31mred\x1b[0m \x1b]0;title\x07\x07bell\ttab \xc3\xa9\n")

    assert lines(tmp_path) == ["red bell\ttab é"]


def test_what_has_no_end_of_line_is_kept_at_the_end(tmp_path: Path) -> None:
    log = AttemptLog(str(tmp_path))

    log.feed(b"no newline")
    log.close()

    assert lines(tmp_path) == ["no newline"]


def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    log = AttemptLog(str(tmp_path))

    for _ in range(100):
        log.feed(b"x" * 1000)

    assert sum(map(len, lines(tmp_path))) > 80_000


def test_a_long_log_keeps_its_head_and_its_tail(tmp_path: Path) -> None:
    log = AttemptLog(str(tmp_path), limit=4000)

    for number in range(2000):
        log.feed(b"line %04d\n" % number)
    log.close()

    assert sum((tmp_path / name).stat().st_size for name in NAMES) <= 3 * 4000
    assert "line 0000\n" in (tmp_path / "log.head.txt").read_text()
    whole = whole_log(tmp_path / "log.txt")
    numbers = [int(found) for found in re.findall(r"line (\d+)", whole)]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 1999
    (before, line) = re.findall(r"\[setgf\] (\d+) lines lie between .*\n.*line (\d+)", whole)[0]
    in_head = (tmp_path / "log.head.txt").read_text().count("\n")
    assert in_head + int(before) == int(line)
    assert log_tail(tmp_path / "log.txt", 100).splitlines()[-100:] == [
        f"line {number:04}" for number in range(1900, 2000)
    ]


def test_a_follower_reads_every_line_once_through_rotations(tmp_path: Path) -> None:
    log = AttemptLog(str(tmp_path), limit=4000)
    follower = follow_attempt(tmp_path / "log.txt")
    read = ""

    for number in range(1000):
        log.feed(b"line %04d\n" % number)
        if number % 37 == 0:
            read += follower.read()
    read += follower.read(to_end=True)
    follower.close()

    assert [int(found) for found in re.findall(r"line (\d+)", read)] == list(range(1000))


def test_a_follower_waits_for_a_log_that_is_not_there_and_for_whole_lines(tmp_path: Path) -> None:
    follower = follow_attempt(tmp_path / "log.txt")
    assert follower.read() == ""

    (tmp_path / "log.txt").write_text("one\ntw")
    assert follower.read() == "one\n"
    assert follower.read() == ""
    assert follower.read(to_end=True) == "tw"
    follower.close()


def test_lines_that_the_full_disk_refused_are_counted(tmp_path: Path, monkeypatch) -> None:
    log = AttemptLog(str(tmp_path))
    has_room = False
    real = attempt_log.write
    monkeypatch.setattr(attempt_log, "write", lambda h, d: real(h, d if has_room else d[:7]))

    log.feed(b"lost\nalso lost\n")
    has_room = True
    log.feed(b"kept\n")

    text = (tmp_path / "log.txt").read_text()
    assert "[setgf] 2 lines are missing here: the disk was full.\n" in text
    assert text.endswith("kept\n")


def test_a_link_in_the_place_of_the_log_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("mine\n")
    (tmp_path / "log.txt").symlink_to(other)

    with pytest.raises(OSError, match="symbolic link"):
        AttemptLog(str(tmp_path))

    assert other.read_text() == "mine\n"
    assert log_tail(tmp_path / "log.txt") == ""


def test_what_a_c_library_prints_is_logged_with_what_python_prints(tmp_path: Path) -> None:
    attempt = begin(tmp_path)
    script = "import os; print('python'); os.write(1, b'library\\n'); os.system('echo shell >&2')"

    assert start_shim(attempt, script).wait(20) == 0

    assert log_tail(attempt.log).splitlines() == ["python", "library", "shell"]


def test_a_killed_child_leaves_every_line_it_printed(tmp_path: Path) -> None:
    attempt = begin(tmp_path)
    script = """
import os, signal
for n in range(20000):
    os.write(1, b'line %d\\n' % n)
os.kill(os.getpid(), signal.SIGKILL)
"""

    assert start_shim(attempt, script).wait(20) == 0

    assert without_stamps(whole_log(attempt.log)).splitlines() == [
        f"line {n}" for n in range(20000)
    ]


def test_a_helper_that_outlives_the_child_does_not_hold_up_its_end(tmp_path: Path) -> None:
    attempt = begin(tmp_path)
    script = """
import os, time
print('parent', flush=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print('helper', flush=True)
        time.sleep(60)
    os._exit(0)
os.wait()
"""
    process = start_shim(attempt, script)

    wait_until(lambda: attempt.exit.exists(), what="exit.json")

    assert process.wait(20) == 0
    assert "parent" in log_tail(attempt.log)


def test_a_disk_without_room_for_the_log_does_not_end_the_child(tmp_path: Path) -> None:
    attempt = begin(tmp_path)
    log = AttemptLog(str(attempt.path))

    os.dup2(os.open("/dev/full", os.O_WRONLY), log._handle)
    log.feed(b"nobody reads this\n")
    log.close()

    assert attempt.log.read_text() == ""


def test_the_end_of_a_log_reaches_back_over_a_rotation(tmp_path: Path) -> None:
    log = AttemptLog(str(tmp_path), limit=4000)
    for number in range(400):
        log.feed(b"line %04d\n" % number)
    log.close()
    assert (tmp_path / "log.txt").stat().st_size < 1000

    found, is_cut = read_end(tmp_path / "log.txt", 3000)

    numbers = [int(line[-4:]) for line in found if "line " in line and "lie between" not in line]
    assert is_cut
    assert len(numbers) > 80
    assert numbers == list(range(numbers[0], 400))


def test_the_end_of_a_log_that_is_not_there_says_so(tmp_path: Path) -> None:
    (tmp_path / "log.head.txt").write_text("old\n")

    with pytest.raises(FileNotFoundError):
        read_end(tmp_path / "log.txt", 100)
