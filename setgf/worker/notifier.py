"""Tells news while a worker works: a thread that only reads the database, and one file of its own.

One worker of a home does it at a time (a lock). The number of the last event that was told is on
the disk before anybody is: each is told once at most, also when the worker is killed in between.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from contextlib import suppress
from types import TracebackType

from db.engine import Database
from db.errors import DatabaseError
from db.query import Query
from setgf.errors import SetgfError, WorkerError
from setgf.home import Home
from setgf.runs.atomic import read_json, write_json
from setgf.worker.hooks import run_hook
from setgf.worker.news import find_news
from setgf.worker.notify import News, Settings, read_settings, send

LOOK_SECONDS = 1.0
FRESH_SECONDS = 3600.0
"""Older events are no news any more: nobody was to be told when they happened."""
CLOSE_SECONDS = 60.0
"""How long a worker that leaves waits for its last news to go."""

log = logging.getLogger("setgf.worker")


class Notifier:
    """Tells of jobs that end; nothing that goes wrong here reaches the worker."""

    def __init__(self, home: Home, database: Database, *, seconds: float = LOOK_SECONDS) -> None:
        self._home = home
        self._database = database
        self._seconds = seconds
        self._state = home.workers / "notified.json"
        self._lock: int | None = None
        self._told: set[str] = set()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="notifier", daemon=True)

    def __enter__(self) -> Notifier:
        self._look_safely()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self._thread.join(CLOSE_SECONDS)

    def look(self) -> None:
        """Tell what is new, if anybody is to be told."""
        settings = read_settings(self._home)
        if settings is None or not settings.has_any or not self._take_lock():
            return
        with self._database.read() as connection:
            newest = int(connection.exec_driver_sql("SELECT max(id) FROM events").scalar() or 0)
        last = self._last_event()
        if last is None or last > newest:  # the first time, or another database
            self._remember(newest)
            return
        if newest == last:
            return
        query = Query(self._database)
        is_shared = self._database.path is None
        events = query.events(since_id=last)
        fresh = [event for event in events if event.at > time.time() - FRESH_SECONDS]
        for told in find_news(query, fresh, is_shared=is_shared):
            self._remember(told.event_id)
            if told.news.kind in settings.on:
                self._tell(settings, told.news)
        self._remember(newest)

    def close(self) -> None:
        """Let another worker tell news."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _work(self) -> None:
        is_over = False
        while not is_over:
            is_over = self._is_over.wait(self._seconds)
            self._look_safely()
        self.close()

    def _look_safely(self) -> None:
        try:
            self.look()
        except (SetgfError, DatabaseError, OSError) as error:
            self._warn(str(error))
        except Exception as error:  # noqa: BLE001 - the thread's end would be silent
            self._warn(f"Nobody was notified: {type(error).__name__}: {error}")

    def _tell(self, settings: Settings, news: News) -> None:
        for problem in deliver(self._home, settings, news):
            log.warning("%s", problem)
        log.info("notified: %s", news.title)

    def _take_lock(self) -> bool:
        """True while this worker is the one that tells."""
        if self._lock is not None:
            return True
        self._home.workers.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(self._home.workers / "notify.lock", flags, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._lock = handle
        return True

    def _last_event(self) -> int | None:
        if not self._state.exists():
            return None
        with suppress(SetgfError, TypeError, ValueError):
            return int(read_json(self._state)["last_event"])
        return None

    def _remember(self, event_id: int) -> None:
        write_json(self._state, {"last_event": event_id})

    def _warn(self, words: str) -> None:
        """Say a thing once."""
        if words not in self._told:
            self._told.add(words)
            log.warning("%s", words)


def deliver(home: Home, settings: Settings, news: News) -> tuple[str, ...]:
    """Tell news every way there is; return what went wrong, in sentences without secrets."""
    problems: list[str] = []
    for url in settings.urls:
        try:
            send(url, news)
        except WorkerError as error:
            problems.append(str(error))
    if settings.hook:
        try:
            run_hook(home, settings.hook, settings.hook_seconds, news)
        except WorkerError as error:
            problems.append(str(error))
    return tuple(problems)
