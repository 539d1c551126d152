"""The plot itself: lines, bands, markers and cursor on the cells between the axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tui.plotting import raster
from tui.plotting.cells import Cells
from tui.plotting.glyphs import Glyphs
from tui.plotting.inks import Ink, code_of
from tui.plotting.lines import Line
from tui.plotting.palette import BASELINE_DASH, NUM_SLOTS, dash
from tui.plotting.raster import Bools, Bytes, Floats, Ints

MARKER_SPACING = 14
"""Cells between two markers of a line where colour can't tell lines apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Column ranges of one line, or of what lies behind it."""

    line: int
    """Which line it belongs to."""
    low: Floats
    """(C,) on the drawn scale; NaN where it is absent."""
    high: Floats
    """(C,)."""
    is_band: bool = False


class Canvas:
    """Draws on the cells of the plot: `down` x `across` of them."""

    def __init__(
        self, cells: Cells, lines: Sequence[Line], glyphs: Glyphs, *, has_colour: bool
    ) -> None:
        self.cells, self.lines, self.glyphs = cells, lines, glyphs
        self.down, self.across = cells.text.shape
        self.has_colour = has_colour

    def grid(self, rows: Sequence[int]) -> None:
        """Draw a faint line at every tick of y."""
        self.cells.text[list(rows), :] = ord(self.glyphs.grid)
        self.cells.codes[list(rows), :] = code_of(Ink.GRID)

    def rule(self, column: int | None, glyph: str, ink: Ink) -> None:
        """Draw a vertical line behind the lines."""
        if column is not None:
            self.cells.text[:, column] = ord(glyph)
            self.cells.codes[:, column] = code_of(ink)

    def layers(self, layers: Sequence[Layer], span: tuple[float, float], ink: Ink) -> None:
        """Draw layers of one ink over what is there."""
        if not layers or not self.down or not self.across:
            return
        low = np.stack([layer.low for layer in layers])
        high = np.stack([layer.high for layer in layers])
        hidden = np.stack([self._hidden(layer, ink) for layer in layers])
        bits = raster.fill_dots(low, high, span, self.down * 4, hidden)
        bands = [index for index, layer in enumerate(layers) if layer.is_band]
        bits[bands] &= raster.DITHER
        slots = np.array([self.lines[layer.line].slot for layer in layers], dtype=np.int64)
        merged, owner = raster.overlay(bits, (self.down, self.across))
        lit = merged > 0
        self.cells.codes[lit] = (code_of(ink) + slots % NUM_SLOTS)[owner[lit]]
        self.cells.text[lit] = self._characters(merged, owner, slots, layers, ink)[lit]

    def _hidden(self, layer: Layer, ink: Ink) -> Bools:
        """Return the columns that a dashed line leaves out."""
        columns = np.arange(len(layer.low))
        if ink is not Ink.LINE:
            return np.zeros(len(columns), dtype=np.bool_)
        line = self.lines[layer.line]
        period, drawn = dash(line.slot, has_colour=self.has_colour)
        if line.is_baseline:
            period, drawn = BASELINE_DASH
        return columns % period >= drawn

    def _characters(
        self, bits: Bytes, owner: Ints, slots: Ints, layers: Sequence[Layer], ink: Ink
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.uint32]]:
        if self.glyphs.is_braille:
            return raster.codepoints(bits)
        strong = [ord(self.glyphs.marker(slot)) for slot in slots.tolist()]
        behind = [ord(self.glyphs.band if one.is_band else self.glyphs.faint) for one in layers]
        return np.array(strong if ink is Ink.LINE else behind, dtype=np.uint32)[owner]

    def markers(self, layers: Sequence[Layer], span: tuple[float, float]) -> None:
        """Put each line's marker at its newest visible value; without colour all along it."""
        for place, layer in enumerate(layers):
            seen = np.flatnonzero(np.isfinite(layer.high))
            if not len(seen):
                continue
            columns = [int(seen[-1])]
            if not self.has_colour:
                first = 2 * ((place * 3) % MARKER_SPACING)
                columns += range(first, 2 * self.across, 2 * MARKER_SPACING)
            self._mark(layer, columns, span)

    def crosshair(self, layers: Sequence[Layer], span: tuple[float, float], column: int) -> None:
        """Put each line's marker where the cursor crosses it."""
        for layer in layers:
            beside = [2 * column, 2 * column + 1]
            self._mark(layer, [c for c in beside if np.isfinite(layer.low[c])][:1], span)

    def best(self, layer: Layer, span: tuple[float, float], column: int | None) -> None:
        """Put a star on a line at its best epoch."""
        if column is not None:
            near = [c for c in (2 * column, 2 * column + 1) if np.isfinite(layer.low[c])]
            self._mark(layer, near[:1], span, self.glyphs.best)

    def _mark(
        self, layer: Layer, columns: Sequence[int], span: tuple[float, float], glyph: str = ""
    ) -> None:
        slot = self.lines[layer.line].slot
        middle = (layer.low + layer.high) / 2
        rows = raster.dot_rows(middle[list(columns)], span, self.down * 4) // 4
        code = code_of(Ink.MARKER, slot)
        for row, column in zip(rows.tolist(), columns, strict=True):
            if np.isfinite(middle[column]):
                at = min(max(row, 0), self.down - 1)
                self.cells.write(at, column // 2, glyph or self.glyphs.marker(slot), code)
