"""Colours and markers of series: distinguishable to colour-blind eyes, and without colour.

Hues are those of Okabe and Ito (2008), lightened on dark ground and darkened on light ground.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

DARK = ("#56b4e9", "#e69f00", "#2ec4a0", "#f0744a", "#d98cc0", "#f0e442", "#8fa3ff", "#c8c8c8")
LIGHT = ("#0072b2", "#b06a00", "#00805c", "#c4450c", "#a8488a", "#7d7200", "#4050c0", "#505050")
MARKERS = ("●", "▲", "■", "◆", "▼", "★", "○", "△")
NUM_SLOTS = len(DARK)


def colour(slot: int, *, dark: bool) -> str:
    """Return the colour of a slot as `#rrggbb`; slots beyond the eighth begin again."""
    return (DARK if dark else LIGHT)[slot % NUM_SLOTS]


def marker(slot: int) -> str:
    """Return the one-cell marker of a slot."""
    return MARKERS[slot % NUM_SLOTS]


def assign_slots(keys: Iterable[str], held: Mapping[str, int]) -> dict[str, int]:
    """Give every key a slot: its former one where that is free, else the lowest free one.

    Args:
        keys: what is drawn, most important first.
        held: slots given before, also to keys no longer drawn.
    """
    slots: dict[str, int] = {}
    taken: set[int] = set()
    wanted = list(dict.fromkeys(keys))
    for key in wanted:
        if key in held and held[key] not in taken:
            slots[key] = held[key]
            taken.add(held[key])
    for key in wanted:
        if key not in slots:
            slots[key] = next(n for n in range(len(wanted) + 1) if n not in taken)
            taken.add(slots[key])
    return slots
