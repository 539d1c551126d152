"""Every command of `setgf`, as its words."""

from __future__ import annotations

from typing import Any

import typer.main

from setgf.cli.main import app


def all_commands() -> dict[tuple[str, ...], Any]:
    """Return every command of the tree by its words, groups left out."""
    found: dict[tuple[str, ...], Any] = {}

    def walk(command: Any, words: tuple[str, ...]) -> None:
        inner = getattr(command, "commands", None)
        if inner is None:
            found[words] = command
            return
        for name, child in inner.items():
            walk(child, (*words, name))

    walk(typer.main.get_command(app), ())
    return found
