"""How every screen reads: a timer asks a thread, the thread posts one frozen frame.

Nothing is repainted when nothing changed; what can't be read is a state of the screen, shown with
the data there was, and tried again until it works.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.events import Resize
from textual.reactive import reactive
from textual.screen import Screen

from tui.formatting import Role, clock
from tui.gateway import Gateway, GatewayError, MissingError
from tui.messages import (
    ActionDone,
    ActionFailed,
    FrameRead,
    NothingChanged,
    ReadFailed,
)
from tui.records import Frame
from tui.widgets.chrome import Header, KeyLine, StateView, StatusLine
from tui.widgets.dialogs import Confirm
from tui.widgets.host import host

REREAD_SECONDS, REST_SECONDS = 5.0, 10.0
"""After this long a screen that shows what grows old by itself reads again, changed or not; the
second counts while nothing but the time has changed."""
NARROW, SHORT = 110, 30

Clock = Callable[[], float]


class DataScreen(Screen[None], inherit_bindings=False):
    """A screen that shows one frozen body."""

    NAME: ClassVar[str] = ""
    EMPTY: ClassVar[tuple[str, str]] = ("Nothing here yet.", "")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "app.focus_next", "next pane", show=False),
        Binding("shift+tab", "app.focus_previous", "previous pane", show=False),
        Binding("f5", "reread", "read again", show=False),
    ]
    AUTO_FOCUS = ""

    frame: reactive[Frame | None] = reactive(None, init=False, repaint=False)
    problem: reactive[str] = reactive("", init=False, repaint=False)

    def __init__(self, gateway: Gateway, time: Clock) -> None:
        super().__init__(name=self.NAME)
        self.gateway = gateway
        self.time = time
        self._is_missing = False
        self._is_busy = False
        self._is_stale = False
        self._seen_request: object = None
        self._seen_version: int | None = None
        self._looked_at = 0.0
        self._rest = REREAD_SECONDS

    # What a screen must say

    def compose_body(self) -> ComposeResult:
        """Yield the widgets that show the data."""
        yield from ()

    def request(self) -> object:
        """Return what to read, as a frozen value; called on the screen's own thread."""
        return None

    def read(self, request: Any) -> object:
        """Return the body for a request; called in a thread, touches no widget."""
        raise TypeError(f"{type(self).__name__} reads nothing for {request!r}.")

    def show_body(self, body: Any) -> None:
        """Hand a new body to the widgets."""

    def has_nothing(self, body: Any) -> bool:
        """Return True when there is nothing to show."""
        return not body

    def grows_old(self) -> bool:
        """Return True while what is shown changes without any change in the database."""
        return False

    def ticks(self) -> bool:
        """Return True while durations are shown that grow with the clock."""
        return False

    def describe(self) -> str:
        """Return what one is looking at, for the status line."""
        return ""

    # Frame around it

    def compose(self) -> ComposeResult:
        """Yield header, body, status and keys."""
        yield Header(self.NAME)
        with Container(id="body"):
            yield from self.compose_body()
        yield StateView()
        yield StatusLine()
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin to look for news; the app says when there is more."""
        self._show_state()
        self.poll()

    def on_screen_resume(self) -> None:
        """Catch up after another screen was shown."""
        watch = getattr(host(self), "watch_", None)
        if watch is not None:
            self.query_one(Header).alerts = len(watch.alerts.unseen)
        self.poll()

    def on_resize(self, event: Resize) -> None:
        """Stack what does not fit side by side."""
        self.set_class(event.size.width < NARROW, "-narrow")
        self.set_class(event.size.height < SHORT, "-short")

    # Reading

    @property
    def is_reading(self) -> bool:
        """True while a thread looks for news."""
        return self._is_busy

    def poll(self) -> None:
        """Look for news, unless this screen can't be seen or is looking already."""
        if self not in host(self).screen_stack:
            return
        if self._is_busy:
            self._is_stale = True
            return
        self._is_busy = True
        self._is_stale = False
        is_old = self.grows_old() and self.time() - self._looked_at >= self._rest
        version = None if is_old else self._seen_version
        job = partial(self._look, self.request(), self._seen_request, version)
        self.run_worker(job, thread=True, group="read")

    def reread(self) -> None:
        """Read again now, changed or not."""
        self._seen_version = None
        self.poll()

    def action_reread(self) -> None:
        """Read again now."""
        self.reread()

    def _look(self, request: object, seen: object, seen_version: int | None) -> None:
        """Read when there may be something new; post exactly one message."""
        now = self.time()
        try:
            version = self.gateway.version()
            if request == seen and version == seen_version:
                self.post_message(NothingChanged())
                return
            frame = Frame(counts=self.gateway.counts(), body=self.read(request), read_at=now)
        except GatewayError as error:
            self.post_message(ReadFailed(str(error), isinstance(error, MissingError)))
            return
        self.post_message(FrameRead(frame, request, version))

    def on_frame_read(self, message: FrameRead) -> None:
        """Show what was read, if it differs from what is shown."""
        self._seen_request, self._seen_version = message.request, message.version
        self._looked_at = message.frame.read_at
        self._is_missing = False
        self.problem = ""
        old, new = self.frame, message.frame
        is_news = old is None or (old.counts, old.body) != (new.counts, new.body)
        self._rest = REREAD_SECONDS if is_news else REST_SECONDS
        if old is None or is_news or self._has_aged(old, new):
            self.frame = new
        self._look_finished()

    def _has_aged(self, old: Frame, new: Frame) -> bool:
        """Return whether durations that are shown have grown."""
        return self.ticks() and new.read_at - old.read_at >= REREAD_SECONDS

    def on_nothing_changed(self, _message: NothingChanged) -> None:
        """Keep what is shown."""
        self.problem = ""
        self._look_finished()

    def on_read_failed(self, message: ReadFailed) -> None:
        """Say what is wrong; keep the data there was."""
        self._is_missing = message.is_missing
        self._seen_version = None
        self.problem = message.problem
        self._look_finished()

    def _look_finished(self) -> None:
        self._is_busy = False
        if self._is_stale:
            self.poll()

    def watch_frame(self, frame: Frame | None) -> None:
        """Hand a new frame to the widgets."""
        if frame is not None:
            header = self.query_one(Header)
            header.counts, header.read_at = frame.counts, frame.read_at
            self.show_body(frame.body)
        self._show_state()

    def watch_problem(self) -> None:
        """Show or clear what is wrong."""
        self._show_state()

    def _show_state(self) -> None:
        frame = self.frame
        has_data = frame is not None and not self.has_nothing(frame.body)
        self.set_class(not has_data, "-no-data")
        status = self.query_one(StatusLine)
        status.problem = self._problem_with_age() if has_data else ""
        status.looking_at = self.describe() if has_data else self.gateway.place
        view = self.query_one(StateView)
        if self.problem:
            view.title = "No run database yet." if self._is_missing else "Can't read the data."
            view.detail = f"\n{self.problem}\n\nThis screen looks again by itself."
            view.role = Role.STRONG if self._is_missing else Role.BAD
        elif frame is None:
            view.title, view.detail, view.role = "Reading ...", "", Role.DIM
        else:
            view.title, view.detail = self.EMPTY
            view.role = Role.STRONG

    def _problem_with_age(self) -> str:
        if not self.problem or self.frame is None:
            return ""
        return f"Shown as of {clock(self.frame.read_at)}: {self.problem}"

    def show_status(self) -> None:
        """Say anew what one is looking at."""
        self._show_state()

    # Doing

    def act(self, action: Callable[[], str]) -> None:
        """Carry out an action in a thread; its outcome comes as a message."""
        self.run_worker(partial(self._act, action), thread=True, group="act")

    def _act(self, action: Callable[[], str]) -> None:
        try:
            self.post_message(ActionDone(action()))
        except GatewayError as error:
            self.post_message(ActionFailed(str(error)))

    def act_after_asking(self, question: str, detail: str, action: Callable[[], str]) -> None:
        """Carry out an action once the user has said yes."""

        def answered(is_sure: bool | None) -> None:
            if is_sure:
                self.act(action)

        host(self).push_screen(Confirm(question, detail), answered)

    def on_action_done(self, message: ActionDone) -> None:
        """Say what was done and show its effect at once."""
        if message.report:
            self.notify(message.report)
        self.reread()

    def on_action_failed(self, message: ActionFailed) -> None:
        """Say what was not done."""
        self.notify(message.problem, title="Not done", severity="error")
        self.reread()
