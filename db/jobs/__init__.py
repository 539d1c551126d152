"""Jobs: the queue, its one table of transitions, and who works on what.

Contract: every function takes a connection inside a transaction of `Database.write()` (the ones
that only look: `read()` too) and returns frozen records. This package alone writes the tables
`groups`, `jobs`, `job_dependencies`, `attempts`, `device_leases`, `memory_peaks` and `actions`. A
job changes state only through `change_state` and `change_waiting` (of many that nobody works
on), which share one check, through `claim`, which is one guarded statement, and `fail_blocked`.
Every change of a live job names its attempt: when another attempt has the job, `FencedError` says
so, and nothing was written.
"""

from db.jobs.actions import list_actions
from db.jobs.adding import add_jobs, ensure_group
from db.jobs.attempts import (
    add_attempt,
    change_attempt,
    close_attempt,
    get_attempt,
    list_attempts,
    set_events_offset,
)
from db.jobs.blocked import fail_blocked
from db.jobs.claims import claim, resume_from
from db.jobs.control import (
    cancel,
    freeze,
    hold,
    pause,
    release,
    requeue,
    resume,
    retry,
    thaw,
)
from db.jobs.edits import clear, edit, restart
from db.jobs.groups import (
    get_group,
    list_groups,
    pause_group,
    resume_group,
    set_parallelism,
)
from db.jobs.holding import adopt, expired, live_jobs, renew_leases
from db.jobs.leases import device_shares
from db.jobs.lifecycle import finish_attempt, set_frozen, start_attempt
from db.jobs.listing import dependencies, get_job, get_jobs, list_jobs
from db.jobs.measured import memory_peak, store_memory_peak
from db.jobs.order import move, set_priority
from db.jobs.readiness import candidates, next_start
from db.jobs.transitions import AIMS, TRANSITIONS, change_state, change_waiting
from db.jobs.undo import undo

__all__ = [
    "AIMS",
    "TRANSITIONS",
    "add_attempt",
    "add_jobs",
    "adopt",
    "cancel",
    "candidates",
    "change_attempt",
    "change_state",
    "change_waiting",
    "claim",
    "clear",
    "close_attempt",
    "dependencies",
    "device_shares",
    "edit",
    "ensure_group",
    "expired",
    "fail_blocked",
    "finish_attempt",
    "freeze",
    "get_attempt",
    "get_group",
    "get_job",
    "get_jobs",
    "hold",
    "list_actions",
    "list_attempts",
    "list_groups",
    "list_jobs",
    "live_jobs",
    "memory_peak",
    "move",
    "next_start",
    "pause",
    "pause_group",
    "release",
    "renew_leases",
    "requeue",
    "restart",
    "resume",
    "resume_from",
    "resume_group",
    "retry",
    "set_events_offset",
    "set_frozen",
    "set_parallelism",
    "set_priority",
    "start_attempt",
    "store_memory_peak",
    "thaw",
    "undo",
]
