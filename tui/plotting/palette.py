"""Colours of series: distinguishable to colour-blind eyes.

Hues are those of Okabe and Ito (2008), lightened on dark ground and darkened on light ground.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from tui.plotting.glyphs import MARKERS, UNICODE

__all__ = ["DARK", "LIGHT", "MARKERS", "NUM_SLOTS", "assign_slots", "colour", "dash", "marker"]

DARK = ("#56b4e9", "#e69f00", "#2ec4a0", "#f0744a", "#d98cc0", "#f0e442", "#8fa3ff", "#c8c8c8")
LIGHT = ("#0072b2", "#b87400", "#00805c", "#9c2c00", "#a8488a", "#7d7200", "#4050c0", "#505050")
NUM_SLOTS = len(DARK)
DASHES = ((1, 1), (16, 11), (6, 3), (24, 20))
"""Period and drawn part in dot columns: solid, dashed, dotted, long dashes."""
BASELINE_DASH = (10, 6)


def colour(slot: int, *, dark: bool) -> str:
    """Return the colour of a slot as `#rrggbb`; slots beyond the eighth begin again."""
    return (DARK if dark else LIGHT)[slot % NUM_SLOTS]


def marker(slot: int) -> str:
    """Return the one-cell marker of a slot."""
    return UNICODE.marker(slot)


def dash(slot: int, *, has_colour: bool) -> tuple[int, int]:
    """Return period and drawn part of a line: where colour can't, dashes tell lines apart."""
    return DASHES[(slot // NUM_SLOTS if has_colour else slot) % len(DASHES)]


def assign_slots(keys: Iterable[str], held: Mapping[str, int]) -> dict[str, int]:
    """Give every key a slot: its former one where that is free, else one that nobody held.

    Args:
        keys: what is drawn, most important first.
        held: slots given before, also to keys no longer drawn: they get theirs back.
    """
    slots: dict[str, int] = {}
    taken: set[int] = set()
    wanted = list(dict.fromkeys(keys))
    for key in wanted:
        if key in held and held[key] not in taken:
            slots[key] = held[key]
            taken.add(held[key])
    holders = Counter(held.values())
    free = (n for n in range(max(len(wanted), NUM_SLOTS)) if n not in taken)
    best = iter(sorted(free, key=lambda n: (holders[n], n)))
    return slots | {key: next(best) for key in wanted if key not in slots}
