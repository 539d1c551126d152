"""Screen 3: everything of one run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import ContentSwitcher

from db.records import Event, Points, RunDetail
from tui.formatting import plural, size
from tui.gateway import Gateway
from tui.messages import OpenScreen
from tui.plotting.lines import XAxis
from tui.records import LogText, RunBody
from tui.screens import run_parts as parts
from tui.screens.base import Clock
from tui.screens.curves import CurvesScreen, chart_data
from tui.screens.run_parts import EpochRow, PredictionRow, SettingRow
from tui.widgets.chart_grid import ChartGrid
from tui.widgets.line_chart import ChartData
from tui.widgets.log_tail import LogTail
from tui.widgets.run_summary import RunSummary
from tui.widgets.tab_line import TabLine
from tui.widgets.table import Table

TABS = ("charts", "metrics", "config", "log", "events", "predictions")
MAX_POINTS = 1000
LOG_BYTES = 262_144
SPLIT = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What the Run screen asks for."""

    run_id: str
    """Empty for the newest."""
    tab: str


class RunScreen(CurvesScreen):
    """One run, in tabs."""

    NAME = "run"
    EMPTY = ("No run yet.", "\nOpen one with `enter` on the Runs screen.")
    DEFAULT_CSS = """
    RunScreen Vertical { height: 1fr; }
    RunScreen ContentSwitcher { height: 1fr; }
    RunScreen Table { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "tab(1)", "next tab"),
        Binding("shift+tab", "tab(-1)", "previous tab", show=False),
        Binding("escape", "back", "back"),
        Binding("x", "next_x", "x-axis"),
    ]

    def __init__(self, gateway: Gateway, time: Clock) -> None:
        super().__init__(gateway, time)
        self._run_id = ""
        self._tab = TABS[0]
        self.look = replace(self.look, x_axis=XAxis.EPOCH)

    def compose_body(self) -> ComposeResult:
        """Yield the summary, the tabs and what they hold."""
        with Vertical():
            yield RunSummary()
            yield TabLine(TABS)
            with ContentSwitcher(initial="charts"):
                yield ChartGrid(id="charts")
                yield Table[EpochRow]((), lambda r: str(r.epoch), id="metrics")
                yield Table[SettingRow](
                    parts.SETTING_COLUMNS, lambda r: f"{r.is_heading}{r.name}", id="config"
                )
                yield LogTail(id="log")
                yield Table[Event](
                    parts.EVENT_COLUMNS, lambda e: str(e.id), sorting=("at", True), id="events"
                )
                yield Table[PredictionRow](
                    parts.PREDICTION_COLUMNS,
                    lambda r: r.prediction.sample_id,
                    sorting=("error", True),
                    id="predictions",
                )

    def open_run(self, run_id: str) -> None:
        """Show another run."""
        if run_id != self._run_id:
            self._run_id = run_id
            self.reread()

    # Reading

    def request(self) -> RunRequest:
        """Ask for the run and for what the open tab shows."""
        return RunRequest(run_id=self._run_id, tab=self._tab)

    def read(self, request: RunRequest) -> RunBody:
        """Read the run and the open tab's part."""
        run_id = request.run_id or next((run.id for run in self.gateway.list_runs()), "")
        detail = self.gateway.run_detail(run_id) if run_id else None
        if detail is None:
            return RunBody()
        body = RunBody(detail=detail)
        if request.tab == "charts":
            wanted = [n for _, names in parts.chart_groups(detail.summaries) for n in names]
            return replace(body, points=self._points(run_id, wanted))
        if request.tab == "metrics":
            return replace(body, points=self._points(run_id, epoch_series(detail)))
        if request.tab == "log":
            return replace(body, log=self.gateway.read_log(run_id, LOG_BYTES))
        if request.tab == "events":
            return replace(body, events=self.gateway.list_events(run_id))
        if request.tab == "predictions":
            found = self.gateway.list_predictions(run_id, SPLIT)
            texts = self.gateway.list_transcripts(detail.run.data_name, SPLIT) if found else {}
            return replace(body, predictions=found, transcripts=texts)
        return body

    def _points(self, run_id: str, names: list[str]) -> tuple[Points, ...]:
        read = (self.gateway.read_points([run_id], name, MAX_POINTS) for name in names)
        return tuple(points for found in read for points in found)

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

    @property
    def body(self) -> RunBody:
        """What is shown now."""
        return cast(RunBody, self.frame.body) if self.frame else RunBody()

    def show_body(self, body: RunBody) -> None:
        """Hand the run to the summary and its part to the open tab."""
        detail = body.detail
        if detail is None:
            return
        now = self.frame.read_at if self.frame else 0.0
        self.query_one(RunSummary).show(detail.run, now)
        if self._tab == "charts":
            self.show_curves()
        elif self._tab == "metrics":
            self._show_epochs(detail, body.points)
        elif self._tab == "config":
            self._table("config").show(parts.setting_rows(detail))
        elif self._tab == "log":
            self.query_one(LogTail).show(body.log or LogText(path="", lines=()))
        elif self._tab == "events":
            self._table("events").show(body.events)
        else:
            self._table("predictions").show(
                PredictionRow(p, body.transcripts.get(p.sample_id, "")) for p in body.predictions
            )
        if not isinstance(self.focused, Table | LogTail) and self.focused is None:
            self._focus_part()

    def show_curves(self) -> None:
        """Draw every chart that has points."""
        detail = self.body.detail
        if self._tab != "charts" or detail is None:
            return
        charts = [
            self._chart(title, names) for title, names in parts.chart_groups(detail.summaries)
        ]
        hint = ChartData(title="charts", hint="No points yet: the run has not trained a step.")
        self.query_one(ChartGrid).show(charts or [hint])

    def _chart(self, title: str, names: tuple[str, ...]) -> ChartData:
        found = [points for points in self.body.points if points.series in names]
        return chart_data(
            title,
            found,
            self.look,
            labels={name: parts.short_name(name, names) for name in names},
            slots={name: place for place, name in enumerate(names)},
            by_series=True,
            is_growing=self.grows_old(),
            hint="No points yet.",
        )

    def _show_epochs(self, detail: RunDetail, points: tuple[Points, ...]) -> None:
        table = cast("Table[EpochRow]", self._table("metrics"))
        table.columns = parts.epoch_columns(epoch_series(detail))
        table.show(parts.epoch_rows(points, detail.run.best_epoch))

    def _table(self, part: str) -> Table[object]:
        return cast("Table[object]", self.query_one(f"#{part}", Table))

    def describe(self) -> str:
        """Return what the open tab shows."""
        body = self.body
        if body.detail is None:
            return ""
        run = body.detail.run
        if run.error:
            return " ".join(run.error.split())
        if self._tab == "log" and body.log is not None and body.log.path:
            cut = " (its end)" if body.log.is_cut else ""
            return body.log.path + cut
        if self._tab == "predictions":
            if not body.predictions:
                return "Predictions are stored at the end of the run."
            return f"{plural(len(body.predictions), 'prediction')} on {SPLIT}, worst first"
        files = body.detail.checkpoints
        kept = f" · {plural(len(files), 'checkpoint')}, {size(sum(f.size for f in files))}"
        return f"run {run.id} · attempt {run.attempt}{kept if files else ''}"

    # Keys

    def action_tab(self, direction: int) -> None:
        """Open the next tab."""
        self._open_tab(TABS[(TABS.index(self._tab) + direction) % len(TABS)])

    def on_tab_line_chosen(self, message: TabLine.Chosen) -> None:
        """Open the tab that was clicked."""
        self._open_tab(message.name)

    def _open_tab(self, tab: str) -> None:
        self._tab = tab
        self.minimize()
        self.query_one(TabLine).current = tab
        self.query_one(ContentSwitcher).current = tab
        self._focus_part()
        self.reread()

    def _focus_part(self) -> None:
        if self._tab == "charts":
            self.query_one(ChartGrid).focus_first()
        else:
            self.query_one(f"#{self._tab}").focus()

    def action_back(self) -> None:
        """Leave the full-screen chart, else the run."""
        if self.maximized is not None:
            self.minimize()
        else:
            self.post_message(OpenScreen("runs"))


def epoch_series(detail: RunDetail) -> list[str]:
    """Return the series with one value an epoch, the monitored one first."""
    monitored = f"valid.{detail.run.monitor.removeprefix('valid.')}"
    names = [name for name in detail.summaries if name.startswith("valid.")]
    return sorted(names, key=lambda name: (name != monitored, name.count("."), name))
