"""Frozen values of the queue, of jobs to be added, of events and of alerts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from db.job_list import ListedJob
from db.records import Event, Worker


class JobChange(StrEnum):
    """What can be asked of jobs; each is the `setgf queue` command of its name."""

    HOLD = "hold"
    RELEASE = "release"
    PAUSE = "pause"
    RESUME = "resume"
    FREEZE = "freeze"
    THAW = "thaw"
    CANCEL = "cancel"
    RETRY = "retry"
    REQUEUE = "requeue"
    RESTART = "restart"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLine:
    """A job with what is expected of it."""

    job: ListedJob
    why: str = ""
    """Why it waits, in words; empty for one that does not."""
    starts_at: float | None = None
    """When a waiting job is expected to start; None when nobody can say."""
    ends_at: float | None = None
    """When a waiting or running job is expected to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueBody:
    """The Queue screen."""

    lines: tuple[JobLine, ...] = ()
    workers: tuple[Worker, ...] = ()
    use: Mapping[tuple[str, str], tuple[float, ...]] = field(
        default_factory=dict[tuple[str, str], tuple[float, ...]]
    )
    """Latest percents of use by worker id and device, oldest first."""
    num_older: int = 0
    """Jobs that were over long ago, and are not among the lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDraft:
    """A New job form as it is filled in."""

    values: Mapping[str, str] = field(default_factory=dict[str, str])
    """Text by name of the field: an option of `setgf queue add`, or a setting."""
    again: bool = False
    """Queue what is queued or done already, too."""

    def with_value(self, name: str, text: str) -> JobDraft:
        """Return the draft with one field filled in; an empty text empties it."""
        kept = {key: value for key, value in self.values.items() if key != name}
        return JobDraft(values={**kept, name: text} if text else kept, again=self.again)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """One field of the New job form."""

    name: str
    section: str
    meaning: str
    default: str = ""
    """What holds while it is empty."""
    choices: tuple[str, ...] = ()
    """All that is allowed; empty where anything of a kind is."""
    several: bool = False
    """Several of the choices may be named, separated by commas."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """A job that would be queued."""

    name: str
    needs: str
    """The device it asks for, and its conditions, in words."""
    seconds: float | None = None
    """How long it should run; None when no similar run tells."""
    told_by: str = ""
    """What that is known from, in words."""
    starts_at: float | None = None
    same_as: str = ""
    """The job that is the same experiment, in words; empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """What a form would queue."""

    jobs: tuple[PlannedJob, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict[str, str])
    """What is wrong by name of the field; under the empty name what is of none."""
    fields: tuple[FormField, ...] = ()
    """The fields, with the defaults that hold for the chosen data and preset."""
    done_at: float | None = None
    """When all would be over; None when nobody can say."""
    has_worker: bool = True

    @property
    def num_new(self) -> int:
        """Jobs that are no repetition."""
        return sum(not job.same_as for job in self.jobs)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """Something that happened, and to what."""

    event: Event
    name: str = ""
    """Name of its job or run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsBody:
    """The Events screen."""

    lines: tuple[EventLine, ...] = ()
    """The newest first."""


class AlertKind(StrEnum):
    """What an alert is about; each can be turned off in tui.toml."""

    FAILED = "failed"
    FINISHED = "finished"
    NOT_FINITE = "nan"
    PLATEAU = "plateau"
    GPU = "gpu"
    WORKER = "worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something a user wants to know at once."""

    key: str
    """The same alert is never given twice."""
    kind: AlertKind
    text: str
    at: float
    run_id: str | None = None

    @property
    def is_bad(self) -> bool:
        """True unless it is good news."""
        return self.kind is not AlertKind.FINISHED


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """All that alerts are about, at a moment."""

    newest_event: int = 0
    alerts: tuple[Alert, ...] = ()
    """Those that hold now (a plateau, a hot GPU, a dead worker) and those of events since."""
