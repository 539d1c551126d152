"""A session of half a minute in a real terminal, kept as an asciinema file (version 2).

The keys are a script; what the dashboard writes is kept with its times. Show it with
`asciinema play tui/pictures/session.cast`, or anything else that reads the format.
"""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import pty
import select
import struct
import termios
import time
from collections.abc import Sequence
from pathlib import Path

from tests.pictures.compact import compact
from tests.pictures.home import PROGRAMS, environment, forget

COLUMNS, ROWS = 120, 34
SECONDS = 30.0
DOWN, RIGHT = "\x1b[B", "\x1b[C"
SCRIPT: tuple[tuple[float, str], ...] = (
    # Seconds since the start, and what is typed then.
    (3.0, DOWN), (3.4, DOWN), (4.0, " "), (4.5, DOWN), (4.9, " "), (5.4, DOWN), (5.8, " "),
    (7.5, "x"), (9.0, "s"), (10.5, "\r"),
    (12.5, "\t"), (14.0, "\t"), (15.5, "\t"), (17.0, "\x1b"),
    (18.0, "2"), (19.5, DOWN), (20.5, "6"), (22.5, "4"), (25.0, "5"), (27.0, "1"),
    (SECONDS, "q"),
)  # fmt: skip


def record(home: Path, path: Path) -> None:
    """Play the script on a terminal of its own, and write what was seen."""
    forget(home)
    process, terminal = pty.fork()
    if process == 0:
        program = str(PROGRAMS / "setgf-tui")
        os.execve(program, [program, "--theme", "dark"], environment(home))
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    try:
        events = _play(terminal)
    finally:
        os.close(terminal)
        os.waitpid(process, 0)
    path.write_text("".join(f"{line}\n" for line in _lines(events)), encoding="utf-8")


def _play(terminal: int) -> list[tuple[float, bytes]]:
    """Type what the script says; return what is written, with its times."""
    events: list[tuple[float, bytes]] = []
    todo = list(SCRIPT)
    begun = time.monotonic()
    while True:
        now = time.monotonic() - begun
        while todo and todo[0][0] <= now:
            os.write(terminal, todo.pop(0)[1].encode())
        left = todo[0][0] - now if todo else 5.0
        ready, _, _ = select.select([terminal], [], [], max(left, 0.0))
        if ready:
            try:
                data = os.read(terminal, 65536)
            except OSError:  # Linux says so where the program has left
                return events
            if not data:
                return events
            events.append((time.monotonic() - begun, data))
        elif not todo:
            raise TimeoutError("The dashboard did not leave.")


def _lines(events: Sequence[tuple[float, bytes]]) -> list[str]:
    """Return the file: a header, then an event a line."""
    header = {
        "version": 2,
        "width": COLUMNS,
        "height": ROWS,
        "title": "setgf-tui",
        "env": {"TERM": "xterm-256color"},
    }
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    texts = [(at, decoder.decode(data)) for at, data in events]
    lines = [json.dumps(header)]
    for at, text in compact(texts, COLUMNS, ROWS):
        lines.append(json.dumps([at, "o", text], ensure_ascii=False))
    return lines
