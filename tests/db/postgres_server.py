"""Debian's PostgreSQL in a temporary folder, on a Unix socket, for one test session."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

_BINARIES = Path("/usr/lib/postgresql")
_PORT = 5432
_SETTINGS = (
    "fsync=off",
    "full_page_writes=off",
    "autovacuum=off",
    "shared_buffers=32MB",
    "max_connections=80",
    "max_wal_size=256MB",
)
"""A test's data may be lost; nothing listens but the socket."""


def why_not() -> str:
    """Return why no server can be started here; empty when one can."""
    if find_spec("psycopg") is None:
        return "the package `psycopg` is not installed"
    if _binaries() is None:
        return f"no PostgreSQL below {_BINARIES} (apt-get install postgresql)"
    if os.geteuid() == 0 and _user() is None:
        return "root may not start PostgreSQL, and there is no user `postgres`"
    return ""


class PostgresServer:
    """A server that belongs to this process; it ends with it."""

    def __init__(self, addresses: Sequence[str] = ()) -> None:
        """Start a server; `addresses` of this machine are listened on beside the socket."""
        found = _binaries()
        assert found is not None
        self._binaries = found
        self.folder = Path(tempfile.mkdtemp(prefix="setgf-postgres-"))
        self._identity: dict[str, Any] = {}
        user = _user()
        if os.geteuid() == 0 and user is not None:
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self._process: subprocess.Popen[Any] | None = None
        self._run(
            "initdb",
            "--pgdata=data",
            "--username=setgf",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        )
        self._addresses = addresses
        if addresses:
            with (self.folder / "data/pg_hba.conf").open("a") as rules:
                rules.write("host all all samenet trust\n")
        self.start()

    def url(self, name: str = "postgres", address: str | None = None) -> str:
        """Return the URL of a database on this server, by its socket or by an address."""
        if address is not None:
            return f"postgresql+psycopg://setgf@{address}:{_PORT}/{name}"
        return f"postgresql+psycopg://setgf@/{name}?host={self.folder}&port={_PORT}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        chosen = (*_SETTINGS, f"listen_addresses={','.join(self._addresses)}")
        settings = [word for setting in chosen for word in ("-c", setting)]
        command = [self._binaries / "postgres", "-D", "data", "-k", self.folder, *settings]
        setpriv = shutil.which("setpriv")
        if setpriv is not None:
            command = [setpriv, "--pdeathsig", "INT", *command]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "-p", str(_PORT)],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                **self._identity,
            )
        self._wait()

    def stop(self) -> None:
        """Stop the server as a crash would; `start` brings it back."""
        assert self._process is not None
        self._process.send_signal(3)  # SIGQUIT: at once, without goodbye
        self._process.wait()
        self._process = None

    def close(self) -> None:
        """Stop the server and remove its folder."""
        if self._process is not None:
            self.stop()
        shutil.rmtree(self.folder)

    def execute(self, *statements: str) -> None:
        """Run statements outside of a transaction on the database `postgres`."""
        engine = create_engine(self.url(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                self.execute("SELECT 1")
                return
            except OperationalError:
                assert self._process is not None
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _run(self, program: str, *words: str) -> None:
        subprocess.run(
            [self._binaries / program, *words],
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
            **self._identity,
        )


def _binaries() -> Path | None:
    found = sorted(_BINARIES.glob("*/bin"), key=lambda path: float(path.parent.name))
    return found[-1] if found else None


def _user() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return None
