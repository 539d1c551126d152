"""What every screen with curves shares: how to look at them, and the keys for that."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import takewhile
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from tui.plotting.choices import SMOOTHING_LEVELS, XAxis
from tui.plotting.scale import AxisKind
from tui.screens.base import DataScreen
from tui.settings import Settings
from tui.widgets.line_chart import ChartData, LineChart

if TYPE_CHECKING:
    from db.records import Checkpoint, Curve
    from tui.plotting.axes import Mark
    from tui.plotting.lines import Line

_SEED = re.compile(r"[-_ ]*s?\d*$")
_AXIS_KINDS = {XAxis.TIME: AxisKind.SECONDS, XAxis.CLOCK: AxisKind.CLOCK}


class Style(StrEnum):
    """What is drawn of the curves; the value is what the user reads."""

    LINES = ""
    """Smoothed lines, the raw ones faint behind."""
    SMOOTH = "without raw lines"
    BANDS = "mean and sd by variant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How curves are drawn."""

    x_axis: XAxis = XAxis.STEP
    smoothing: float = 0.9
    """Share of the past in the average; 0 shows raw values only."""
    log_y: bool = False
    style: Style = Style.LINES


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Who is drawn: names and colours by run id, or by series where `by_series`."""

    labels: Mapping[str, str]
    slots: Mapping[str, int]
    by_series: bool = False
    baseline: str = ""
    """The run the others are held against."""
    best_epochs: Mapping[str, int | None] = field(default_factory=dict[str, int | None])
    """By run id: stars on the lines."""
    groups: Mapping[str, str] = field(default_factory=dict[str, str])
    """By run id: what is averaged where bands are drawn."""


class LineStore:
    """Makes lines of curves, and none twice: of a curve that did not change the line is kept."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], tuple[Curve, object, Line]] = {}

    def line(self, curve: Curve, look: Look, cast: Cast) -> Line:
        """Return the line of a curve."""
        key = curve.series if cast.by_series else curve.run_id
        is_baseline = curve.run_id == cast.baseline
        label = cast.labels.get(key, key)
        baseline_of = key if cast.by_series and is_baseline else ""
        if baseline_of:
            key, label = f"baseline {key}", f"base {label}"
        best = cast.best_epochs.get(curve.run_id)
        slot = cast.slots.get(curve.series if cast.by_series else curve.run_id, 0)
        options = (label, slot, look.x_axis, look.smoothing, key, best, is_baseline)
        known = self._lines.get((curve.run_id, curve.series))
        if known is not None and known[0] is curve and known[1] == options:
            return known[2]
        from tui.plotting.lines import line_of

        line = line_of(
            curve,
            label=label,
            slot=slot,
            x_axis=look.x_axis,
            smoothing=look.smoothing,
            key=key,
            best_epoch=best,
            is_baseline=is_baseline,
            baseline_of=baseline_of,
        )
        self._lines[curve.run_id, curve.series] = (curve, options, line)
        return line

    def keep(self, curves: Sequence[Curve]) -> None:
        """Forget the lines of all other curves."""
        keys = {(curve.run_id, curve.series) for curve in curves}
        self._lines = {key: found for key, found in self._lines.items() if key in keys}


def chart_data(
    title: str,
    curves: Sequence[Curve],
    look: Look,
    cast: Cast,
    store: LineStore,
    *,
    marks: tuple[Mark, ...] = (),
    is_growing: bool = False,
    hint: str = "",
) -> ChartData:
    """Return what a chart shows; curves are drawn in their order, the last on top."""
    lines = tuple(store.line(curve, look, cast) for curve in curves)
    is_smoothed = any(line.smooth is not None for line in lines)
    if look.style is Style.BANDS:
        from tui.plotting.bands import group_lines

        lines = group_lines(lines, cast.groups, group_labels(cast))
    notes = [
        f"smoothed {look.smoothing:g}" if is_smoothed else "",
        look.style.value,
        "baseline dashed" if any(line.is_baseline for line in lines) else "",
    ]
    return ChartData(
        title=title,
        lines=lines,
        x_title=look.x_axis.value,
        x_kind=_AXIS_KINDS.get(look.x_axis, AxisKind.NUMBER),
        x_whole=True,
        log_y=look.log_y,
        with_raw=look.style is Style.LINES,
        marks=marks,
        hint=hint,
        is_growing=is_growing,
        note=", ".join(note for note in notes if note),
    )


def group_labels(cast: Cast) -> dict[str, str]:
    """Return a name for each group: what the names of its runs have in common, less the seed."""
    members: dict[str, list[str]] = {}
    for key, group in cast.groups.items():
        if key in cast.labels:
            members.setdefault(group, []).append(cast.labels[key])
    return {group: _without_seed(names) or names[0] for group, names in members.items()}


def _without_seed(names: Sequence[str]) -> str:
    """Return what names begin with alike, up to the seed."""
    alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return _SEED.sub("", "".join(letters[0] for letters in alike))


def marks_of(
    curves: Sequence[Curve],
    x_axis: XAxis,
    *,
    best_epoch: int | None,
    checkpoints: Sequence[Checkpoint],
) -> tuple[Mark, ...]:
    """Return where the best epoch and the checkpoints of a run lie on the axis of its curves."""
    import numpy as np

    from tui.plotting.axes import Mark, MarkKind
    from tui.plotting.lines import end_of_epoch, horizontal, place_steps

    longest = max(curves, key=lambda curve: len(curve.steps), default=None)
    if longest is None or not len(longest.steps):
        return ()
    x = horizontal(longest, x_axis)
    steps = np.array(sorted({one.step for one in checkpoints}), dtype=np.int64)
    steps = steps[(steps >= longest.steps[0]) & (steps <= longest.steps[-1])]
    marks = [Mark(at, MarkKind.CHECKPOINT) for at in place_steps(longest, x, steps).tolist()]
    best = end_of_epoch(longest, x, best_epoch)
    if best is not None:
        marks.append(Mark(best, MarkKind.BEST))
    return tuple(marks)


def remembered_look(settings: Settings) -> Look:
    """Return the look of the last time; what is unknown by now is as it is by default."""
    axis = next((one for one in XAxis if one.value == settings.x_axis), XAxis.STEP)
    near = min(SMOOTHING_LEVELS, key=lambda level: abs(level - settings.smoothing))
    return Look(x_axis=axis, smoothing=near, log_y=settings.log_y)


def step_windows(
    curves: Sequence[Curve], x_axis: XAxis, window: tuple[float, float] | None
) -> dict[str, tuple[int, int]]:
    """Return the steps to be read more finely, by run: a window, and half as much on each side.

    What lies before the window also warms up the moving average.
    """
    windows: dict[str, tuple[int, int]] = {}
    if window is None:
        return windows
    import numpy as np

    from tui.plotting.lines import horizontal

    for curve in curves:
        if curve.buckets is None or len(curve.steps) < 2:
            continue
        x = horizontal(curve, x_axis)
        low, high = np.interp(window, x, curve.steps).tolist()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        room = (high - low) / 2 + 1
        windows[curve.run_id] = (int(low - room), int(high + room))
    return windows


class CurvesScreen(DataScreen):
    """A screen with curves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "smooth(1)", "smooth more", show=False),
        Binding("S", "smooth(-1)", "smooth less", show=False),
        Binding("backslash", "log_y", "log y", show=False, key_display="\\"),
        Binding("x", "next_x(1)", "x-axis"),
        Binding("X", "next_x(-1)", "previous x-axis", show=False),
        Binding("e", "style", "raw lines, smooth only, bands", show=False),
        Binding("b", "baseline", "baseline", show=False),
    ]

    REMEMBERS_LOOK: ClassVar[bool] = False
    """The next start begins with this screen's axis, smoothing and scale."""

    look = Look()

    def show_curves(self) -> None:
        """Draw the curves anew; the look has changed."""

    def candidate(self) -> str:
        """Return the run that the baseline key would pin; empty for none."""
        return ""

    @property
    def baseline(self) -> str:
        """The run all others are held against, on every screen; empty for none."""
        return self.gateway.remembered.settings.baseline

    def action_baseline(self) -> None:
        """Hold all runs against this one; once more lets it go."""
        run_id = self.candidate()
        if run_id:
            remembered = self.gateway.remembered
            pinned = "" if run_id == self.baseline else run_id
            remembered.remember(replace(remembered.settings, baseline=pinned))
            self.show_curves()
            self.poll()

    def on_line_chart_looked(self, _message: LineChart.Looked) -> None:
        """Read the range one looks at more finely."""
        self.poll()

    def action_smooth(self, direction: int) -> None:
        """Smooth more or less; at the lowest level only raw values are drawn."""
        place = SMOOTHING_LEVELS.index(self.look.smoothing) + direction
        place = min(max(place, 0), len(SMOOTHING_LEVELS) - 1)
        self._change(replace(self.look, smoothing=SMOOTHING_LEVELS[place]))

    def action_next_x(self, direction: int = 1) -> None:
        """Let the horizontal axis count something else."""
        axes = list(XAxis)
        after = axes[(axes.index(self.look.x_axis) + direction) % len(axes)]
        self._change(replace(self.look, x_axis=after))

    def action_log_y(self) -> None:
        """Switch the vertical axis between linear and logarithmic."""
        self._change(replace(self.look, log_y=not self.look.log_y))

    def action_style(self) -> None:
        """Draw raw and smoothed lines, smoothed ones only, or means with bands."""
        styles = list(Style)
        after = styles[(styles.index(self.look.style) + 1) % len(styles)]
        self._change(replace(self.look, style=after))
        self.poll()

    def _change(self, look: Look) -> None:
        self.look = look
        if self.REMEMBERS_LOOK:
            remembered = self.gateway.remembered
            now = {"x_axis": look.x_axis.value, "smoothing": look.smoothing, "log_y": look.log_y}
            remembered.remember(replace(remembered.settings, **now))
        self.show_curves()
