from __future__ import annotations

from typing import Any

import pytest

from db.records import Attempt, FailureClass
from setgf.worker.outcomes import (
    RULES,
    Aim,
    Circumstances,
    aim_of_column,
    back_off,
    failures_in_a_row,
    judge,
    lost,
    no_room,
)
from setgf.worker.shim import EXIT_DISK_FULL
from setgf.worker.supervision import ExitRecord

FINISHED = {"kind": "finished"}
DIVERGED = {"kind": "failed", "failure_class": "diverged", "message": "The loss is NaN."}
CANCELLED = Circumstances(aim=Aim.CANCEL)
STOPPED = {"kind": "stopped", "step": 4}


def ended(code: int = 0, *, asked: bool = False, oom_kills: int = 0) -> ExitRecord:
    return ExitRecord(code=code, asked_to_stop=asked, oom_kills=oom_kills, peak_memory_kib=2048)


def test_a_finished_child_succeeded() -> None:
    ending = judge(ended(0), [FINISHED], log_tail="")

    assert (ending.outcome, ending.requeue) == ("succeeded", False)


def test_a_child_that_finished_before_it_heard_of_the_cancel_succeeded() -> None:
    assert (
        judge(ended(0, asked=True), [FINISHED], log_tail="", around=CANCELLED).outcome
        == "succeeded"
    )


def test_a_cancelled_child_is_cancelled_however_it_ended() -> None:
    for code in (130, -9, 1):
        ending = judge(ended(code, asked=True), [STOPPED], log_tail="", around=CANCELLED)
        assert (ending.outcome, ending.requeue) == ("cancelled", False)


@pytest.mark.parametrize("asked", [True, False])
def test_a_child_that_made_room_goes_back_to_the_queue_for_free(asked: bool) -> None:
    ending = judge(ended(130, asked=asked), [STOPPED], log_tail="")

    assert (ending.outcome, ending.requeue, ending.free) == ("paused", True, True)
    assert back_off(ending, 5) == 0


def test_a_failure_that_was_said_keeps_its_class_and_is_not_tried_again() -> None:
    ending = judge(ended(1), [DIVERGED], log_tail="")

    assert ending.failure_class is FailureClass.DIVERGED
    assert ending.error == "The loss is NaN."
    assert not ending.requeue


def test_a_killed_child_is_tried_again() -> None:
    ending = judge(ended(-9), [], log_tail="")

    assert ending.failure_class is FailureClass.KILLED
    assert ending.requeue
    assert ending.error == "The child was ended from outside by SIGKILL."


def test_a_child_the_kernel_ended_for_memory_says_how_much_it_used() -> None:
    ending = judge(ended(-9, oom_kills=1), [], log_tail="")

    assert ending.failure_class is FailureClass.HOST_OUT_OF_MEMORY
    assert (ending.requeue, ending.is_alone) == (True, True)
    assert "had used 2 MiB" in str(ending.error)
    assert "tried once more without other jobs beside it" in str(ending.error)


@pytest.mark.parametrize(
    ("tail", "kind", "requeue"),
    [
        ("torch.cuda.OutOfMemoryError: CUDA out of memory.", FailureClass.OUT_OF_MEMORY, True),
        ("OSError: [Errno 28] No space left on device", FailureClass.DISK_FULL, True),
        ("ImportError: no module", FailureClass.ERROR, False),
        ("", FailureClass.ERROR, False),
    ],
)
def test_a_child_that_said_nothing_is_judged_by_its_last_lines(
    tail: str, kind: FailureClass, requeue: bool
) -> None:
    ending = judge(ended(1), [], log_tail=tail)

    assert (ending.failure_class, ending.requeue) == (kind, requeue)
    assert ending.error


def test_leaving_with_code_0_but_no_result_is_a_failure() -> None:
    ending = judge(ended(0), [], log_tail="")

    assert ending.outcome == "failed"
    assert "exit code 0 and no result" in str(ending.error)


def test_back_off_grows_and_has_a_limit() -> None:
    ending = lost("gone")

    assert [back_off(ending, attempt) for attempt in (1, 2, 3, 20)] == [1, 2, 4, 60]


def test_a_child_without_room_for_a_word_is_known_by_its_exit_code() -> None:
    ending = judge(ended(EXIT_DISK_FULL), [], log_tail="")

    assert (ending.failure_class, ending.requeue) == (FailureClass.DISK_FULL, True)
    assert "The disk is full" in str(ending.error)


def test_an_attempt_without_room_to_start_is_given_back() -> None:
    ending = no_room("The disk is full.")

    assert (ending.outcome, ending.requeue, ending.free) == ("paused", True, True)
    assert ending.error == "The disk is full."


def test_a_paused_child_keeps_its_place_and_says_where_it_goes_on() -> None:
    sound = Circumstances(aim=Aim.PAUSE, checkpoint="step 40 (a1)")

    ending = judge(ended(130, asked=True), [STOPPED], log_tail="", around=sound)

    assert (ending.outcome, ending.requeue, ending.free) == ("paused", False, True)
    assert ending.error is None


@pytest.mark.parametrize(
    ("said", "around", "words"),
    [
        ([], Circumstances(aim=Aim.PAUSE, checkpoint="step 40 (a1)"), "goes on from step 40 (a1)"),
        ([STOPPED], Circumstances(aim=Aim.PAUSE), "goes on from the start"),
        (
            [STOPPED],
            Circumstances(aim=Aim.PAUSE, checkpoint="step 20 (a1)", damage="It is damaged."),
            "It is damaged. It goes on from step 20 (a1)",
        ),
    ],
)
def test_a_pause_without_a_sound_newest_checkpoint_stores_the_reason(
    said: list[dict[str, object]], around: Circumstances, words: str
) -> None:
    ending = judge(ended(-9, asked=True), said, log_tail="", around=around)

    assert ending.outcome == "paused"
    assert words in str(ending.error)


def test_a_job_over_its_time_limit_fails_and_says_how_to_go_on() -> None:
    around = Circumstances(aim=Aim.TIME_LIMIT, time_limit=3600, checkpoint="step 40 (a1)")

    ending = judge(ended(130, asked=True), [STOPPED], log_tail="", around=around)

    assert (ending.outcome, ending.failure_class) == ("failed", FailureClass.TIME_LIMIT)
    assert not ending.requeue
    assert "time limit of 3600 s at step 40 (a1)" in str(ending.error)
    assert "--time-limit" in str(ending.error)


def test_a_hung_child_is_tried_again() -> None:
    around = Circumstances(aim=Aim.HUNG, hung_after=1800)

    ending = judge(ended(-9, asked=True), [], log_tail="", around=around)

    assert (ending.failure_class, ending.requeue) == (FailureClass.HUNG, True)
    assert "no progress for 1800 s" in str(ending.error)


def test_out_of_memory_is_tried_once_alone_and_then_fails_with_the_figure() -> None:
    failed = {"kind": "failed", "failure_class": "out_of_memory", "message": "CUDA out of memory."}

    first = judge(ended(1), [failed], log_tail="", around=Circumstances(memory="9000 MiB"))
    alone = Circumstances(memory="15000 MiB of the GPU", was_alone=True)
    second = judge(ended(1), [failed], log_tail="", around=alone)

    assert (first.requeue, first.is_alone) == (True, True)
    assert not second.requeue
    assert "It held 15000 MiB of the GPU." in str(second.error)
    assert "optim.batch_size" in str(second.error)


def test_every_failure_class_has_a_rule() -> None:
    assert set(RULES) == set(FailureClass)
    retried = {kind.value for kind, rule in RULES.items() if rule.is_retried}
    assert retried == {
        "killed", "lost", "hung", "out_of_memory", "host_out_of_memory", "disk_full",
    }  # fmt: skip


def test_a_stronger_aim_replaces_a_weaker_one_only() -> None:
    assert Aim.CANCEL.replaces(Aim.PAUSE)
    assert Aim.PAUSE.replaces(Aim.REQUEUE)
    assert not Aim.REQUEUE.replaces(Aim.CANCEL)
    assert not Aim.PAUSE.replaces(Aim.PAUSE)
    assert [aim_of_column(aim.column).column for aim in Aim] == [aim.column for aim in Aim]


def a_try(resume_step: int, outcome: str | None = "failed") -> Attempt:
    known: dict[str, Any] = dict.fromkeys(Attempt.__dataclass_fields__)
    chosen: dict[str, Any] = {"resume_step": resume_step, "outcome": outcome}
    return Attempt(**{**known, **chosen})


@pytest.mark.parametrize(
    ("tries", "reached", "failures"),
    [
        ([a_try(0, None)], 0, 1),
        ([a_try(0), a_try(0), a_try(0, None)], 0, 3),
        ([a_try(0), a_try(0), a_try(0, None)], 50, 1),
        ([a_try(0), a_try(50), a_try(50, None)], 50, 3),
        ([a_try(0), a_try(0), a_try(50), a_try(50, None)], 50, 3),
        ([a_try(0, "paused"), a_try(0, None)], 0, 1),
    ],
)
def test_back_off_begins_anew_after_progress(
    tries: list[Attempt], reached: int, failures: int
) -> None:
    assert failures_in_a_row(tries, reached) == failures
