"""What every screen with curves shares: how to look at them, and the keys for that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from textual.binding import Binding, BindingType

from db.records import Points
from tui.plotting.lines import SMOOTHING_LEVELS, Line, XAxis, line_from_points
from tui.plotting.scale import AxisKind
from tui.screens.base import DataScreen
from tui.widgets.line_chart import ChartData


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How curves are drawn."""

    x_axis: XAxis = XAxis.STEP
    smoothing: float = 0.9
    """Share of the past in the average; 0 shows raw values only."""
    log_y: bool = False


def chart_data(
    title: str,
    points: Sequence[Points],
    look: Look,
    *,
    labels: Mapping[str, str],
    slots: Mapping[str, int],
    by_series: bool = False,
    is_growing: bool = False,
    hint: str = "",
) -> ChartData:
    """Return what a chart shows.

    Args:
        points: drawn in this order, the last on top.
        labels: names of the lines by run id, or by series where `by_series`.
        slots: colours by the same keys.
    """
    lines: list[Line] = []
    for one in points:
        key = one.series if by_series else one.run_id
        label, slot = labels.get(key, key), slots.get(key, 0)
        lines.append(
            line_from_points(
                one,
                label=label,
                slot=slot,
                x_axis=look.x_axis,
                smoothing=look.smoothing,
                key=key,
            )
        )
    is_smoothed = any(line.smooth is not None for line in lines)
    is_time = look.x_axis is XAxis.TIME
    return ChartData(
        title=title,
        lines=tuple(lines),
        x_title=look.x_axis.value,
        x_kind=AxisKind.SECONDS if is_time else AxisKind.NUMBER,
        x_whole=True,
        log_y=look.log_y,
        hint=hint,
        is_growing=is_growing,
        note=f"smoothed {look.smoothing:g}" if is_smoothed else "",
    )


class CurvesScreen(DataScreen):
    """A screen with curves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "smooth(1)", "smooth more", show=False),
        Binding("S", "smooth(-1)", "smooth less", show=False),
        Binding("backslash", "log_y", "log y", show=False, key_display="\\"),
    ]

    look = Look()

    def show_curves(self) -> None:
        """Draw the curves anew; the look has changed."""

    def action_smooth(self, direction: int) -> None:
        """Smooth more or less; at the lowest level only raw values are drawn."""
        place = SMOOTHING_LEVELS.index(self.look.smoothing) + direction
        place = min(max(place, 0), len(SMOOTHING_LEVELS) - 1)
        self._change(replace(self.look, smoothing=SMOOTHING_LEVELS[place]))

    def action_next_x(self) -> None:
        """Let the horizontal axis count something else."""
        axes = list(XAxis)
        after = axes[(axes.index(self.look.x_axis) + 1) % len(axes)]
        self._change(replace(self.look, x_axis=after))

    def action_log_y(self) -> None:
        """Switch the vertical axis between linear and logarithmic."""
        self._change(replace(self.look, log_y=not self.look.log_y))

    def _change(self, look: Look) -> None:
        self.look = look
        self.show_curves()
