"""What travels from workers and widgets to screens. Facts are in the past, requests imperative."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from tui.records import Frame


@dataclass
class FrameRead(Message):
    """A thread has read what the screen shows."""

    frame: Frame
    request: object
    """What was asked for."""
    version: int
    """Version of the database that was read."""


@dataclass
class News(Message):
    """Something stored may have changed, or time has passed."""


@dataclass
class NothingChanged(Message):
    """A thread has looked and found what is shown already."""


@dataclass
class ReadFailed(Message):
    """A thread could not read."""

    problem: str
    is_missing: bool
    """True when there is no database yet."""


@dataclass
class ActionDone(Message):
    """A thread has carried out an action."""

    report: str


@dataclass
class ActionFailed(Message):
    """An action was refused or failed."""

    problem: str


@dataclass
class OpenRun(Message):
    """Show this run on the Run screen."""

    run_id: str


@dataclass
class OpenScreen(Message):
    """Go to a screen."""

    name: str
