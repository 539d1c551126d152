"""The dashboard's one clock: a thread that looks for news, so that nothing else wakes without any.

Asking for the version costs microseconds; a message to the screens costs a thousand times as much.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from tui.gateway import Gateway, GatewayError

LOOK_SECONDS = 0.5
FOLLOW_SECONDS = 1.0
"""After news the next is looked for this much later: what grows all the time is drawn once a
second."""
TICK_SECONDS = 5.0
"""After this long without news it is told all the same: times grow, and workers die silently."""


class Lookout:
    """Tells when something stored has changed, when it can't be known, and every few seconds."""

    def __init__(self, gateway: Gateway, tell: Callable[[], object], *, always: bool) -> None:
        """Prepare to look.

        Args:
            gateway: asked for its version.
            tell: called in the thread of the lookout.
            always: tell at every look, news or not.
        """
        self._gateway, self._tell, self._always = gateway, tell, always
        self._seen: int | None = None
        self._quiet = 0.0
        self._stop = threading.Event()

    def start(self) -> None:
        """Begin to look; the first look always tells."""
        threading.Thread(target=self._run, name="lookout", daemon=True).start()

    def stop(self) -> None:
        """End; a look that is under way tells nothing any more."""
        self._stop.set()

    def _run(self) -> None:
        seconds = LOOK_SECONDS
        while not self._stop.wait(seconds):
            seconds = self.look(seconds)

    def look(self, waited: float) -> float:
        """Look once; return after how many seconds to look again.

        Args:
            waited: seconds since the last look.
        """
        version = self._version()
        has_news = self._always or version is None or version != self._seen
        self._seen = version
        self._quiet += waited
        if not has_news and self._quiet < TICK_SECONDS:
            return LOOK_SECONDS
        self._quiet = 0.0
        if not self._stop.is_set():
            self._tell()
        return FOLLOW_SECONDS if has_news and not self._always else LOOK_SECONDS

    def _version(self) -> int | None:
        """Return the version; None where the screens have to find out what is wrong."""
        try:
            return self._gateway.version()
        except GatewayError:
            return None
