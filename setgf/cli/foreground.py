"""Carries a foreground run into the run database while it trains.

The run folder is the truth: a database that is locked, full or gone neither stops nor slows
training, and `setgf db rebuild` stores later what was missed.
"""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from setgf.cli.output import note
from setgf.errors import SetgfError, StoppedError

if TYPE_CHECKING:
    from db.engine import Database
    from setgf.runs.folder import AttemptFolder
    from setgf.worker.ingest import Carrier

CARRY_SECONDS = 0.5


class Indexing:
    """While it is open, what an attempt writes appears in the database; then, how it ended."""

    def __init__(self, url: str, attempt: AttemptFolder) -> None:
        self._url = url
        self._attempt = attempt
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="setgf-indexing", daemon=True)
        self._outcome = "succeeded"
        self._error: str | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, StoppedError):  # it left a checkpoint to go on from
            self._outcome = "paused"
        elif isinstance(error, KeyboardInterrupt):
            self._outcome = "cancelled"
        elif error is not None:
            self._outcome, self._error = "failed", str(error) or type(error).__name__
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        from sqlalchemy.exc import SQLAlchemyError

        from db.engine import open_database
        from db.errors import DatabaseError

        database: Database | None = None
        try:
            database = open_database(self._url)
            self._follow(database)
        except (DatabaseError, SQLAlchemyError, SetgfError, OSError) as error:
            note(
                f"setgf: warning: the run database could not follow: {error} Training is not "
                "affected; `setgf db rebuild` stores the run later."
            )
        finally:
            if database is not None:
                database.close()

    def _follow(self, database: Database) -> None:
        from setgf.worker.rebuild import begin_foreground, end_foreground

        carrier: Carrier = begin_foreground(database, self._attempt)
        while not self._ended.wait(CARRY_SECONDS):
            _carry(carrier)
        end_foreground(carrier, self._outcome, error=self._error)


def _carry(carrier: Carrier) -> None:
    """Store what is new; a busy database is tried again next time."""
    from db.errors import DatabaseBusyError

    try:
        carrier.carry(time.time())
    except DatabaseBusyError:
        return
