"""What is written to the terminal: the same cells as ever, in fewer bytes."""

from __future__ import annotations

import random
import re

from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate
from textual.geometry import Region

from tests.tui.conftest import driven
from tests.tui.fake_gateway import normal_gateway
from tui.tight_output import Piece, TightUpdate, written

WORDS = ("ab", "  ", "x y", "●", "⣿⡇", "   q")
STYLES = (
    *(None, Style(), Style(color="#ff0000"), Style(color="#ff0000", bgcolor="#101010")),
    *(Style(color="#00ff00", bgcolor="#101010"), Style(bold=True), Style(reverse=True)),
    *(Style(color="#00ff00", underline=True), Style(color="#0000ff", bgcolor="#101010", bold=True)),
)
SEEN_ON_BLANKS = {"4", "7"}
Look = tuple[frozenset[str], str, str]


def shown(text: str) -> dict[tuple[int, int], tuple[str, Look]]:
    """Return the cells that a terminal shows: letter, attributes, colour and ground."""
    cells: dict[tuple[int, int], tuple[str, Look]] = {}
    x = y = 0
    attributes: set[str] = set()
    colour, ground = "39", "49"
    for place, codes, letter in re.findall(r"\x1b\[([\d;]+)H|\x1b\[([\d;]*)m|(.)", text):
        if place:
            y, x = (int(number) - 1 for number in place.split(";"))
        elif letter:
            blank = letter == " " and SEEN_ON_BLANKS.isdisjoint(attributes)
            cells[x, y] = (letter, (frozenset(attributes), "39" if blank else colour, ground))
            x += 1
        else:
            parts = iter((codes or "0").split(";"))
            for part in parts:
                if part == "0":
                    attributes, colour, ground = set(), "39", "49"
                elif part in ("38", "48"):
                    value = ";".join([part, *(next(parts) for _ in range(4))])
                    colour, ground = (value, ground) if part == "38" else (colour, value)
                elif part in ("39", "49"):
                    colour, ground = (part, ground) if part == "39" else (colour, part)
                else:
                    attributes.add(part)
    return cells


def spelled_out(pieces: list[Piece]) -> str:
    """Return the pieces with all styles set and reset, piece by piece."""
    return "".join(
        f"\x1b[{y + 1};{x + 1}H"
        + "".join(
            s.style.render(s.text, color_system=ColorSystem.TRUECOLOR) if s.style else s.text
            for s in segments
        )
        for x, y, segments in pieces
    )


def test_any_text_looks_as_it_does_with_every_style_spelled_out() -> None:
    chance = random.Random(3)
    tight_length = plain_length = 0
    for _ in range(200):
        pieces: list[Piece] = [
            (
                chance.randrange(40),
                chance.randrange(10),
                [Segment(chance.choice(WORDS), chance.choice(STYLES)) for _ in range(6)],
            )
            for _ in range(4)
        ]
        tight, plain = written(pieces), spelled_out(pieces)
        assert shown(tight) == shown(plain)
        assert tight.endswith("\x1b[0m")
        tight_length, plain_length = tight_length + len(tight), plain_length + len(plain)
    assert tight_length < 0.9 * plain_length


async def test_a_changed_cell_is_written_without_the_line_around_it() -> None:
    async with driven(normal_gateway(), size=(160, 45)) as driver:
        table = driver.app.screen.query_one("#table")
        compositor = driver.app.screen._compositor
        table.refresh(Region(30, 3, 1, 1))
        compositor.update_widgets({table})
        found = compositor.render_update()
        expected = (table.region.x + 30, table.region.y + 3)
    assert isinstance(found, ChopsUpdate)
    text = TightUpdate(found).render_segments(driver.app.console)
    (place,) = shown(text)
    assert place == expected
