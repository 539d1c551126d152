"""A recording made small looks the same at every moment, and keeps its half minute."""

import pyte

from tests.pictures.compact import compact
from tests.pictures.session import SCRIPT, SECONDS

COLUMNS, ROWS = 30, 4
EVENTS = [
    (0.0, "\x1b[?1049h\x1b[>1u\x1b[?2026$p\x1b[2J"),
    (0.5, "\x1b[1;1H\x1b[38;2;86;180;233mblue\x1b[0m plain \x1b[1;7mstrong\x1b["),
    (0.51, "0m"),
    (1.0, "\x1b[1;1H\x1b[38;2;86;180;233mblue\x1b[0m plain \x1b[1;7mstrong\x1b[0m\x1b[3;3H\u28ff"),
    (2.0, "\x1b[1;1H\x1b[38;2;1;2;3;48;2;4;5;6mX"),
]


def played(texts: list[str]) -> list[tuple[object, ...]]:
    """Return the cells of a terminal after it has got some texts."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.Stream(screen)
    for text in texts:
        stream.feed(text)
    rows = (screen.buffer[row] for row in range(ROWS))
    return [(c.data, c.fg, c.bg, c.bold, c.reverse) for row in rows
            for c in map(row.__getitem__, range(COLUMNS))]  # fmt: skip


def test_it_looks_the_same_and_sends_only_what_changes() -> None:
    found = list(compact(EVENTS, COLUMNS, ROWS))

    # What pyte itself does not know is left out of what it is given.
    known = ["\x1b[?1049h\x1b[2J", *(text for _, text in EVENTS[1:])]
    assert played([text for _, text in found]) == played(known)
    assert [at for at, _ in found] == [0.0, 0.51, 1.0, 2.0, 2.0]
    assert found[2][1] == "\x1b[3;3H\x1b[0;39;49m\u28ff"


def test_the_script_takes_its_half_minute_and_leaves() -> None:
    times = [at for at, _ in SCRIPT]

    assert times == sorted(times)
    assert SCRIPT[-1] == (SECONDS, "q")
