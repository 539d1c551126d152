"""The dashboard's app: five screens over one gateway, and the command line of `setgf-tui`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from tui import theme
from tui.gateway import Gateway
from tui.messages import FrameRead, NothingChanged, OpenRun, OpenScreen
from tui.screens.compare import CompareScreen
from tui.screens.data import StoresScreen
from tui.screens.help import HelpScreen, commands_of, keys_of
from tui.screens.queue import QueueScreen
from tui.screens.run import RunScreen
from tui.screens.runs import RunsScreen

if TYPE_CHECKING:
    from tui.screens.base import Clock, DataScreen

IDLE_READS_BEFORE_LEAVING = 3


class Dashboard(App[int]):
    """The app; screens do the work, this only switches between them."""

    TITLE = "setgf"
    ENABLE_COMMAND_PALETTE = True
    CSS = """
    Screen { background: $background; color: $foreground; }
    #body { height: 1fr; }
    StateView { display: none; }
    .-no-data #body { display: none; }
    .-no-data StateView { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "go('runs')", "runs", show=False),
        Binding("2", "go('queue')", "queue", show=False),
        Binding("3", "go('run')", "run", show=False),
        Binding("4", "go('compare')", "compare", show=False),
        Binding("5", "go('data')", "data", show=False),
        Binding("ctrl+t", "switch_ground", "light or dark", show=False),
        Binding("question_mark", "help", "help", key_display="?"),
        Binding("q", "quit", "quit"),
        Binding("ctrl+c", "quit", "quit", show=False, system=True),
    ]

    def __init__(
        self,
        gateway: Gateway,
        *,
        time: Clock = time.time,
        first: str = "runs",
        until_idle: bool = False,
    ) -> None:
        super().__init__()
        self.gateway = gateway
        self._first, self._until_idle = first, until_idle
        self._idle_reads = 0
        self._is_idle = False
        for name, make in screens(gateway, time).items():
            self.add_mode(name, make)  # pyright: ignore[reportUnknownMemberType]

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return variables of ours for themes that are not ours."""
        return theme.DEFAULT_VARIABLES

    def on_mount(self) -> None:
        """Show the first screen."""
        self.register_theme(theme.DARK)
        self.register_theme(theme.LIGHT)
        self.theme = theme.DARK.name
        self.switch_mode(self._first)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Yield every action of the screen for the command palette, with its key."""
        yield from commands_of(screen, self.run_action)
        yield SystemCommand("Theme", "Choose another theme", self.action_change_theme)

    def on_frame_read(self, message: FrameRead) -> None:
        """Remember whether the queue is empty."""
        self._is_idle = message.frame.counts.is_idle
        self._leave_when_idle()

    def on_nothing_changed(self, _message: NothingChanged) -> None:
        """The queue is as it was."""
        self._leave_when_idle()

    def _leave_when_idle(self) -> None:
        """Leave once the queue has stayed empty for some looks, if that was asked for."""
        self._idle_reads = self._idle_reads + 1 if self._is_idle else 0
        if self._until_idle and self._idle_reads >= IDLE_READS_BEFORE_LEAVING:
            self.exit(0)

    async def on_open_run(self, message: OpenRun) -> None:
        """Show a run on the Run screen."""
        await self.switch_mode(RunScreen.NAME)
        if isinstance(self.screen, RunScreen):
            self.screen.open_run(message.run_id)

    def on_open_screen(self, message: OpenScreen) -> None:
        """Go to the screen that was clicked."""
        self.switch_mode(message.name)

    def action_go(self, name: str) -> None:
        """Go to a screen."""
        self.switch_mode(name)

    def action_switch_ground(self) -> None:
        """Switch between dark and light."""
        self.theme = theme.LIGHT.name if self.current_theme.dark else theme.DARK.name

    def action_help(self) -> None:
        """Show the keys of this screen."""
        self.push_screen(HelpScreen(self.screen.name or "", keys_of(self.screen)))


def screens(gateway: Gateway, clock: Clock) -> dict[str, Callable[[], DataScreen]]:
    """Return what makes each screen, by its name."""
    classes: Sequence[type[DataScreen]] = (
        RunsScreen,
        QueueScreen,
        RunScreen,
        CompareScreen,
        StoresScreen,
    )
    return {cls.NAME: partial(cls, gateway, clock) for cls in classes}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `setgf-tui`; return its exit code."""
    from tui.command_line import run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
