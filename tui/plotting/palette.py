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
    """Give every key a slot: those already held stay, new ones take the lowest that is free."""
    wanted = list(dict.fromkeys(keys))
    slots = {key: held[key] for key in wanted if key in held}
    taken = set(slots.values())
    for key in wanted:
        if key not in slots:
            slot = next(n for n in range(len(wanted) + 1) if n not in taken)
            slots[key] = slot
            taken.add(slot)
    return slots
