"""The themes of the dashboard. Every other theme of Textual can be chosen as well.

The hues of states and curves are told apart by eyes that see no red or no green, too (Okabe and
Ito, 2008), and never stand alone: a state has its glyph, a curve its marker.
"""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="setgf-dark",
    primary="#56b4e9",
    secondary="#8fa3ff",
    accent="#56b4e9",
    warning="#e6a83a",
    error="#f0705a",
    success="#2ec4a0",
    foreground="#d5dae0",
    background="#0f1419",
    surface="#0f1419",
    panel="#1a212a",
    dark=True,
    variables={"cursor-row": "#24405a", "cursor-idle": "#1c2731", "dim": "#7f8a97"},
)
LIGHT = Theme(
    name="setgf-light",
    primary="#0072b2",
    secondary="#4050c0",
    accent="#0072b2",
    warning="#945700",
    error="#b92f19",
    success="#00704f",
    foreground="#22272e",
    background="#fbfbf9",
    surface="#fbfbf9",
    panel="#ecece7",
    dark=False,
    variables={"cursor-row": "#c3e0f2", "cursor-idle": "#e4eaee", "dim": "#67707c"},
)
CONTRAST = Theme(
    name="setgf-contrast",
    primary="#7fd0ff",
    secondary="#c0c8ff",
    accent="#ffd75f",
    warning="#ffb000",
    error="#ff9a80",
    success="#40e0b0",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#000000",
    dark=True,
    variables={
        "cursor-row": "#00508c",
        "cursor-idle": "#303030",
        "dim": "#d0d0d0",
        "border": "#ffffff",
        "border-blurred": "#d0d0d0",
    },
)
"""For tired or weak eyes: with it every text has a contrast of 7 or more to its ground."""
MONO = Theme(
    name="setgf-mono",
    primary="#ffffff",
    secondary="#ffffff",
    accent="#ffffff",
    warning="#ffffff",
    error="#ffffff",
    success="#ffffff",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#000000",
    dark=True,
    variables={
        "cursor-row": "#ffffff",
        "cursor-idle": "#000000",
        "dim": "#c0c0c0",
        "block-cursor-background": "#ffffff",
        "block-cursor-blurred-background": "#000000",
    },
)
"""For terminals without colour: what is bright behind a text is shown in reverse."""
OURS = (DARK, LIGHT, CONTRAST)
"""In the order `ctrl+t` goes through them."""
DEFAULT_VARIABLES = {"cursor-row": "#24405a", "cursor-idle": "#1c2731", "dim": "#7f8a97"}
