"""The app a widget lives in, with its type spelled out."""

from __future__ import annotations

from typing import Any

from textual.app import App
from textual.dom import DOMNode


def host(node: DOMNode) -> App[Any]:
    """Return the app; the toolkit leaves its result type open."""
    app: App[Any] = node.app  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return app
