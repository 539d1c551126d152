from __future__ import annotations

from pathlib import Path

import pytest

from db.records import FailureClass
from setgf.worker.outcomes import Aim, back_off, judge, lost, no_room
from setgf.worker.shim import EXIT_DISK_FULL
from setgf.worker.supervision import ExitRecord

FINISHED = {"kind": "finished"}
DIVERGED = {"kind": "failed", "failure_class": "diverged", "message": "The loss is NaN."}
STOPPED = {"kind": "stopped", "step": 4}


def ended(code: int = 0, *, asked: bool = False, oom_kills: int = 0) -> ExitRecord:
    return ExitRecord(code=code, asked_to_stop=asked, oom_kills=oom_kills, peak_memory_kib=2048)


def test_a_finished_child_succeeded() -> None:
    ending = judge(ended(0), [FINISHED], aim=None, log_tail="")

    assert (ending.outcome, ending.requeue) == ("succeeded", False)


def test_a_child_that_finished_before_it_heard_of_the_cancel_succeeded() -> None:
    assert (
        judge(ended(0, asked=True), [FINISHED], aim=Aim.CANCEL, log_tail="").outcome == "succeeded"
    )


def test_a_cancelled_child_is_cancelled_however_it_ended() -> None:
    for code in (130, -9, 1):
        ending = judge(ended(code, asked=True), [STOPPED], aim=Aim.CANCEL, log_tail="")
        assert (ending.outcome, ending.requeue) == ("cancelled", False)


@pytest.mark.parametrize("asked", [True, False])
def test_a_child_that_made_room_goes_back_to_the_queue_for_free(asked: bool) -> None:
    ending = judge(ended(130, asked=asked), [STOPPED], aim=None, log_tail="")

    assert (ending.outcome, ending.requeue, ending.free) == ("paused", True, True)
    assert back_off(ending, 5) == 0


def test_a_failure_that_was_said_keeps_its_class_and_is_not_tried_again() -> None:
    ending = judge(ended(1), [DIVERGED], aim=None, log_tail="")

    assert ending.failure_class is FailureClass.DIVERGED
    assert ending.error == "The loss is NaN."
    assert not ending.requeue


def test_a_killed_child_is_tried_again() -> None:
    ending = judge(ended(-9), [], aim=None, log_tail="")

    assert ending.failure_class is FailureClass.KILLED
    assert ending.requeue
    assert ending.error == "The child was ended from outside by SIGKILL."


def test_a_child_the_kernel_ended_for_memory_says_how_much_it_used() -> None:
    ending = judge(ended(-9, oom_kills=1), [], aim=None, log_tail="")

    assert ending.failure_class is FailureClass.OUT_OF_MEMORY
    assert not ending.requeue
    assert "had used 2 MiB" in str(ending.error)


@pytest.mark.parametrize(
    ("tail", "kind", "requeue"),
    [
        ("torch.cuda.OutOfMemoryError: CUDA out of memory.", FailureClass.OUT_OF_MEMORY, False),
        ("OSError: [Errno 28] No space left on device", FailureClass.DISK_FULL, True),
        ("ImportError: no module", FailureClass.ERROR, False),
        ("", FailureClass.ERROR, False),
    ],
)
def test_a_child_that_said_nothing_is_judged_by_its_last_lines(
    tail: str, kind: FailureClass, requeue: bool
) -> None:
    ending = judge(ended(1), [], aim=None, log_tail=tail)

    assert (ending.failure_class, ending.requeue) == (kind, requeue)
    assert ending.error


def test_leaving_with_code_0_but_no_result_is_a_failure() -> None:
    ending = judge(ended(0), [], aim=None, log_tail="")

    assert ending.outcome == "failed"
    assert "exit code 0 and no result" in str(ending.error)


def test_back_off_grows_and_has_a_limit() -> None:
    ending = lost("gone")

    assert [back_off(ending, attempt) for attempt in (1, 2, 3, 20)] == [1, 2, 4, 60]


def test_a_child_without_room_for_a_word_is_known_by_its_exit_code() -> None:
    ending = judge(ended(EXIT_DISK_FULL), [], aim=None, log_tail="")

    assert (ending.failure_class, ending.requeue) == (FailureClass.DISK_FULL, True)
    assert "The disk is full" in str(ending.error)


def test_an_attempt_without_room_to_start_waits_instead_of_starting_again_at_once() -> None:
    ending = no_room(Path("runs/abcd1234/a1"))

    assert (ending.outcome, ending.requeue, ending.free) == ("failed", True, False)
    assert back_off(ending, 1) >= 60
