"""Workers with their devices: who holds which, how busy it is, and how busy it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.text import Text
from textual.containers import VerticalScroll
from textual.widgets import Static

from db.records import Device, Worker
from tui.formatting import Role, cut_middle, duration
from tui.plotting.glyphs import Glyphs
from tui.plotting.spark import meter
from tui.widgets.styles import glyphs, is_dark, role_style

BAR_WIDTH = 12
FIXED_WIDTH = 28
"""What stands around a device's bar: its name, percent and memory."""
HISTORY_WIDTH = 10
INDENT = 10
LEVELS, ASCII_LEVELS = "▁▂▃▄▅▆▇█", "_.,:=+*#"
STATES = {"alive": ("●", Role.LIVE), "stale": ("?", Role.BAD), "stopped": ("○", Role.DIM)}
BUSY, HOT = 60.0, 92.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersShown:
    """What the panel shows."""

    workers: tuple[Worker, ...] = ()
    job_names: Mapping[int, str]
    use: Mapping[tuple[str, str], tuple[float, ...]] = field(
        default_factory=dict[tuple[str, str], tuple[float, ...]]
    )
    """Latest percents of use by worker id and device, oldest first."""
    now: float = 0.0


class WorkerPanel(VerticalScroll, can_focus=False):
    """One block a worker, one or two lines a device."""

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
            width = max(self.size.width - 1, 24)
            panel = _Panel(shown, width, dark=dark, glyphs=glyphs(self))
            self.query_one(Static).update(panel.text())

    def on_resize(self) -> None:
        """Use the new width."""
        if self._shown is not None:
            self.show(self._shown[0])

    def notify_style_update(self) -> None:
        """Draw anew in another theme."""
        super().notify_style_update()
        if self._shown is not None and self.is_mounted:
            self.show(self._shown[0])


class _Panel:
    """Writes the panel."""

    def __init__(self, shown: WorkersShown, width: int, *, dark: bool, glyphs: Glyphs) -> None:
        self._shown, self._width, self._dark, self._glyphs = shown, width, dark, glyphs

    def text(self) -> Text:
        """Return all workers with their devices."""
        text = Text(no_wrap=True, overflow="ellipsis")
        self._add(text, " Workers\n", Role.STRONG)
        if not self._shown.workers:
            self._add(text, " None is running; W starts one, or:\n", Role.DIM)
            self._add(text, " setgf worker start\n", Role.ACCENT)
        for worker in self._shown.workers:
            glyph, role = STATES.get(worker.state, ("?", Role.WARN))
            self._add(text, f" {glyph} ", role)
            self._add(text, worker.host, Role.PLAIN)
            calm = Role.BAD if role is Role.BAD else Role.DIM
            self._add(text, f"  {_presence(worker, self._shown.now)}\n", calm)
            if worker.state != "stopped":
                for device in worker.devices:
                    for line in self._device(device):
                        text.append_text(line).append("\n")
        return text

    def _device(self, device: Device) -> list[Text]:
        """Return the lines of a device: its use now, and below it the job it runs."""
        line = Text(no_wrap=True, overflow="ellipsis")
        self._add(line, f"   {device.name:<7}", Role.DIM)
        # The bar gives way first: numbers must not be cut.
        width = max(min(BAR_WIDTH, self._width - FIXED_WIDTH), 4)
        bar = meter(device.utilisation / 100, width, self._glyphs)
        self._add(line, bar, _role(device))
        self._add(line, f" {device.utilisation:3.0f}%", Role.DIM)
        if device.memory_mib and device.kind == "gpu":
            used, whole = device.memory_used_mib / 1024, device.memory_mib / 1024
            self._add(line, f" {used:.1f}/{whole:.0f} GiB", Role.DIM)
        below = self._history(device)
        if device.job_id is not None:
            name = self._shown.job_names.get(device.job_id, "")
            label = f"#{device.job_id} {name}"
            below.append(" " if below.cell_len else " " * INDENT)
            room = max(self._width - below.cell_len - 1, 0)
            self._add(below, cut_middle(label, room), Role.PLAIN)
        elif self._width - line.cell_len >= 6:
            self._add(line, "  free", Role.DIM)
        return [line, below] if below.cell_len else [line]

    def _history(self, device: Device) -> Text:
        """Return how busy a device was lately; nothing while it stood still all the time."""
        text = Text(no_wrap=True, overflow="ellipsis")
        use = self._shown.use.get((device.worker_id, device.name), ())
        if len(use) > 1 and max(use) > 1:
            text.append(" " * INDENT)
            width = min(HISTORY_WIDTH, max(self._width - INDENT - 14, 4))
            levels = LEVELS if self._glyphs.is_braille else ASCII_LEVELS
            self._add(text, _levels(use, width, levels).ljust(width), _role(device))
        return text

    def _add(self, text: Text, words: str, role: Role) -> None:
        text.append(words, role_style(role, dark=self._dark))


def _levels(percents: Sequence[float], width: int, levels: str) -> str:
    """Return one character for each share of the time, as high as the device was busy."""
    edges = [len(percents) * n // width for n in range(width + 1)]
    parts = [percents[edges[n] : edges[n + 1]] for n in range(width)]
    tops = [max(part) for part in parts if part]
    return "".join(levels[round(min(top, 100.0) / 100 * (len(levels) - 1))] for top in tops)


def _role(device: Device) -> Role:
    if device.kind == "gpu" and device.utilisation >= HOT:
        return Role.WARN
    return Role.DIM if device.job_id is None else Role.LIVE


def _presence(worker: Worker, now: float) -> str:
    if worker.state == "alive":
        return f"pid {worker.pid}, up {duration(now - worker.started_at)}"
    if worker.state == "stale":
        return f"pid {worker.pid}, no sign for {duration(now - worker.heartbeat_at)}"
    return f"stopped {duration(now - worker.heartbeat_at)} ago"
