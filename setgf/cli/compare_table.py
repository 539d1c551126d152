"""A comparison for people: as a table of the terminal's width, or in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from setgf.analysis.comparison import Comparison
from setgf.analysis.display import is_percent
from setgf.analysis.leaderboard import primary_metric
from setgf.analysis.sections import Cell, Line, Section, notes_of, sections_of

BEST_MARK = "*"


def render_table(comparison: Comparison, names: Sequence[str], console: Console) -> Table:
    """Return one table; deviations go under the means where the terminal is narrow."""
    wide = _build_table(comparison, names, is_narrow=False)
    unbound = console.options.update(max_width=10_000)
    if Measurement.get(console, unbound, wide).maximum <= console.width:
        return wide
    return _build_table(comparison, names, is_narrow=True)


def legend(comparison: Comparison, names: Sequence[str]) -> Iterator[str]:
    """Yield the lines under the table: what the numbers are, and where published ones come from."""
    percent = any(is_percent(name) for name in names)
    yield (
        "Test split, at each run's best validation epoch: mean ± standard deviation over seeds"
        + (", accuracies and F1 in percent" if percent else "")
        + f"; {BEST_MARK} best of its section."
    )
    if comparison.published:
        yield (
            "Published rows were not run here, but elsewhere, on the whole test split of "
            f"{comparison.dataset}:"
        )
    for text, number in notes_of(comparison).items():
        yield f"[{number}] {text}"
    for place, told in sorted(comparison.differences.items()):
        row = comparison.rows[place]
        yield (
            f"{row.label} on {row.data_name}: "
            f"{primary_metric(row.task)} {told.mean:+.3f} against {comparison.baseline}, "
            f"95 % interval {told.low:+.3f} to {told.high:+.3f}, p = {told.p:.3g} (Welch)."
        )


def render_markdown(comparison: Comparison, names: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a Markdown table, best values in bold, then its legend."""
    heads = ["model", "seeds", *names, "how"]
    yield f"**{comparison.title}**"
    yield ""
    yield _markdown_row(heads)
    yield _markdown_row(["---"] * 2 + ["---:"] * len(names) + ["---"])
    for section in sections_of(comparison, names):
        yield _markdown_row([f"*{section.title}*", *[""] * (len(heads) - 1)])
        for line in section.lines:
            cells = [f"**{_join(cell)}**" if cell.best else _join(cell) for cell in line.cells]
            how = f"[{line.note}]" if line.note else ""
            yield _markdown_row([line.model, line.seeds, *cells, how])
    yield ""
    for text in legend(comparison, names):
        yield f"- {text.replace(f'{BEST_MARK} best', 'bold: best')}"


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _build_table(comparison: Comparison, names: Sequence[str], *, is_narrow: bool) -> Table:
    table = Table(
        box=None, pad_edge=False, header_style="bold", padding=(0, 1 if is_narrow else 2, 0, 0)
    )
    sections = sections_of(comparison, names)
    has_notes = any(line.note for section in sections for line in section.lines)
    table.add_column(comparison.title, overflow="fold")
    if not is_narrow:
        table.add_column("seeds")
    for name in names:
        # A name on two lines costs a narrow terminal half the width.
        head = name.replace("_", "\n") if is_narrow else name
        table.add_column(head, justify="right", no_wrap=True)
    if has_notes:
        table.add_column("how", justify="right")
    for section in sections:
        _add_section(table, section, is_narrow=is_narrow, has_notes=has_notes)
    return table


def _add_section(table: Table, section: Section, *, is_narrow: bool, has_notes: bool) -> None:
    table.add_row(Text(f"{section.title}:", style="dim italic"))
    for line in section.lines:
        note = [f"[{line.note}]" if line.note else ""] if has_notes else []
        cells = [_render(cell, is_narrow=is_narrow) for cell in line.cells]
        table.add_row(*_lead(line, is_narrow=is_narrow), *cells, *(Text(text) for text in note))


def _lead(line: Line, *, is_narrow: bool) -> list[Text]:
    """Return what stands before the values; one column on a narrow terminal."""
    if not is_narrow:
        return [Text(f"  {line.model}"), Text(line.seeds)]
    return [Text(f"{line.model}\n n={line.seeds}" if line.seeds else line.model)]


def _render(cell: Cell, *, is_narrow: bool) -> Text:
    mark = BEST_MARK if cell.best else " "
    style = "bold" if cell.best else ""
    if is_narrow and cell.deviation:
        return Text(f"{cell.text}{mark}\n±{cell.deviation} ", style=style)
    return Text(f"{_join(cell)}{mark}", style=style)


def _join(cell: Cell) -> str:
    return f"{cell.text} ± {cell.deviation}" if cell.deviation else cell.text
