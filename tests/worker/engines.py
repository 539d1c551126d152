"""Engines without processes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping

from setgf.runs.atomic import write_atomically
from setgf.worker.engines.local import Order
from setgf.worker.supervision import boot_id, start_ticks


class ExitsAtOnce:
    """An engine whose attempts have succeeded as soon as they are started, without a process."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.order: list[str] = []
        """Run ids as they were started."""
        self.ticks = start_ticks(self.pid)
        self.boot = boot_id()

    def start(self, order: Order) -> int:
        """Leave what a shim and a child leave."""
        self.order.append(order.attempt.run.id)
        now = time.time()
        write_atomically(order.attempt.proc, self._process(now), durable=False)
        finished = {"kind": "finished", "at": now, "epochs": 1, "steps": 1, "best_epoch": 1}
        finished |= {"best_valid": 1.0, "metrics": {"test.mae": 1.0}}
        order.attempt.events.write_text(json.dumps(finished) + "\n")
        ended = {"code": 0, "asked_to_stop": False, "ended_at": now}
        write_atomically(order.attempt.exit, json.dumps(ended), durable=False)
        return self.pid

    def reap(self) -> Mapping[int, int]:
        """Return nothing: no process was started."""
        return {}

    def _process(self, now: float) -> str:
        known = {"host": "here", "boot_id": self.boot, "started_at": now}
        pids = {"shim_pid": self.pid, "shim_start": self.ticks}
        return json.dumps(known | pids | {"child_pid": self.pid, "child_start": self.ticks})
