"""How `setgf eval` shows what it found: a table with curves, JSON, CSV, a picture."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setgf.cli.output import note, say, say_json
from setgf.errors import ConfigError

if TYPE_CHECKING:
    from setgf.cli.eval_text import ScoredOnce, SweptRates
    from setgf.cli.plot_text import ChartText
    from setgf.terms import Task
    from tui.plotting.lines import Line

_PICTURES = (".svg", ".txt")
_WIDTH, _HEIGHT = 100, 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a user wants to see."""

    metrics: tuple[str, ...]
    """Drawn over the rates."""
    picture: Path | None
    as_json: bool
    as_csv: bool

    def check_picture(self, *, is_swept: bool, is_chosen: bool) -> None:
        """Refuse a picture that can't be drawn, before anything is scored.

        Raises:
            ConfigError: there are no rates to draw over, or the file's name says no kind.
        """
        if not is_swept and (self.picture is not None or is_chosen):
            name = "--metric" if is_chosen else "--save-plot"
            raise ConfigError(
                f"`{name}` goes with `--missing-rate`: curves are drawn over several rates, as "
                "0-0.9."
            )
        if self.picture is not None and self.picture.suffix not in _PICTURES:
            raise ConfigError(
                f"`--save-plot` writes a picture (.svg) or text (.txt), but the file is "
                f"`{self.picture.name}`."
            )
        if self.picture is not None and not self.picture.parent.is_dir():
            raise ConfigError(f"`--save-plot`: there is no folder {self.picture.parent}.")

    def check_metrics(self, dataset: str, task: Task) -> None:
        """Refuse a metric the data set does not have.

        Raises:
            ConfigError: names those there are.
        """
        from setgf.terms import BRANCHES, Dataset, metric_names

        plain = ("loss", *metric_names(Dataset(dataset), task))
        known = (*plain, *(f"{branch}.{name}" for branch in BRANCHES[1:] for name in plain[1:]))
        for name in self.metrics:
            if name not in known:
                raise ConfigError(
                    f"`--metric` is `{name}`, which is not defined on {dataset} in {task}. "
                    f"Choose one of {', '.join(plain)}, or a branch's, as `text.{plain[1]}`."
                )

    def check_branches(self, found: Collection[str], split: str) -> None:
        """Refuse a metric of a branch the model has not.

        Raises:
            ConfigError: names it.
        """
        for name in self.metrics:
            if f"{split}.{name}" not in found:
                raise ConfigError(f"The model has no branch with a metric `{name}`.")

    def show(self, found: ScoredOnce | SweptRates, plain: Mapping[str, Any]) -> None:
        """Print what was found, and write the picture."""
        from setgf.cli.eval_text import SweptRates

        if self.as_json:
            say_json({**plain, "stored": dict(found.again.stored)})
        elif self.as_csv:
            _say_csv(found)
        else:
            found.say(self.metrics)
        if isinstance(found, SweptRates):
            self._draw(found)

    def _draw(self, found: SweptRates) -> None:
        from setgf.cli.plot_text import ChartText

        charts = {name: [_line(found, name)] for name in self.metrics}
        notes = f"mean +- sd over {len(found.missing.seeds)} draws"
        if not (self.as_json or self.as_csv):
            width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH
            text = ChartText(size=(width, _HEIGHT), x="rate", log_y=False, ascii_only=False)
            for name, lines in charts.items():
                say("\n" + text.draw(f"{found.again.split}.{name}", lines, note=notes))
        if self.picture is not None:
            text = ChartText(size=(_WIDTH, _HEIGHT), x="rate", log_y=False, ascii_only=False)
            self._save(self.picture, text, charts, notes, str(found.again.split))

    def _save(
        self,
        path: Path,
        text: ChartText,
        charts: Mapping[str, Sequence[Line]],
        notes: str,
        split: str,
    ) -> None:
        from setgf.home import users_umask

        named = {f"{split}.{name}": lines for name, lines in charts.items()}
        content = text.picture(named, note=notes, is_svg=path.suffix == ".svg")
        with users_umask():
            path.write_text(content, encoding="utf-8")
        note(f"Wrote {path}.")


def _say_csv(found: ScoredOnce | SweptRates) -> None:
    from setgf.runs.csv_lines import CsvLines

    csv = CsvLines()
    for row in found.csv():
        cells = [repr(cell) if isinstance(cell, float) else str(cell) for cell in row]
        say(csv.line(cells).rstrip("\r\n"))


def _line(found: SweptRates, metric: str) -> Line:
    """Return a metric over the rates, with its standard deviation as a band."""
    import numpy as np

    from setgf.cli.run_text import show_text
    from tui.plotting.lines import Band, Line

    name, points = f"{found.again.split}.{metric}", found.points
    mean = np.array([point.mean(name) for point in points])
    sd = np.array([point.sd(name) for point in points])
    sizes = np.array([len(point.metrics[name]) for point in points])
    return Line(
        key=found.again.run.id,
        label=show_text(found.again.run.identity.name),
        slot=0,
        x=np.array([point.rate for point in points]),
        y=mean,
        num_points=len(points),
        band=Band(low=mean - sd, high=mean + sd, sizes=sizes) if sizes.min() > 1 else None,
    )
