"""Which alerts are told, once each, and which of them nobody has seen yet. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.job_records import Alert, Watched

MOST_KEPT = 200
MOST_TOASTS = 3
"""More new alerts at once are told as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """What has been told."""

    unseen: tuple[Alert, ...] = ()
    """The newest first."""
    told: frozenset[str] = field(default_factory=frozenset[str])
    """Keys of all alerts there were."""
    newest_event: int = 0

    def taking(self, watched: Watched, off: Collection[str]) -> tuple[Alerts, tuple[Alert, ...]]:
        """Return the alerts with what is new, and what is new.

        Args:
            watched: what there is to be told.
            off: kinds nobody wants to be told of.
        """
        new: list[Alert] = []
        told = set(self.told)
        for alert in watched.alerts:
            if alert.key not in told and alert.kind.value not in off:
                new.append(alert)
            told.add(alert.key)
        new.sort(key=lambda alert: -alert.at)
        return (
            Alerts(
                unseen=(*new, *self.unseen)[:MOST_KEPT],
                told=frozenset(told),
                newest_event=max(self.newest_event, watched.newest_event),
            ),
            tuple(new),
        )

    def all_seen(self) -> Alerts:
        """Return the alerts with none unseen."""
        return Alerts(told=self.told, newest_event=self.newest_event)


def summary(alerts: Sequence[Alert]) -> str:
    """Return many alerts in one line: `2 failed, 5 finished, 1 dead worker`."""
    from tui.job_records import AlertKind

    words = {
        AlertKind.FAILED: "failed",
        AlertKind.FINISHED: "finished",
        AlertKind.NOT_FINITE: "with NaN",
        AlertKind.PLATEAU: "standing still",
        AlertKind.GPU: "about GPUs or memory",
        AlertKind.WORKER: "dead workers",
    }
    counts = {kind: sum(alert.kind is kind for alert in alerts) for kind in AlertKind}
    if counts[AlertKind.WORKER] == 1:
        words[AlertKind.WORKER] = "dead worker"
    return ", ".join(f"{number} {words[kind]}" for kind, number in counts.items() if number)
