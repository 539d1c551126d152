"""A stylesheet that parses every source once, however many widgets and screens there are."""

from __future__ import annotations

from textual.cache import LRUCache
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

MOST_SOURCES = 1024
"""The toolkit's own limit of 64 is less than our screens have: each new one parsed all anew."""


class KeptStylesheet(Stylesheet):
    """Keeps what was parsed as long as no variable (a colour of the theme) changes."""

    def __init__(self, *, variables: dict[str, str]) -> None:
        super().__init__(variables=variables)
        self._parse_cache: LRUCache[tuple[object, ...], list[RuleSet]] = LRUCache(MOST_SOURCES)

    def set_variables(self, variables: dict[str, str]) -> None:
        """Put other variables in force; equal ones change nothing."""
        if variables != self._variables:
            super().set_variables(variables)

    def reparse(self) -> None:
        """Parse with the variables in force what is not parsed yet."""
        self.parse()
