"""A tab of the Run screen: reads its part in a thread, shows it, or says why there is nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget

from db.records import RunDetail
from tui.formatting import Role
from tui.gateway import Gateway
from tui.run_records import RunBody
from tui.widgets.chrome import StateView

Nothing = tuple[str, str]
"""What stands in place of a part that is empty: a title, and what to do."""
PATIENCE_SECONDS = 0.2
"""So long nothing is said of a reading."""


class RunTab(Vertical, can_focus=True):
    """One tab; a part is a frozen value of its own."""

    NAME: ClassVar[str] = ""
    DEFAULT_CSS = """
    RunTab { height: 1fr; }
    RunTab > .content { height: 1fr; }
    RunTab Table { height: 1fr; }
    RunTab.-nothing > .content { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = []

    class Wanted(Message):
        """The tab wants other things to be read."""

    class Said(Message):
        """What the status line says of the tab has changed."""

    def __init__(self) -> None:
        super().__init__(id=self.NAME)
        self.detail: RunDetail | None = None
        self.part: Any = None
        self.now = 0.0

    def compose(self) -> ComposeResult:
        """Yield the content, and what stands for it."""
        with Vertical(classes="content"):
            yield from self.compose_content()
        view = StateView()
        view.display = False
        yield view

    # What a tab must say

    def compose_content(self) -> Iterator[Widget]:
        """Yield the widgets that show the part."""
        yield from ()

    def choice(self) -> object:
        """Return what the reading depends on besides the run, as a frozen value."""
        return None

    def read(self, gateway: Gateway, detail: RunDetail, choice: Any) -> object:
        """Return the part; called in a thread, touches no widget."""
        raise TypeError(f"{self.NAME} reads nothing of {detail.run.id}: {choice!r}, {gateway!r}.")

    def nothing(self, detail: RunDetail, part: Any) -> Nothing | None:
        """Return what to say where the part is empty; None when there is something to show."""
        del detail, part

    def show(self, detail: RunDetail, part: Any) -> None:
        """Hand the part to the widgets."""

    def describe(self) -> str:
        """Return what one is looking at, for the status line; empty for the run's own line."""
        return ""

    def focus_content(self) -> None:
        """Give the widget that matters the keys."""
        first = next((one for one in self.query("*") if one.can_focus), None)
        (first or self).focus()

    # What every tab does

    @property
    def is_shown(self) -> bool:
        """True when there is a part to look at."""
        return self.part is not None and not self.has_class("-nothing")

    def receive(self, body: RunBody, now: float) -> None:
        """Show what was read: the part, that it is empty, or why it could not be read."""
        detail = body.detail
        if detail is None or body.tab != self.NAME:
            return
        self.now = now
        had_part = self.part is not None
        if body.problem or body.part is None:
            self.part = None
            self._say("Can't read this.", f"\n{body.problem}", Role.BAD)
            return
        self.detail, self.part = detail, body.part
        said = self.nothing(detail, body.part)
        if said is not None:
            self._say(*said, Role.STRONG)
            return
        was_empty = self.has_class("-nothing") or not had_part
        self.set_class(False, "-nothing")
        self.query_one(StateView).display = False
        self.show(detail, body.part)
        if was_empty and self.has_focus:
            self.focus_content()

    def wait(self) -> None:
        """Say that the part is being read, unless it comes at once: that would only flicker."""
        if self.part is None:
            self.set_timer(PATIENCE_SECONDS, self._say_reading)

    def _say_reading(self) -> None:
        if self.part is None and not self.has_class("-nothing"):
            self._say("Reading ...", "", Role.DIM)

    def forget(self) -> None:
        """Show nothing of another run."""
        self.part = self.detail = None

    def _say(self, title: str, detail: str, role: Role) -> None:
        view = self.query_one(StateView)
        view.title, view.detail, view.role = title, detail, role
        view.display = True
        self.set_class(True, "-nothing")
        screen = self.screen
        if screen.focused is not None and screen.focused in self.query("*"):
            self.focus()


CHOOSING = (
    Binding("m", "choose", "choose what is shown"),
    Binding("comma", "step(-1)", "previous of it", show=False, key_display=","),
    Binding("full_stop", "step(1)", "next of it", show=False, key_display="."),
)
"""Keys of a tab that shows one of several things."""
FINDING = (
    Binding("slash", "find", "filter", key_display="/"),
    Binding("n", "next(1)", "next", show=False),
    Binding("N", "next(-1)", "previous", show=False),
)
"""Keys of a tab in which one looks for something."""


def stepped(names: tuple[str, ...], current: str, steps: int) -> str:
    """Return the name some steps after the current one, round and round."""
    place = names.index(current) if current in names else 0
    return names[(place + steps) % len(names)] if names else current
