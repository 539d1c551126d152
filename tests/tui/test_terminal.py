"""Poor terminals: ASCII, no colour, few colours; and a theme for weak eyes."""

from __future__ import annotations

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from tests.tui.conftest import driven
from tests.tui.fake_gateway import normal_gateway
from tests.tui.snapshot import check_snapshot
from tui.formatting import STATE_GLYPHS, Role
from tui.plotting import palette
from tui.screenshot import screen_text
from tui.terminal import (
    ASCII,
    Abilities,
    ContrastFilter,
    PlainFilter,
    contrast,
    find_abilities,
    readable,
    to_ascii,
)
from tui.theme import CONTRAST, DARK, LIGHT, MONO, OURS, Theme
from tui.widgets.styles import role_style


@pytest.mark.parametrize(
    ("environment", "is_ascii", "has_colour"),
    [
        ({"TERM": "xterm-256color", "LANG": "en_GB.UTF-8"}, False, True),
        ({"TERM": "tmux-256color", "LC_ALL": "C.utf8", "LANG": "C"}, False, True),
        ({"TERM": "xterm-256color", "LC_ALL": "C", "LANG": "en_GB.UTF-8"}, True, True),
        ({"TERM": "xterm", "LANG": "de_DE.ISO-8859-1"}, True, True),
        ({"TERM": "linux", "LANG": "en_GB.UTF-8"}, True, True),
        ({"TERM": "vt100", "LANG": "en_GB.UTF-8"}, True, False),
        ({"TERM": "dumb", "LANG": "en_GB.UTF-8"}, True, False),
        ({"TERM": "xterm", "LANG": "en_GB.UTF-8", "NO_COLOR": "1"}, False, False),
        ({"TERM": "xterm", "LANG": "en_GB.UTF-8", "NO_COLOR": ""}, False, True),
        ({"TERM": "dumb", "TERM_PROGRAM": "textual"}, False, True),
    ],
)
def test_what_a_terminal_can_show_is_read_from_its_name_and_the_locale(
    environment: dict[str, str], is_ascii: bool, has_colour: bool
) -> None:
    assert find_abilities(environment) == Abilities(is_ascii, has_colour)


def test_ascii_can_be_asked_for_and_a_picture_can_show_everything() -> None:
    assert find_abilities({"LANG": "C.UTF-8"}, wants_ascii=True).is_ascii
    assert not find_abilities({"LC_ALL": "C"}, is_picture=True).is_ascii


def test_every_character_becomes_as_many_of_ascii_as_it_has_cells() -> None:
    assert to_ascii("● a 中文 … e\u0301") == "* a ???? ~ e"
    assert all(len(ascii_one) == 1 for ascii_one in ASCII.values())


def test_states_stay_apart_in_ascii() -> None:
    glyphs = [to_ascii(glyph) + state.value for state, glyph in STATE_GLYPHS.items()]
    assert len(set(glyphs)) == len(glyphs)


@pytest.mark.parametrize("screen", ["runs", "queue", "run", "compare", "data", "events"])
async def test_no_screen_shows_anything_but_ascii_where_that_is_all_there_is(screen: str) -> None:
    ascii_only = Abilities(is_ascii=True)
    async with driven(
        normal_gateway(), size=(120, 35), first=screen, abilities=ascii_only
    ) as driver:
        assert screen_text(driver.app).isascii()
        await driver.press("a")
        assert screen_text(driver.app).isascii()


async def test_the_queue_in_ascii_looks_as_it_did() -> None:
    async with driven(
        normal_gateway(), size=(80, 24), first="queue", abilities=Abilities(is_ascii=True)
    ) as driver:
        check_snapshot(driver.app, "queue-ascii-80x24")


async def test_without_colour_nothing_is_coloured_and_the_cursor_is_reversed() -> None:
    async with driven(
        normal_gateway(), first="queue", abilities=Abilities(has_colour=False)
    ) as driver:
        strips = driver.app.screen._compositor.render_strips()
        styles = [segment.style for strip in strips for segment in strip if segment.style]

        assert not [style for style in styles if style.color or style.bgcolor]
        reversed_text = "".join(s.text for s in strips[2] if s.style and s.style.reverse)
        assert "setgf-mosi-s1111" in reversed_text

        await driver.press("ctrl+t")
        assert driver.app.theme == MONO.name


def test_a_bright_ground_is_reversed_and_a_dark_one_is_not() -> None:
    def shown(ground: str) -> Style | None:
        segment = Segment("x", Style(color="#ff0000", bgcolor=ground, bold=True))
        return PlainFilter().apply([segment], Color(0, 0, 0))[0].style

    assert str(shown("#ffffff")) == "bold reverse"
    assert str(shown("#101010")) == "bold not reverse"


async def test_ctrl_t_goes_through_the_themes_and_remembers_the_last() -> None:
    gateway = normal_gateway()
    async with driven(gateway) as driver:
        text = screen_text(driver.app)
        seen = [driver.app.theme]
        for _ in range(3):
            await driver.press("ctrl+t")
            seen.append(driver.app.theme)
            assert screen_text(driver.app) == text

    names = [one.name for one in OURS]
    assert seen == [*names, names[0]]
    assert gateway.remembered.settings.theme == names[0]


async def test_the_theme_of_an_option_is_not_remembered() -> None:
    gateway = normal_gateway()
    async with driven(gateway, theme_name=LIGHT.name) as driver:
        assert driver.app.theme == LIGHT.name
        assert gateway.remembered.settings.theme == ""


async def test_in_high_contrast_every_text_of_every_screen_can_be_read() -> None:
    async with driven(normal_gateway(), size=(160, 40), theme_name=CONTRAST.name) as driver:
        for key in ("1", "2", "3", "4", "5", "6"):
            await driver.press(key)
            for strip in driver.app.screen._compositor.render_strips():
                for segment in strip:
                    if segment.text.strip() and segment.style and segment.style.color:
                        ground = segment.style.bgcolor
                        under = Color.from_rich_color(ground) if ground else Color(0, 0, 0)
                        text = Color.from_rich_color(segment.style.color)
                        if segment.style.reverse:
                            text, under = under, text
                        assert contrast(text, under) >= ContrastFilter.LEAST - 0.3, segment


def test_a_colour_is_changed_no_more_than_it_must_be() -> None:
    black = Color(0, 0, 0)
    assert readable(Color(255, 255, 255), black) == Color(255, 255, 255)
    dim = readable(Color(60, 70, 80), black)
    assert ContrastFilter.LEAST <= contrast(dim, black) < ContrastFilter.LEAST + 2
    assert contrast(readable(Color(200, 200, 60), Color(255, 255, 255)), Color(255, 255, 255)) >= 7


@pytest.mark.parametrize("one", [DARK, LIGHT], ids=lambda one: one.name)
def test_texts_of_the_usual_themes_have_enough_contrast(one: Theme) -> None:
    ground = Color.parse(one.background or "")
    for role in Role:
        style = role_style(role, dark=one.dark)
        assert style.color is not None
        assert contrast(Color.from_rich_color(style.color), ground) >= 4.5, role


def _as_deuteranope(colour: Color) -> tuple[float, float]:
    """Return yellow and blue as an eye without green cones has them (Vienot et al., 1999)."""
    red, green, blue = ((part / 255) ** 2.2 for part in colour.rgb)
    yellow, bluish = 0.293 * red + 0.707 * green, blue + 0.022 * (green - red)
    return yellow ** (1 / 2.2), max(bluish, 0.0) ** (1 / 2.2)


@pytest.mark.parametrize("dark", [True, False])
def test_colours_of_curves_stay_apart_without_green_cones(dark: bool) -> None:
    seen = [
        _as_deuteranope(Color.parse(palette.colour(slot, dark=dark)))
        for slot in range(palette.NUM_SLOTS)
    ]
    for place, one in enumerate(seen):
        for other in seen[place + 1 :]:
            # Where colours come near each other, markers and dashes tell them apart.
            assert max(abs(a - b) for a, b in zip(one, other, strict=True)) > 0.08
