"""The app's look at what happens while other screens are open: alerts, and where they are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.app import App

from tui.alerts import MOST_TOASTS, Alerts, summary
from tui.gateway import Gateway, GatewayError

if TYPE_CHECKING:
    from tui.job_records import Alert, Watched
    from tui.settings import Settings

WATCH_SECONDS = 2.0
"""Alerts are looked for no more often than this, however much is stored."""
STALE_SECONDS = 8.0
"""After this long it looks again though nothing is stored: a dead worker stores nothing."""
TOAST_SECONDS = 8.0


class Watch:
    """Looks every other second in a thread, tells what is new, and keeps it until it is seen."""

    def __init__(
        self,
        app: App[Any],
        gateway: Gateway,
        clock: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        """Begin with what happened since the events were last looked at.

        Args:
            app: where toasts and the bell are.
            gateway: what there is to be told.
            clock: seconds since the epoch.
            changed: called when the number of unseen alerts has changed.
        """
        self._app, self._gateway, self._clock, self._changed = app, gateway, clock, changed
        self.alerts = Alerts(newest_event=self._settings.told_event)
        self._is_first = True
        self._is_busy = False
        self._seen_version: int | None = None
        self._looked_at = 0.0

    @property
    def _settings(self) -> Settings:
        return self._gateway.remembered.settings

    def look(self) -> None:
        """Look in a thread, unless one looks already."""
        if not self._is_busy:
            self._is_busy = True
            self._app.run_worker(partial(self._look, self._clock()), thread=True, group="watch")

    def _look(self, now: float) -> None:
        watched: Watched | None = None
        try:
            version = self._gateway.version()
            if version != self._seen_version or now - self._looked_at >= STALE_SECONDS:
                watched = self._gateway.watch(self.alerts.newest_event)
                self._seen_version, self._looked_at = version, now
        except GatewayError:  # the screen that is open says so
            self._seen_version = None
        self._app.call_from_thread(self._take, watched)

    def _take(self, watched: Watched | None) -> None:
        self._is_busy = False
        if watched is None:
            return
        if self._is_first and not self._settings.told_event:
            # The first start ever: what was before is no news.
            watched = replace(watched, alerts=tuple(a for a in watched.alerts if not _is_past(a)))
        before = len(self.alerts.unseen)
        self.alerts, new = self.alerts.taking(watched, self._settings.alerts_off)
        if new:
            self._tell(new, is_late=self._is_first)
        self._is_first = False
        if self.alerts.newest_event > self._settings.told_event:
            newest = self.alerts.newest_event
            self._gateway.remembered.remember(replace(self._settings, told_event=newest))
        if len(self.alerts.unseen) != before:
            self._changed()

    def _tell(self, new: tuple[Alert, ...], *, is_late: bool) -> None:
        if is_late or len(new) > MOST_TOASTS:
            while_away = "While you were away: " if is_late else ""
            texts = [(f"{while_away}{summary(new)}. `!` lists them.", any(a.is_bad for a in new))]
        else:
            texts = [(alert.text, alert.is_bad) for alert in new]
        for text, is_bad in texts:
            severity = "warning" if is_bad else "information"
            self._app.notify(text, severity=severity, timeout=TOAST_SECONDS, markup=False)
        if self._settings.bell:
            self._app.bell()
        if self._settings.osc9:
            self._notify_desktop("; ".join(text for text, _ in texts))

    def _notify_desktop(self, text: str) -> None:
        driver: Any = self._app._driver  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        if driver is not None and not self._app.is_headless:
            printable = "".join(c for c in text if c.isprintable())
            driver.write(f"\x1b]9;{printable}\x07")

    def all_seen(self) -> None:
        """Forget what was unseen: the user has looked at it."""
        if self.alerts.unseen:
            self.alerts = self.alerts.all_seen()
            self._changed()


def _is_past(alert: Alert) -> bool:
    return alert.key.startswith("event:")
