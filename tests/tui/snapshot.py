"""Screens compared as text with files; `SETGF_UPDATE_SNAPSHOTS=1` writes the files anew."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from textual.app import App

from tui.screenshot import screen_text

FOLDER = Path(__file__).parent / "snapshots"
UPDATE = "SETGF_UPDATE_SNAPSHOTS"


def check_snapshot(app: App[Any], name: str) -> None:
    """Compare what the app shows with the stored text of that name."""
    seen = screen_text(app)
    path = FOLDER / f"{name}.txt"
    if os.environ.get(UPDATE):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(seen, encoding="utf-8")
        return
    assert path.exists(), f"No snapshot {path.name}; look at the screen, then set {UPDATE}=1."
    assert seen == path.read_text(encoding="utf-8"), f"{path.name} differs:\n{seen}"
