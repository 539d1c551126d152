"""A screen as a picture or as text, made without a terminal."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setgf.errors import ConfigError
from setgf.home import users_umask

if TYPE_CHECKING:
    from textual.app import App

WAIT_SECONDS = 10.0
_FONT = "'Fira Code', 'DejaVu Sans Mono', Menlo, Consolas, monospace"


def screen_text(app: App[Any]) -> str:
    """Return the characters of the screen, one line a row, without blanks at the ends."""
    strips = app.screen._compositor.render_strips()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    rows = ("".join(segment.text for segment in strip).rstrip() for strip in strips)
    return "\n".join(rows).rstrip() + "\n"


def screen_svg(app: App[Any]) -> str:
    """Return the screen as SVG that needs nothing from the network."""
    svg = app.export_screenshot(title="setgf-tui")
    svg = re.sub(r"@font-face\s*\{.*?\}\s*", "", svg, flags=re.DOTALL)
    return re.sub(r"font-family:\s*Fira Code[^;]*;", f"font-family: {_FONT};", svg)


def save(app: App[Any], path: Path, size: tuple[int, int], keys: Sequence[str] = ()) -> None:
    """Run the app without a terminal until its screen has data, and save what it shows.

    Args:
        app: to be run.
        path: `.svg` or `.png` for a picture, anything else for text.
        size: cells across and down.
        keys: to be pressed first.

    Raises:
        ConfigError: the file can't be written, or nothing here makes a PNG.
    """
    kind = path.suffix.lower()
    content = asyncio.run(_picture(app, size, keys, as_svg=kind in (".svg", ".png")))
    write(content, path)


def write(content: str, path: Path) -> None:
    """Write an SVG, or a text, or, for `.png`, an SVG as PNG.

    Raises:
        ConfigError: the file can't be written, or nothing here makes a PNG.
    """
    picture = content.encode()
    if path.suffix.lower() == ".png":
        from tui.png import svg_to_png

        picture = svg_to_png(content)
    try:
        with users_umask():
            path.write_bytes(picture)
    except OSError as error:
        raise ConfigError(f"{path} can't be written: {error.strerror}.") from error


async def _picture(
    app: App[Any], size: tuple[int, int], keys: Sequence[str], *, as_svg: bool
) -> str:
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        for key in keys:
            await pilot.press(key)
            await settle(pilot)
        return screen_svg(app) if as_svg else screen_text(app)


async def settle(pilot: Any) -> None:
    """Wait until the screen has read what it shows and nothing more is under way."""
    screen: Any = pilot.app.screen
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        await pilot.pause()
        screen = pilot.app.screen
        has_answer = getattr(screen, "frame", True) is not None or getattr(screen, "problem", "")
        if has_answer and not getattr(screen, "is_reading", False):
            break
        await pilot.app.workers.wait_for_complete()
    await pilot.pause()
