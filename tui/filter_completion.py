"""What can come next in a filter, from its text before the cursor: names, operators and values.

Pure functions; the language itself is `db.filters`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

_PIECES = re.compile(
    r"""(?P<space>\s+)|(?P<string>"[^"]*"?|'[^']*'?)|(?P<symbol>==|!=|<=|>=|[=<>~!()\[\],])"""
    r"""|(?P<word>[^\s()\[\],=!<>~"']+)"""
)
OPERATORS = ("==", "!=", "<", "<=", ">", ">=", "~", "in [")
JOINERS = ("and", "or")
STARTERS = ("not", "has")
STATES = ("running", "succeeded", "failed", "queued", "cancelled", "lost", "paused", "held")
_PLAIN_WORD = re.compile(r"[\w.+\-]+")
_KEYWORDS = {"and", "or", "not", "in", "has"}


class Slot(StrEnum):
    """What stands at a place of a filter."""

    NAME = "name"
    OPERATOR = "operator"
    VALUE = "value"
    TAG = "tag"
    JOINER = "joiner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the cursor is in a filter."""

    slot: Slot
    start: int
    """Where the piece begins that is being typed."""
    typed: str
    """That piece, up to the cursor."""
    name: str = ""
    """Of a value: what it is compared with."""
    is_list: bool = False
    """A value inside brackets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What can be completed."""

    names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    values: Mapping[str, tuple[str, ...]]
    """By name; a name that is missing was not asked for yet."""


def place_of(text: str, cursor: int) -> Place:
    """Return what stands before the cursor."""
    slot, name, is_list = Slot.NAME, "", False
    start, typed = cursor, ""
    for match in _PIECES.finditer(text[:cursor]):
        kind, word = match.lastgroup or "", match.group()
        if kind == "space":
            continue
        is_open = match.end() == cursor and not _is_ended(kind, word)
        if is_open:
            start, typed = match.start(), word
            break
        slot, name, is_list = _after(slot, kind, word, name, is_list=is_list)
    return Place(slot=slot, start=start, typed=typed, name=name, is_list=is_list)


def candidates(place: Place, known: Known) -> tuple[str, ...]:
    """Return what can stand at a place: what begins as typed first, then what holds it."""
    if place.slot is Slot.NAME:
        found: Iterable[str] = (*known.names, *STARTERS)
    elif place.slot is Slot.OPERATOR:
        found = OPERATORS
    elif place.slot is Slot.JOINER:
        found = JOINERS
    elif place.slot is Slot.TAG:
        found = map(quoted, known.tags)
    else:
        values = known.values.get(place.name, ())
        states = [one for one in STATES if one not in values] if place.name == "state" else []
        found = map(quoted, (*values, *states))
    typed = place.typed.lower()
    every = list(dict.fromkeys(found))
    begins = [word for word in every if _bare(word).startswith(_bare(typed))]
    holds = [word for word in every if _bare(typed) in _bare(word) and word not in begins]
    return tuple(begins + holds)


def common_beginning(words: Sequence[str]) -> str:
    """Return what all words begin with."""
    if not words:
        return ""
    low, high = min(words), max(words)
    same = 0
    while same < min(len(low), len(high)) and low[same] == high[same]:
        same += 1
    return low[:same]


def completed(
    text: str, cursor: int, place: Place, word: str, *, is_whole: bool
) -> tuple[str, int]:
    """Return the text with a word in place of what was typed, and where the cursor is then."""
    after = text[cursor:]
    glue = ""
    if is_whole and not after.startswith((" ", ",", "]", ")")):
        glue = "" if place.is_list or word.endswith("[") else " "
    written = f"{text[: place.start]}{word}{glue}"
    return written + after, len(written)


def quoted(value: str) -> str:
    """Return a value as the language wants it: in quotes unless it is one plain word."""
    if _PLAIN_WORD.fullmatch(value) and value.lower() not in _KEYWORDS:
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _bare(word: str) -> str:
    return word.strip("\"'").lower()


def _is_ended(kind: str, word: str) -> bool:
    """Return True for a piece that more letters would not change."""
    if kind == "string":
        return len(word) > 1 and word[-1] == word[0]
    return kind == "symbol" and word in "()[],~"


def _after(slot: Slot, kind: str, word: str, name: str, *, is_list: bool) -> tuple[Slot, str, bool]:
    """Return what comes after a whole piece."""
    lower = word.lower() if kind == "word" else ""
    if is_list:
        return (Slot.JOINER, "", False) if word == "]" else (Slot.VALUE, name, True)
    if lower in ("and", "or", "not") and slot is not Slot.VALUE:
        return (slot if slot is Slot.OPERATOR else Slot.NAME), name, False
    if lower == "has" and slot is Slot.NAME:
        return Slot.TAG, "", False
    if lower == "in" and slot is Slot.OPERATOR:
        return Slot.VALUE, name, False
    if word == "[":
        return Slot.VALUE, name, True
    if kind == "symbol":
        if word == "(":
            return Slot.NAME, "", False
        return (Slot.JOINER, "", False) if word == ")" else (Slot.VALUE, name, False)
    if slot is Slot.NAME:
        return Slot.OPERATOR, word, False
    return Slot.JOINER, "", False
