"""Screen 3: everything of one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import ContentSwitcher

from tui.gateway import Gateway, GatewayError
from tui.messages import OpenScreen
from tui.plotting.choices import XAxis
from tui.run_records import RunBody
from tui.screens.base import Clock
from tui.screens.curves import CurvesScreen
from tui.screens.run_charts import ChartsTab
from tui.screens.run_config import AboutTab, ConfigTab
from tui.screens.run_confusion import ConfusionTab
from tui.screens.run_labels import LabelsTab
from tui.screens.run_log import LogTab
from tui.screens.run_predictions import PredictionsTab
from tui.screens.run_system import SystemTab
from tui.screens.run_tab import RunTab
from tui.screens.run_tables import EpochsTab, EventsTab, FilesTab
from tui.widgets.run_summary import RunSummary
from tui.widgets.tab_line import TabLine

TAB_CLASSES: tuple[type[RunTab], ...] = (
    ChartsTab,
    EpochsTab,
    ConfigTab,
    LogTab,
    EventsTab,
    ConfusionTab,
    PredictionsTab,
    LabelsTab,
    SystemTab,
    AboutTab,
    FilesTab,
)
TABS = tuple(cls.NAME for cls in TAB_CLASSES)

CURVE_ACTIONS = ("smooth", "log_y", "next_x", "style")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What the Run screen asks for."""

    run_id: str
    """Empty for the newest."""
    tab: str
    choice: object = None
    """What the tab's part depends on besides the run."""


class RunScreen(CurvesScreen):
    """One run, in tabs."""

    NAME = "run"
    EMPTY = ("No run yet.", "\nOpen one with `enter` on the Runs screen.")
    DEFAULT_CSS = """
    RunScreen #run { height: 1fr; }
    RunScreen ContentSwitcher { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "tab(1)", "next tab"),
        Binding("shift+tab", "tab(-1)", "previous tab", show=False),
        Binding("escape", "back", "back"),
    ]

    def __init__(self, gateway: Gateway, time: Clock) -> None:
        super().__init__(gateway, time)
        self._run_id = ""
        self._tab = TABS[0]
        self._tabs: Mapping[str, RunTab] = {cls.NAME: cls() for cls in TAB_CLASSES}
        cast(AboutTab, self._tabs[AboutTab.NAME]).is_read_only = gateway.read_only
        self.look = replace(self.look, x_axis=XAxis.EPOCH)
        self.show_curves()

    def compose_body(self) -> ComposeResult:
        """Yield the summary, the tabs and what they hold."""
        with Vertical(id="run"):
            yield RunSummary()
            yield TabLine(TABS)
            with ContentSwitcher(initial=TABS[0]):
                yield from self._tabs.values()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return False for the keys of curves where none of the run's series are drawn."""
        if action in CURVE_ACTIONS and self._tab != ChartsTab.NAME:
            return False
        return super().check_action(action, parameters)

    @property
    def tab(self) -> RunTab:
        """The open tab."""
        return self._tabs[self._tab]

    @property
    def body(self) -> RunBody:
        """What is shown now."""
        return cast(RunBody, self.frame.body) if self.frame else RunBody()

    def open_run(self, run_id: str) -> None:
        """Show another run."""
        if run_id != self._run_id:
            self._run_id = run_id
            for tab in self._tabs.values():
                tab.forget()
            self.tab.wait()
            self.reread()

    def candidate(self) -> str:
        """Return the run: the baseline key pins it."""
        return self.body.detail.run.id if self.body.detail else ""

    def run_id_here(self) -> str | None:
        """Return the run: it can be run again with edits."""
        return self.candidate() or None

    # Reading

    def request(self) -> RunRequest:
        """Ask for the run and for what the open tab shows."""
        charts = cast(ChartsTab, self._tabs[ChartsTab.NAME])
        charts.baseline = self.baseline
        return RunRequest(run_id=self._run_id, tab=self._tab, choice=self.tab.choice())

    def read(self, request: RunRequest) -> RunBody:
        """Read the run and the open tab's part; where only the part fails, the tab says so."""
        run_id = request.run_id or next((run.id for run in self.gateway.list_runs()), "")
        detail = self.gateway.run_detail(run_id) if run_id else None
        if detail is None:
            return RunBody()
        body = RunBody(detail=detail, tab=request.tab)
        try:
            part = self._tabs[request.tab].read(self.gateway, detail, request.choice)
        except GatewayError as error:
            return replace(body, problem=str(error))
        return replace(body, part=part)

    def grows_old(self) -> bool:
        """Return True while the run lives: its log grows, and its points where no worker is."""
        detail = self.body.detail
        return detail is not None and detail.run.state.is_live

    def ticks(self) -> bool:
        """Return True while a run lives: its time grows."""
        return self.grows_old()

    def has_nothing(self, body: RunBody) -> bool:
        """Return True when there is no run to show."""
        return body.detail is None

    # Showing

    def show_body(self, body: RunBody) -> None:
        """Hand the run to the summary and its part to its tab."""
        detail = body.detail
        if detail is None:
            return
        now = self.frame.read_at if self.frame else 0.0
        self.query_one(RunSummary).show(detail.run, now)
        self._tabs[body.tab].receive(body, now)
        if self.focused is None:
            self._focus_tab()

    def show_curves(self) -> None:
        """Draw the charts anew; the look has changed."""
        charts = cast(ChartsTab, self._tabs[ChartsTab.NAME])
        charts.show_look(self.look, self.baseline)

    def describe(self) -> str:
        """Return what the open tab shows; why the run failed goes before it."""
        detail = self.body.detail
        if detail is None:
            return ""
        run = detail.run
        if run.error:
            return " ".join(run.error.split())
        return self.tab.describe() or f"run {run.id} · attempt {run.attempt}"

    def on_run_tab_wanted(self) -> None:
        """Read what the tab wants now."""
        self.poll()

    def on_run_tab_said(self) -> None:
        """Say anew what one looks at."""
        self.show_status()

    def on_about_tab_changed(self, message: AboutTab.Changed) -> None:
        """Change note or tags of the run."""
        run = self.body.detail.run if self.body.detail else None
        if run is None:
            return
        if message.note is not None:
            self.act(partial(self.gateway.note_runs, {run.id: message.note}))
        for word in message.tags:
            tag, present = word.lstrip("+-"), not word.startswith("-")
            if tag and (tag in run.tags) != present:
                self.act(partial(self.gateway.tag_runs, [run.id], tag, present=present))

    def on_table_highlighted(self) -> None:
        """Say anew what one looks at."""
        self.show_status()

    # Keys

    def action_tab(self, direction: int) -> None:
        """Open the next tab."""
        self._open_tab(TABS[(TABS.index(self._tab) + direction) % len(TABS)])

    def on_tab_line_chosen(self, message: TabLine.Chosen) -> None:
        """Open the tab that was clicked."""
        self._open_tab(message.name)

    def _open_tab(self, name: str) -> None:
        self._tab = name
        self.minimize()
        self.query_one(TabLine).current = name
        self.query_one(ContentSwitcher).current = name
        self.tab.wait()
        self._focus_tab()
        self.show_status()
        self.reread()

    def _focus_tab(self) -> None:
        if self.tab.is_shown:
            self.tab.focus_content()
        else:
            self.tab.focus()

    def action_back(self) -> None:
        """Leave the full-screen chart, else the run."""
        if self.maximized is not None:
            self.minimize()
        else:
            self.post_message(OpenScreen("runs"))
