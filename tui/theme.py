"""The two themes of the dashboard. Every other theme of Textual can be chosen as well."""

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
DEFAULT_VARIABLES = {"cursor-row": "#24405a", "cursor-idle": "#1c2731", "dim": "#7f8a97"}
