"""The config tab of the Run screen, with the differences to another run; and the about tab."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget

from db.records import Run, RunDetail
from tui.formatting import Role, number, plural
from tui.gateway import Gateway
from tui.screens.run_tab import FINDING, Nothing, RunTab
from tui.widgets.columns import Cell, Column
from tui.widgets.dialogs import Ask, Choose
from tui.widgets.host import host
from tui.widgets.search_line import SearchLine
from tui.widgets.table import Table

LOWER_IS_BETTER = ("mae", "loss")


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A setting or a fact of the run, beside that of another run."""

    name: str
    value: str
    other: str = ""
    differs: bool = False
    is_heading: bool = False
    verdict: Role = Role.PLAIN
    """Of a metric: whether the difference is a gain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigChoice:
    """What to compare with."""

    other: str = ""
    """A run id; empty for the pinned baseline, if there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigPart:
    """The run's config, the other run, and the runs one can compare with."""

    other: Run | None
    is_baseline: bool
    choices: tuple[tuple[str, str], ...]
    """Id and name."""


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return values by dotted name of nested settings, in their order."""
    rows: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            rows |= flatten(cast(Mapping[str, Any], value), f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            items = cast("Sequence[object]", value)
            rows[prefix + name] = ", ".join(map(str, items)) or "none"
        elif isinstance(value, bool):
            rows[prefix + name] = "true" if value else "false"
        else:
            rows[prefix + name] = str(value)
    return rows


def config_rows(run: Run, other: Run | None, *, only_changed: bool) -> tuple[SettingRow, ...]:
    """Return the settings of a run, and beside them those of another, where there is one."""
    heading = SettingRow("Config", run.fingerprint[:12], is_heading=True)
    mine = flatten(run.config)
    if other is None:
        return (heading, *(SettingRow(name, value) for name, value in mine.items()))
    theirs = flatten(other.config)
    names = dict.fromkeys((*mine, *theirs))
    rows = [
        SettingRow(
            name,
            mine.get(name, "-"),
            theirs.get(name, "-"),
            differs=mine.get(name) != theirs.get(name),
        )
        for name in names
    ]
    shown = [row for row in rows if row.differs or not only_changed]
    heading = replace(heading, name=f"Config: {plural(sum(r.differs for r in rows), 'difference')}")
    heading = replace(heading, other=other.fingerprint[:12])
    facts = (("code", run.code_commit, other.code_commit), ("data", *_data_of(run, other)))
    shown += [
        SettingRow(name, of_run or "-", of_other or "-", differs=of_run != of_other)
        for name, of_run, of_other in facts
        if of_run != of_other or not only_changed
    ]
    return (heading, *shown, *_metric_rows(run, other))


def _data_of(run: Run, other: Run) -> tuple[str | None, str | None]:
    return run.data_fingerprint, other.data_fingerprint


def _metric_rows(run: Run, other: Run) -> list[SettingRow]:
    """Return the metrics both have, with the difference and whether it is a gain."""
    names = [name for name in run.metrics if name in other.metrics and name.count(".") == 1]
    rows = [SettingRow("Metrics", "", is_heading=True)] if names else []
    for name in sorted(names, key=lambda one: (not one.startswith("test."), one)):
        mine, theirs = run.metrics[name], other.metrics[name]
        gain = theirs - mine if name.split(".")[-1] in LOWER_IS_BETTER else mine - theirs
        verdict = Role.GOOD if gain > 0 else Role.BAD if gain < 0 else Role.DIM
        text = f"{number(mine)}  {mine - theirs:+.4f}"
        rows.append(SettingRow(name, text, number(theirs), verdict=verdict))
    return rows


def about_rows(detail: RunDetail) -> tuple[SettingRow, ...]:
    """Return where a run comes from: note, tags, code, data, machine, environment, changed code."""
    run = detail.run
    dirty = " with changes" if run.code_dirty else ""
    facts = {
        "name": run.name,
        "id": run.id,
        "group": run.group_name or "",
        "note": run.note or "none; i writes one",
        "tags": ", ".join(run.tags) or "none; t adds some",
        "command": " ".join(detail.command),
        "folder": run.folder,
        "host": run.host or "",
        "device": run.device or "",
        "parameters": f"{run.parameters:,}" if run.parameters is not None else "",
        "data fingerprint": run.data_fingerprint or "",
        "config fingerprint": run.fingerprint,
        "code": f"{run.code_commit}{dirty}" if run.code_commit else "",
    }
    rows = [SettingRow("About", "", is_heading=True)]
    rows += [SettingRow(name, value) for name, value in facts.items() if value]
    if detail.environment:
        rows.append(SettingRow("Environment", "", is_heading=True))
        rows += [SettingRow(name, value) for name, value in flatten(detail.environment).items()]
    if detail.code_diff:
        lines = detail.code_diff.splitlines()
        rows.append(SettingRow(f"Changed code: {plural(len(lines), 'line')}", "", is_heading=True))
        rows += [SettingRow(f"{place}", line) for place, line in enumerate(lines, start=1)]
    return tuple(rows)


def _name_cell(row: SettingRow) -> Cell:
    if row.is_heading:
        return Cell(row.name, Role.STRONG)
    mark = "≠ " if row.differs else "  "
    return Cell(mark + row.name, Role.WARN if row.differs else Role.DIM)


def setting_columns(other: str) -> tuple[Column[SettingRow], ...]:
    """Return the columns: name, value, and that of the other run where there is one."""
    name: Column[SettingRow] = Column(
        key="name", title="setting", width=28, cell=_name_cell, cuts_middle=True
    )
    value: Column[SettingRow] = Column(
        key="value",
        title="this run" if other else "value",
        width=18,
        cell=lambda r: Cell(r.value, r.verdict),
        grows=True,
    )
    if not other:
        return (name, value)
    beside: Column[SettingRow] = Column(
        key="other",
        title=other,
        width=18,
        cell=lambda r: Cell(r.other, Role.DIM),
        grows=True,
    )
    return (name, value, beside)


def _found(rows: Sequence[SettingRow], text: str) -> tuple[SettingRow, ...]:
    """Return the headings, and the rows that have all words of a text."""
    words = text.lower().split()
    return tuple(
        row
        for row in rows
        if row.is_heading or all(word in f"{row.name} {row.value}".lower() for word in words)
    )


class SettingsTab(RunTab):
    """A table of names and values in which one can look for words."""

    BINDINGS: ClassVar[list[BindingType]] = [FINDING[0]]

    def __init__(self) -> None:
        super().__init__()
        self._words = ""

    def compose_content(self) -> Iterator[Widget]:
        """Yield the table and the line to type words into."""
        yield Table[SettingRow](setting_columns(""), lambda r: f"{r.is_heading}{r.name}")
        yield SearchLine("words of a name or a value")

    @property
    def table(self) -> Table[SettingRow]:
        """The table."""
        return cast("Table[SettingRow]", self.query_one(Table))

    def action_find(self) -> None:
        """Type words to be looked for."""
        self.query_one(SearchLine).open(self._words)

    def on_search_line_typed(self, message: SearchLine.Typed) -> None:
        """Keep the rows that have the words."""
        self._words = message.text
        if message.is_final:
            self.table.focus()
        if self.detail is not None:
            self.show(self.detail, self.part)
        self.post_message(self.Said())


class ConfigTab(SettingsTab):
    """Every setting; beside it that of another run."""

    NAME = "config"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "diff", "differences to another run"),
        Binding("m", "choose", "which run"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._choice = ConfigChoice()
        self._mode = 0

    def choice(self) -> ConfigChoice:
        """Return the run to compare with."""
        return self._choice

    def read(self, gateway: Gateway, detail: RunDetail, choice: ConfigChoice) -> ConfigPart:
        """Read the other run: the chosen one, else the pinned baseline."""
        runs = {run.id: run for run in gateway.list_runs()}
        baseline = gateway.remembered.settings.baseline
        wanted = choice.other or (baseline if baseline != detail.run.id else "")
        other = runs.get(wanted)
        runs.pop(detail.run.id, None)
        return ConfigPart(
            other=other,
            is_baseline=other is not None and other.id == baseline,
            choices=tuple((run.id, run.name) for run in runs.values()),
        )

    def nothing(self, detail: RunDetail, part: ConfigPart) -> Nothing | None:
        """Say that no config is stored."""
        del part
        return None if detail.run.config else ("No config is stored of this run.", "")

    def show(self, detail: RunDetail, part: ConfigPart) -> None:
        """Show the settings, or what differs."""
        other = part.other if self._mode else None
        self.table.columns = setting_columns(other.name if other else "")
        rows = config_rows(detail.run, other, only_changed=self._mode == 1)
        self.table.show(_found(rows, self._words))

    def describe(self) -> str:
        """Return what is compared with what."""
        part = cast("ConfigPart | None", self.part)
        said = f" · filter `{self._words}`" if self._words else ""
        if part is None or self.detail is None:
            return ""
        if part.other is None or not self._mode:
            hint = "d shows the differences to another run"
            return f"fingerprint {self.detail.run.fingerprint[:12]} · {hint}{said}"
        kind = "the pinned baseline" if part.is_baseline else "another run"
        which = "only what differs" if self._mode == 1 else "all settings"
        return f"beside {part.other.name} ({part.other.id}, {kind}) · {which}{said}"

    def action_diff(self) -> None:
        """Show only what differs, then all settings side by side, then this run alone."""
        part = cast("ConfigPart | None", self.part)
        if part is None or self.detail is None:
            return
        if part.other is None:
            self.action_choose()
            return
        self._mode = (self._mode + 1) % 3
        self.show(self.detail, part)
        self.post_message(self.Said())

    def action_choose(self) -> None:
        """Offer all other runs."""
        part = cast("ConfigPart | None", self.part)
        if part is None or not part.choices:
            return
        names = [f"{name}  {run_id}" for run_id, name in part.choices]
        current = f"{part.other.name}  {part.other.id}" if part.other else ""
        host(self).push_screen(Choose("compare with", names, current), self._chosen)

    def _chosen(self, name: str | None) -> None:
        if name is not None:
            self._choice = ConfigChoice(other=name.split()[-1])
            self._mode = self._mode or 1
            self.post_message(self.Wanted())


class AboutTab(SettingsTab):
    """Where the run comes from, and what people noted of it."""

    NAME = "about"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "note", "note"),
        Binding("t", "tag", "tags"),
    ]

    is_read_only = False

    class Changed(Message):
        """The user gave the run another note, or other tags."""

        def __init__(self, note: str | None, tags: tuple[str, ...] = ()) -> None:
            super().__init__()
            self.note = note
            """None where it stays."""
            self.tags = tags
            """Tags to be put on; with a `-` before it one is taken off."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return False for what changes a run where the dashboard only reads."""
        if action in ("note", "tag") and self.is_read_only:
            return False
        return super().check_action(action, parameters)

    def action_note(self) -> None:
        """Write a note on the run."""
        if self.detail is not None:
            run = self.detail.run
            detail = "An empty one removes it." if run.note else ""
            host(self).push_screen(Ask(f"Note of {run.name}", detail, run.note), self._noted)

    def _noted(self, text: str | None) -> None:
        if text is not None:
            self.post_message(self.Changed(text.strip()))

    def action_tag(self) -> None:
        """Put tags on the run, or take them off."""
        if self.detail is not None:
            run = self.detail.run
            has = f"It has: {' '.join(run.tags)}. " if run.tags else ""
            detail = f"{has}Words are put on; with a - before it one is taken off."
            host(self).push_screen(Ask(f"Tags of {run.name}", detail, ""), self._tagged)

    def _tagged(self, text: str | None) -> None:
        words = tuple((text or "").replace(",", " ").split())
        if words:
            self.post_message(self.Changed(None, words))

    def read(self, gateway: Gateway, detail: RunDetail, choice: object) -> tuple[SettingRow, ...]:
        """Take it from what is read anyway."""
        del gateway, choice
        return about_rows(detail)

    def show(self, detail: RunDetail, part: tuple[SettingRow, ...]) -> None:
        """Show the facts."""
        del detail
        self.table.show(_found(part, self._words))

    def describe(self) -> str:
        """Return the run's folder."""
        said = f" · filter `{self._words}`" if self._words else ""
        return f"{self.detail.run.folder}{said}" if self.detail else ""
