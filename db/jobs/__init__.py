"""Jobs: the queue, its one table of transitions, and who works on what.

Contract: every function takes a connection inside a transaction of `Database.write()` (the ones
that only look: `read()` too) and returns frozen records. This package alone writes the tables
`groups`, `jobs`, `job_dependencies`, `attempts` and `device_leases`. A job changes state only
through `change_state`, or `claim`, which is one guarded statement. Every change of a live job names
its attempt: when another attempt has the job, `FencedError` says so, and nothing was written.
"""

from db.jobs.attempts import (
    add_attempt,
    change_attempt,
    close_attempt,
    get_attempt,
    list_attempts,
    set_events_offset,
)
from db.jobs.claims import adopt, claim, expired, live_jobs, renew_leases, resume_from
from db.jobs.lifecycle import finish_attempt, start_attempt
from db.jobs.queue import (
    add_jobs,
    cancel,
    candidates,
    ensure_group,
    fail_blocked,
    hold,
    list_jobs,
    move,
    next_start,
    release,
    retry,
)
from db.jobs.transitions import TRANSITIONS, change_state, get_job

__all__ = [
    "TRANSITIONS",
    "add_attempt",
    "add_jobs",
    "adopt",
    "cancel",
    "candidates",
    "change_attempt",
    "change_state",
    "claim",
    "close_attempt",
    "ensure_group",
    "expired",
    "fail_blocked",
    "finish_attempt",
    "get_attempt",
    "get_job",
    "hold",
    "list_attempts",
    "list_jobs",
    "live_jobs",
    "move",
    "next_start",
    "release",
    "renew_leases",
    "resume_from",
    "retry",
    "set_events_offset",
    "start_attempt",
]
