"""The dashboard's app: its screens over one gateway, and the command line of `setgf-tui`."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from time import localtime, monotonic, strftime
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.events import Event, Key
from textual.filter import ANSIToTruecolor, LineFilter
from textual.screen import Screen

from tui import theme
from tui.gateway import Gateway
from tui.lookout import Lookout
from tui.messages import FrameRead, News, NothingChanged, OpenRun, OpenScreen
from tui.plotting.glyphs import ASCII, UNICODE
from tui.stylesheet import KeptStylesheet
from tui.terminal import Abilities, AsciiFilter, ContrastFilter, PlainFilter
from tui.tight_output import TightUpdate
from tui.watching import WATCH_SECONDS, Watch

if TYPE_CHECKING:
    from tui.screens.base import Clock, DataScreen

IDLE_READS_BEFORE_LEAVING = 3
SWITCH_SECONDS = 0.005
REST_SECONDS, MOST_PUT_OFF_SECONDS = 0.15, 2.0
"""News waits until no key has come for so long, but not longer than that."""
SCREEN_CLASSES: Mapping[str, tuple[str, str]] = {
    "runs": ("tui.screens.runs", "RunsScreen"),
    "queue": ("tui.screens.queue", "QueueScreen"),
    "run": ("tui.screens.run", "RunScreen"),
    "compare": ("tui.screens.compare", "CompareScreen"),
    "data": ("tui.screens.data", "StoresScreen"),
    "events": ("tui.screens.events", "EventsScreen"),
}
"""Where each screen is; one is loaded when it is first opened, so that the first comes fast."""


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
        Binding("6", "go('events')", "events", show=False),
        Binding("a", "add_job", "add job", show=False),
        Binding("R", "run_again", "run again with edits", show=False),
        Binding("exclamation_mark", "alerts", "alerts", key_display="!", show=False),
        Binding("ctrl+e", "save_picture", "save a picture of this", show=False),
        Binding("ctrl+t", "next_theme", "next theme", show=False),
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
        abilities: Abilities | None = None,
        theme_name: str = "",
        watches: bool = True,
    ) -> None:
        """Make the app.

        Args:
            gateway: what the screens ask.
            time: seconds since the epoch.
            first: screen to begin with.
            until_idle: leave when nothing waits in the queue and nothing runs.
            abilities: of the terminal; None is one that can do everything.
            theme_name: theme instead of the remembered one.
            watches: tell of failures and the like; a picture wants none of it.
        """
        self.DEFAULT_MODE = first  # pyright: ignore[reportIncompatibleVariableOverride, reportConstantRedefinition, reportAttributeAccessIssue]
        super().__init__()
        self.gateway = gateway
        self.abilities = Abilities(has_colour=not self.no_color) if abilities is None else abilities
        self.glyphs = ASCII if self.abilities.is_ascii else UNICODE
        self.no_color = not self.abilities.has_colour
        self.watch_ = Watch(self, gateway, time, self._show_alerts)
        self._clock, self._watches = time, watches
        self._watched_at = monotonic()  # the first frame comes first
        self._pressed_at = self._put_off_since = 0.0
        self._lookout = Lookout(gateway, lambda: self.post_message(News()), always=until_idle)
        self._until_idle, self._theme_name = until_idle, theme_name
        self._idle_reads = 0
        self._is_idle = False
        self._contrast = ContrastFilter(enabled=False)
        self._begin_with_theme()
        self._set_filters()
        for name in SCREEN_CLASSES:
            self.add_mode(name, partial(make_screen, name, gateway, time))  # pyright: ignore[reportUnknownMemberType]

    def _set_filters(self) -> None:
        """Bring everything that is drawn to what the terminal can show."""
        ours: list[LineFilter] = [self._contrast]
        if not self.abilities.has_colour:
            ours = [PlainFilter()]
        if self.abilities.is_ascii:
            ours.append(AsciiFilter())
        exact = ANSIToTruecolor(self.ansi_theme, enabled=not self.native_ansi_color)
        self._filters: list[LineFilter] = [exact, *ours]

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return variables of ours for themes that are not ours."""
        return theme.DEFAULT_VARIABLES

    def delay_update(self, delay: float = SWITCH_SECONDS) -> None:
        """Wait with the next paint until another screen is there; the toolkit waits longer."""
        super().delay_update(delay)

    def _display(self, screen: Screen[object], renderable: Any) -> None:
        """Write an update in few bytes."""
        if isinstance(renderable, ChopsUpdate | LayoutUpdate):
            renderable = TightUpdate(renderable)
        super()._display(screen, renderable)  # pyright: ignore[reportUnknownMemberType]

    def on_mount(self) -> None:
        """Begin to look for what is to be told; the first screen is there already."""
        self.theme_changed_signal.subscribe(self, self._theme_changed)
        for notice in self.gateway.remembered.notices:
            self.notify(notice, severity="warning", markup=False)
        self._lookout.start()

    def on_unmount(self) -> None:
        """Look for nothing any more."""
        self._lookout.stop()

    async def on_event(self, event: Event) -> None:
        """Notice when keys are coming."""
        if isinstance(event, Key):
            self._pressed_at = monotonic()
        await super().on_event(event)

    def _keys_come_first(self) -> bool:
        """Put news off while keys are coming, for a while at most; return whether it was."""
        now = monotonic()
        since = self._put_off_since or now
        if now - self._pressed_at >= REST_SECONDS or now - since >= MOST_PUT_OFF_SECONDS:
            self._put_off_since = 0.0
            return False
        if not self._put_off_since:
            self._put_off_since = since
            self.set_timer(REST_SECONDS, self._tell_again)
        return True

    def _tell_again(self) -> None:
        """Tell the news that was put off, wait on, or do nothing where it was told meanwhile."""
        if not self._put_off_since:
            return
        if self._keys_come_first():
            self.set_timer(REST_SECONDS, self._tell_again)
        else:
            self._pass_on_news()

    def on_news(self) -> None:
        """Pass on the news, at once or once keys rest."""
        if not self._keys_come_first():
            self._pass_on_news()

    def _pass_on_news(self) -> None:
        """Let the screens that can be seen look for what has changed, and tell of alerts."""
        if not gc.isenabled():  # what there is by now stays: it need not be looked through again
            gc.freeze()
            gc.enable()
        for screen in self.screen_stack:
            poll = getattr(screen, "poll", None)
            if poll is not None:
                poll()
        if self._watches and monotonic() - self._watched_at >= WATCH_SECONDS:
            self._watched_at = monotonic()
            self.watch_.look()

    def _begin_with_theme(self) -> None:
        """Put the theme in force before anything is parsed: a later change parses all anew."""
        for one in (*theme.OURS, theme.MONO):
            self.register_theme(one)
        names = (self._theme_name, self.gateway.remembered.settings.theme, theme.DARK.name)
        known = next(name for name in names if name in self.available_themes)
        chosen = known if self.abilities.has_colour else theme.MONO.name
        self.set_reactive(Dashboard.theme, chosen)
        dark = self.current_theme.dark
        for name, is_so in ((f"-theme-{chosen}", True), ("-dark-mode", dark)):
            self.set_class(is_so, name, update=False)
        self.set_class(not dark, "-light-mode", update=False)
        self._contrast.enabled = chosen == theme.CONTRAST.name
        self.stylesheet = KeptStylesheet(variables=self.get_css_variables())

    def _theme_changed(self, chosen: Any) -> None:
        """Remember a theme that was chosen here: not that of an option, nor of a poor terminal."""
        self._contrast.enabled = chosen.name == theme.CONTRAST.name
        remembered = self.gateway.remembered
        known = (theme.MONO.name, self._theme_name, remembered.settings.theme)
        if chosen.name not in known:
            remembered.remember(replace(remembered.settings, theme=chosen.name))

    def watch_theme(self, theme_name: str) -> None:
        """Raise the contrast before the first paint in a theme that asks for it."""
        self._contrast.enabled = theme_name == theme.CONTRAST.name

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Yield every action for the command palette, with its key; those of here first."""
        from tui.screens.help import commands_elsewhere, commands_of

        yield from commands_of(screen, self.run_action)
        for name, (module, class_name) in SCREEN_CLASSES.items():
            if name != screen.name:
                there = getattr(import_module(module), class_name)
                yield from commands_elsewhere(name, there, partial(self._do_on, name))
        yield SystemCommand("Theme", "Choose another theme", self.action_change_theme)

    async def _do_on(self, name: str, action: str) -> None:
        """Go to a screen and do one of its actions there."""
        await self.switch_mode(name)
        await self.run_action(action, self.screen)

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
        from tui.screens.run import RunScreen

        await self.switch_mode(RunScreen.NAME)
        if isinstance(self.screen, RunScreen):
            self.screen.open_run(message.run_id)

    def on_open_screen(self, message: OpenScreen) -> None:
        """Go to the screen that was clicked."""
        self.switch_mode(message.name)

    def action_go(self, name: str) -> None:
        """Go to a screen."""
        self.switch_mode(name)

    def action_next_theme(self) -> None:
        """Go from dark to light to high contrast."""
        if not self.abilities.has_colour:
            self.notify("Without colour there is one theme.")
            return
        names = [one.name for one in theme.OURS]
        place = names.index(self.theme) + 1 if self.theme in names else 0
        self.theme = names[place % len(names)]

    def action_save_picture(self) -> None:
        """Save what is on the screen as an SVG in the current folder."""
        from setgf.errors import ConfigError
        from tui.screenshot import screen_svg, write

        stamp = strftime("%m%d-%H%M%S", localtime(self._clock()))
        path = Path.cwd() / f"setgf-{'-'.join((self.screen.name or 'screen').split())}-{stamp}.svg"
        try:
            write(screen_svg(self), path)
        except ConfigError as error:
            self.notify(str(error), severity="error", markup=False)
        else:
            self.notify(f"Saved {path}", markup=False)

    def action_help(self) -> None:
        """Show the keys of this screen."""
        from tui.screens.help import HelpScreen, keys_of

        self.push_screen(HelpScreen(self.screen.name or "", keys_of(self.screen)))

    # Jobs and alerts, from everywhere

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return False for actions where nothing may be changed."""
        del parameters
        return not (self.gateway.read_only and action in ("add_job", "run_again"))

    def action_add_job(self) -> None:
        """Open the New job form."""
        self._open_form("")

    def action_run_again(self) -> None:
        """Open the New job form filled in as the run under the cursor."""
        here = getattr(self.screen, "run_id_here", None)
        run_id = cast("str | None", here()) if here is not None else None
        if run_id is None:
            self.notify("Go to a run or a job first.")
        else:
            self._open_form(run_id)

    def _open_form(self, run_id: str) -> None:
        from tui.screens.new_job import NewJobScreen

        def added(report: str | None) -> None:
            if report:
                self.notify(f"{report} U takes it back.", markup=False)
                reread = getattr(self.screen, "reread", None)
                if reread is not None:
                    reread()

        self.push_screen(NewJobScreen(self.gateway, self._clock, run_id=run_id), added)

    def action_alerts(self) -> None:
        """Show the alerts nobody has seen."""
        from tui.screens.alerts import AlertsScreen

        def seen(run_id: str | None) -> None:
            self.watch_.all_seen()
            if run_id:
                self.post_message(OpenRun(run_id))

        self.push_screen(AlertsScreen(self.watch_.alerts.unseen), seen)

    def _show_alerts(self) -> None:
        """Say on every screen how many alerts nobody has seen."""
        from tui.widgets.chrome import Header

        for screen in self.screen_stack:
            for header in screen.query(Header):
                header.alerts = len(self.watch_.alerts.unseen)


def make_screen(name: str, gateway: Gateway, clock: Callable[[], float]) -> DataScreen:
    """Return a new screen by its name."""
    module, class_name = SCREEN_CLASSES[name]
    return getattr(import_module(module), class_name)(gateway, clock)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `setgf-tui`; return its exit code."""
    from tui.command_line import run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
