"""Workers with their devices: who holds which, and how busy it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text
from textual.containers import VerticalScroll
from textual.widgets import Static

from db.records import Device, Worker
from tui.formatting import Role, cut_middle, duration
from tui.plotting.spark import meter
from tui.widgets.styles import is_dark, role_style

BAR_WIDTH = 12
FIXED_WIDTH = 28
"""What stands around a device's bar: its name, percent and memory."""
STATES = {"alive": ("●", Role.LIVE), "stale": ("?", Role.BAD), "stopped": ("○", Role.DIM)}
BUSY, HOT = 60.0, 92.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersShown:
    """What the panel shows."""

    workers: tuple[Worker, ...] = ()
    job_names: Mapping[int, str]
    now: float = 0.0


class WorkerPanel(VerticalScroll, can_focus=False):
    """One block a worker, one line a device."""

    DEFAULT_CSS = """
    WorkerPanel { height: 1fr; scrollbar-size-vertical: 1; }
    WorkerPanel Static { height: auto; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the toolkit's word
        super().__init__(Static(), id=id)
        self._shown: tuple[WorkersShown, int, bool] | None = None

    def show(self, shown: WorkersShown) -> None:
        """Show these workers."""
        dark = is_dark(self)
        state = (shown, self.size.width, dark)
        if state != self._shown:
            self._shown = state
            self.query_one(Static).update(_panel(shown, max(self.size.width - 1, 24), dark=dark))

    def on_resize(self) -> None:
        """Use the new width."""
        if self._shown is not None:
            self.show(self._shown[0])


def _panel(shown: WorkersShown, width: int, *, dark: bool) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(" Workers\n", role_style(Role.STRONG, dark=dark))
    if not shown.workers:
        text.append(" None is running; start one:\n", role_style(Role.DIM, dark=dark))
        text.append(" setgf worker start\n", role_style(Role.ACCENT, dark=dark))
    for worker in shown.workers:
        glyph, role = STATES.get(worker.state, ("?", Role.WARN))
        text.append(f" {glyph} ", role_style(role, dark=dark))
        text.append(worker.host, role_style(Role.PLAIN, dark=dark))
        text.append(f"  {_presence(worker, shown.now)}\n", role_style(_calm(role), dark=dark))
        if worker.state != "stopped":
            for line in _devices(worker.devices, shown.job_names, width, dark=dark):
                text.append_text(line).append("\n")
    return text


def _calm(role: Role) -> Role:
    return Role.BAD if role is Role.BAD else Role.DIM


def _presence(worker: Worker, now: float) -> str:
    if worker.state == "alive":
        return f"pid {worker.pid}, up {duration(now - worker.started_at)}"
    if worker.state == "stale":
        return f"pid {worker.pid}, no sign for {duration(now - worker.heartbeat_at)}"
    return f"stopped {duration(now - worker.heartbeat_at)} ago"


def _devices(
    devices: Sequence[Device], job_names: Mapping[int, str], width: int, *, dark: bool
) -> list[Text]:
    lines: list[Text] = []
    for device in devices:
        is_free = device.job_id is None
        share = device.utilisation / 100
        role = Role.DIM if is_free else Role.LIVE
        if device.utilisation >= HOT and device.kind == "gpu":
            role = Role.WARN
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(f"   {device.name:<7}", role_style(Role.DIM, dark=dark))
        # The bar gives way first: numbers must not be cut.
        bar = max(min(BAR_WIDTH, width - FIXED_WIDTH), 4)
        line.append(meter(share, bar), role_style(role, dark=dark))
        line.append(f" {device.utilisation:3.0f}%", role_style(Role.DIM, dark=dark))
        if device.memory_mib:
            used, whole = device.memory_used_mib / 1024, device.memory_mib / 1024
            line.append(f" {used:.1f}/{whole:.0f} GiB", role_style(Role.DIM, dark=dark))
        lines.append(line)
        if device.job_id is not None:
            name = job_names.get(device.job_id, "")
            room = max(width - line.cell_len - 3, 0)
            label = f"#{device.job_id} {name}"
            if room >= 22:
                line.append("  " + cut_middle(label, room), role_style(Role.PLAIN, dark=dark))
            else:
                below = Text(f"          {cut_middle(label, width - 11)}", no_wrap=True)
                below.stylize(role_style(Role.PLAIN, dark=dark))
                lines.append(below)
        elif width - line.cell_len >= 6:
            line.append("  free", role_style(Role.DIM, dark=dark))
    return lines
