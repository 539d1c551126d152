"""The confusion tab of the Run screen: matrices of every number of classes the protocol has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, cast

from textual.binding import BindingType
from textual.widget import Widget

from db.records import RunDetail
from tui.formatting import plural
from tui.gateway import Gateway
from tui.run_records import SPLITS, ConfusionPart
from tui.screens.run_tab import CHOOSING, Nothing, RunTab, stepped
from tui.widgets.confusion import ConfusionPage
from tui.widgets.dialogs import Choose
from tui.widgets.host import host


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfusionChoice:
    """Which scores are sorted into classes."""

    split: str = SPLITS[0]
    branch: str = "fusion"

    @property
    def name(self) -> str:
        """As it is offered."""
        return f"{self.split}, {self.branch}"


class ConfusionTab(RunTab):
    """Matrices of one branch on one split."""

    NAME = "confusion"
    BINDINGS: ClassVar[list[BindingType]] = list(CHOOSING)

    def __init__(self) -> None:
        super().__init__()
        self._choice = ConfusionChoice()

    def compose_content(self) -> Iterator[Widget]:
        """Yield the page of matrices."""
        yield ConfusionPage()

    def choice(self) -> ConfusionChoice:
        """Return split and branch."""
        return self._choice

    def read(self, gateway: Gateway, detail: RunDetail, choice: ConfusionChoice) -> ConfusionPart:
        """Count."""
        return gateway.read_confusion(detail.run, choice.split, choice.branch)

    def nothing(self, detail: RunDetail, part: ConfusionPart) -> Nothing | None:
        """Say that there are no predictions."""
        if part.matrices:
            return None
        if part.branch not in part.branches:
            return (f"This model has no scores of {part.branch} alone.", "\nm chooses another.")
        return no_predictions(detail, part.split)

    def show(self, detail: RunDetail, part: ConfusionPart) -> None:
        """Show the matrices."""
        del detail
        # The most classes first: there one sees most.
        self.query_one(ConfusionPage).show(part.matrices[::-1])

    def describe(self) -> str:
        """Return whose scores they are, and what is left out."""
        part = cast("ConfusionPart | None", self.part)
        said = f"{self._choice.branch} on {self._choice.split}"
        if part is None or not part.matrices:
            return said
        left = f" · {plural(part.left_out, 'score')} not finite" if part.left_out else ""
        return f"{said}, {plural(part.matrices[0].total, 'sample')}: counts and % of the row{left}"

    def _choices(self) -> tuple[ConfusionChoice, ...]:
        part = cast("ConfusionPart | None", self.part)
        branches = part.branches if part else ("fusion",)
        return tuple(
            ConfusionChoice(split=split, branch=branch) for split in SPLITS for branch in branches
        )

    def action_step(self, steps: int) -> None:
        """Show the next branch or split."""
        self._choose(stepped(self._names(), self._choice.name, steps))

    def action_choose(self) -> None:
        """Offer every branch on every split."""
        ask = Choose("split, branch", self._names(), self._choice.name)
        host(self).push_screen(ask, self._choose)

    def _names(self) -> tuple[str, ...]:
        return tuple(choice.name for choice in self._choices())

    def _choose(self, name: str | None) -> None:
        found = next((choice for choice in self._choices() if choice.name == name), None)
        if found is not None and found != self._choice:
            self._choice = found
            self.post_message(self.Wanted())


def no_predictions(detail: RunDetail, split: str) -> Nothing:
    """Return what to say where a run has no predictions on a split."""
    if detail.run.state.is_finished:
        return (f"This run stored no predictions on {split}.", "")
    return (
        f"No predictions on {split} yet.",
        "\nThey are stored once, at the end of the run, with the weights of the best epoch.",
    )
