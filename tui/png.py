"""SVG to PNG by what the machine has for it; none of it is needed by anything else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from setgf.errors import ConfigError

CONVERTERS = ("rsvg-convert", "inkscape", "chromium", "chromium-browser", "google-chrome")
WAIT_SECONDS = 60
MISSING = (
    "There is nothing here that makes a PNG: install one of rsvg-convert, inkscape, chromium, or "
    "save an .svg, which every browser shows."
)
_BOX = re.compile(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"')


def svg_to_png(svg: str, *, find: Callable[[str], str | None] = shutil.which) -> bytes:
    """Return a picture as PNG.

    Args:
        svg: with a `viewBox`.
        find: returns where a program is.

    Raises:
        ConfigError: there is no converter, or it has failed.
    """
    program = next((path for name in CONVERTERS if (path := find(name))), None)
    if program is None:
        raise ConfigError(MISSING)
    with tempfile.TemporaryDirectory(prefix="setgf-") as folder:
        source, target = Path(folder) / "screen.svg", Path(folder) / "screen.png"
        source.write_text(svg, encoding="utf-8")
        command = _command(program, source, target, _size(svg))
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=WAIT_SECONDS
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ConfigError(f"{program} made no PNG: {error}") from error
        if not target.is_file() or not target.stat().st_size:
            said = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["it said nothing"]
            raise ConfigError(f"{program} made no PNG: {said[0]}")
        return target.read_bytes()


def _size(svg: str) -> tuple[int, int]:
    found = _BOX.search(svg)
    if found is None:
        raise ConfigError("The picture has no size.")
    return round(float(found[1])), round(float(found[2]))


def _command(program: str, source: Path, target: Path, size: tuple[int, int]) -> list[str]:
    name = Path(program).name
    if name == "rsvg-convert":
        return [program, "--output", str(target), str(source)]
    if name == "inkscape":
        return [program, "--export-type=png", f"--export-filename={target}", str(source)]
    # A browser refuses its sandbox to the superuser; it is given nothing but our own picture.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return [
        program, "--headless", *sandbox, "--disable-gpu", "--hide-scrollbars",
        f"--user-data-dir={source.parent / 'profile'}", f"--window-size={size[0]},{size[1]}",
        f"--screenshot={target}", source.as_uri(),
    ]  # fmt: skip
