r"""CSV that every reader reads back: Python's writer leaves a lone `\r` in a cell unquoted."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

_LINE_END = "\r\n"


class CsvLines:
    """Makes lines of CSV, ended by a newline."""

    def __init__(self) -> None:
        self._text = io.StringIO()
        # The writer quotes cells that hold a letter of its line end: here both kinds of it.
        self._writer = csv.writer(self._text, lineterminator=_LINE_END)

    def line(self, cells: Iterable[Any]) -> str:
        r"""Return one line.

        >>> CsvLines().line(["a\rb", 1.5, None, "a,b"])
        '"a\rb",1.5,,"a,b"\n'
        """
        self._writer.writerow(cells)
        text = self._text.getvalue()
        self._text.seek(0)
        self._text.truncate()
        return text.removesuffix(_LINE_END) + "\n"
