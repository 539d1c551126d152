"""The New job form: what to run, how, every setting; beside it what would be queued."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import Resize
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.formatting import Role, plural
from tui.gateway import Gateway, GatewayError
from tui.job_records import FormField, JobDraft, JobPlan
from tui.screens.base import NARROW, SHORT, Clock
from tui.screens.new_job_text import meaning_text, plan_text
from tui.widgets.chrome import KeyLine
from tui.widgets.columns import Cell, Column
from tui.widgets.dialogs import Ask, Choose, Confirm
from tui.widgets.filter_line import FilterLine, has_words
from tui.widgets.host import host
from tui.widgets.styles import glyphs, is_dark
from tui.widgets.table import Table

OTHER = "something else ..."
FREE_CHOICE = ("preset", "gpus")
"""Fields whose choices are only the usual ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRow:
    """A field as it is filled in, or the heading of a section."""

    field: FormField
    value: str = ""
    problem: str = ""
    is_heading: bool = False


class NewJobScreen(ModalScreen[str | None]):
    """Fills in a draft field by field; closes with the report of what was queued."""

    DEFAULT_CSS = """
    NewJobScreen { background: $background; }
    NewJobScreen #title { height: 1; background: $panel; color: $foreground; text-style: bold; }
    NewJobScreen #form { height: 1fr; }
    NewJobScreen #left { width: 1fr; }
    NewJobScreen Table { height: 1fr; }
    NewJobScreen #meaning { height: auto; min-height: 2; max-height: 5; padding: 0 1;
        border-top: solid $panel; }
    NewJobScreen #plan { width: 42%; min-width: 34; border-left: solid $panel; padding: 0 1;
        scrollbar-size-vertical: 1; }
    NewJobScreen #plan Static { height: auto; }
    NewJobScreen.-narrow #form { layout: vertical; }
    NewJobScreen.-narrow #left { height: 1fr; }
    NewJobScreen.-narrow #plan { width: 1fr; height: 35%; border-left: none;
        border-top: solid $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a,ctrl+s", "add", "queue these"),
        Binding("backspace,delete", "empty", "default"),
        Binding("slash", "filter", "find", key_display="/"),
        Binding("C", "only_changed", "only filled in"),
        Binding("f", "force", "also what was done", show=False),
        Binding("question_mark", "app.help", "help", key_display="?", show=False),
        Binding("escape,q", "close", "close", key_display="esc"),
    ]

    class Planned(Message):
        """A thread has planned a draft."""

        def __init__(self, draft: JobDraft, plan: JobPlan) -> None:
            super().__init__()
            self.draft, self.plan = draft, plan

    class Refused(Message):
        """A thread could not do what was asked."""

        def __init__(self, problem: str) -> None:
            super().__init__()
            self.problem = problem

    class Added(Message):
        """A thread has queued the jobs."""

        def __init__(self, report: str) -> None:
            super().__init__()
            self.report = report

    def __init__(
        self, gateway: Gateway, clock: Clock, draft: JobDraft | None = None, *, run_id: str = ""
    ) -> None:
        """Begin with a draft.

        Args:
            gateway: plans and queues.
            clock: seconds since the epoch.
            draft: what is filled in.
            run_id: fill in what makes this run again.
        """
        super().__init__(name="new job")
        self.gateway, self._clock = gateway, clock
        self.draft = JobDraft() if draft is None else draft
        self.plan = JobPlan()
        self._run_id = run_id
        self._begun_with = self.draft
        self._filter = ""
        self._is_only_changed = False
        self._is_busy = False
        self._is_adding = False
        self._problem = ""

    def compose(self) -> ComposeResult:
        """Yield the fields, what the chosen one means, and the plan."""
        title = f" Run {self._run_id} again" if self._run_id else " New job"
        yield Static(title, id="title", markup=False)
        with Horizontal(id="form"):
            with Vertical(id="left"):
                yield Table[FieldRow](FIELD_COLUMNS, _row_key, opens=True, id="table")
                yield Static(id="meaning")
            with VerticalScroll(id="plan"):
                yield Static(id="planned")
        yield FilterLine()
        yield KeyLine()

    def on_mount(self) -> None:
        """Read what to begin with, and plan it."""
        self._table.focus()
        self._plan()

    def on_resize(self, event: Resize) -> None:
        """Stack what does not fit side by side."""
        self.set_class(event.size.width < NARROW, "-narrow")
        self.set_class(event.size.height < SHORT, "-short")
        self._show_plan()

    @property
    def _table(self) -> Table[FieldRow]:
        return cast("Table[FieldRow]", self.query_one("#table", Table))

    @property
    def is_reading(self) -> bool:
        """True while a thread plans or queues."""
        return self._is_busy

    # Planning

    def _plan(self) -> None:
        """Plan the draft in a thread; the newest draft wins."""
        if not self._is_busy:
            self._is_busy = True
            self.run_worker(partial(self._plan_in_thread, self.draft), thread=True, group="plan")

    def _plan_in_thread(self, draft: JobDraft) -> None:
        try:
            is_first = draft is self._begun_with
            if self._run_id and is_first:
                draft = self.gateway.draft_of(self._run_id)
            plan = self.gateway.plan_jobs(draft)
            if is_first and (chosen := with_only_store(draft, plan)) is not draft:
                draft, plan = chosen, self.gateway.plan_jobs(chosen)
            self.post_message(self.Planned(draft, plan))
        except GatewayError as error:
            self.post_message(self.Refused(str(error)))

    def on_new_job_screen_planned(self, message: Planned) -> None:
        """Show the plan, unless the draft has changed meanwhile."""
        self._is_busy = False
        self._problem = ""
        if self.draft is self._begun_with:
            self.draft = self._begun_with = message.draft
        self.plan = message.plan
        self._show_fields()
        self._show_plan()
        if message.draft != self.draft:
            self._plan()

    def on_new_job_screen_refused(self, message: Refused) -> None:
        """Say what can't be read or queued; what is filled in stays."""
        self._is_busy = self._is_adding = False
        self._problem = message.problem
        self._show_plan()

    # Showing

    def _show_fields(self) -> None:
        rows: list[FieldRow] = []
        section = ""
        for field in self.plan.fields:
            value = self.draft.values.get(field.name, "")
            problem = self.plan.problems.get(field.name, "")
            if not has_words(self._filter, f"{field.name} {field.section} {field.meaning}"):
                continue
            if self._is_only_changed and not (value or problem):
                continue
            if field.section != section:
                section = field.section
                rows.append(FieldRow(field=field, is_heading=True))
            rows.append(FieldRow(field=field, value=value, problem=problem))
        first = self._table.cursor_key is None
        self._table.show(rows)
        if first:
            self._table.move_to(1)
        self._show_meaning()

    def _show_meaning(self) -> None:
        row = self._table.cursor_row
        dark = is_dark(self)
        text = Text("") if row is None or row.is_heading else meaning_text(row, dark=dark)
        self.query_one("#meaning", Static).update(text)

    def _show_plan(self) -> None:
        text = plan_text(
            self.plan,
            self.draft,
            problem=self._problem,
            now=self._clock(),
            dark=is_dark(self),
            glyphs=glyphs(self),
        )
        self.query_one("#planned", Static).update(text)

    def on_table_highlighted(self, _message: Table.Highlighted) -> None:
        """Say what the field means."""
        self._show_meaning()

    # Filling in

    def on_table_opened(self, _message: Table.Opened) -> None:
        """Let the user fill in the field: turn it over, choose, or type."""
        row = self._table.cursor_row
        if row is None or row.is_heading:
            return
        field = row.field
        set_field = partial(self.fill_in, field.name)
        now = row.value or field.default
        if set(field.choices) in ({"true", "false"}, {"yes", "no"}):
            other = next(choice for choice in field.choices if choice != now)
            self.fill_in(field.name, other)
        elif field.choices and not field.several:
            choices: Sequence[str] = field.choices
            if field.name in FREE_CHOICE:
                choices = (*choices, OTHER)
            host(self).push_screen(
                Choose(field.name, choices, now), partial(self._chosen, field, row.value)
            )
        else:
            host(self).push_screen(Ask(field.name, _hint(field), row.value), set_field)

    def _chosen(self, field: FormField, value: str, choice: str | None) -> None:
        if choice == OTHER:
            asked = Ask(field.name, field.meaning, value)
            host(self).push_screen(asked, partial(self.fill_in, field.name))
        else:
            self.fill_in(field.name, choice)

    def fill_in(self, name: str, text: str | None) -> None:
        """Fill in a field and plan anew; None changes nothing, an empty text empties it."""
        if text is not None:
            self.draft = self.draft.with_value(name, text)
            self._show_fields()
            self._plan()

    def action_empty(self) -> None:
        """Empty the field under the cursor."""
        row = self._table.cursor_row
        if row is not None and not row.is_heading:
            self.fill_in(row.field.name, "")

    def action_force(self) -> None:
        """Also queue what is queued or done already, or no longer."""
        self.draft = replace(self.draft, again=not self.draft.again)
        self._plan()

    # Finding

    def action_filter(self) -> None:
        """Let the user type words to find a field."""
        self.query_one(FilterLine).open(self._filter)

    def on_filter_line_filtered(self, message: FilterLine.Filtered) -> None:
        """Show the fields that have the words."""
        self._filter = message.text
        if message.is_final:
            self.query_one(FilterLine).close()
            self._table.focus()
        self._show_fields()

    def action_only_changed(self) -> None:
        """Show only the fields that are filled in, or all again."""
        self._is_only_changed = not self._is_only_changed
        self._show_fields()

    # Leaving

    def action_add(self) -> None:
        """Queue the jobs of the plan."""
        if self.gateway.read_only:
            self.notify("This dashboard is read-only.", severity="error")
        elif self._is_busy or self._is_adding:
            self.notify("Still planning; press it again in a moment.")
        elif self.plan.problems:
            self._go_to_problem()
        elif not (self.plan.num_new or (self.draft.again and self.plan.jobs)):
            self.notify("All of it is queued or done already; f queues it again.")
        else:
            self._is_adding = self._is_busy = True
            self.run_worker(partial(self._add_in_thread, self.draft), thread=True, group="add")

    def _add_in_thread(self, draft: JobDraft) -> None:
        try:
            self.post_message(self.Added(self.gateway.add_jobs(draft)))
        except GatewayError as error:
            self.post_message(self.Refused(str(error)))

    def on_new_job_screen_added(self, message: Added) -> None:
        """Close with what was queued."""
        self.dismiss(message.report)

    def _go_to_problem(self) -> None:
        name = next(iter(self.plan.problems))
        self._table.move_to_key(name)
        self.notify(self.plan.problems[name], title="Not queued", severity="error", markup=False)

    def action_close(self) -> None:
        """Close; ask first when something was filled in."""
        if self._filter or self._is_only_changed:
            self._is_only_changed = False
            self.on_filter_line_filtered(FilterLine.Filtered("", is_final=True))
        elif self.draft == self._begun_with:
            self.dismiss(None)
        else:

            def answered(is_sure: bool | None) -> None:
                if is_sure:
                    self.dismiss(None)

            detail = f"{plural(len(self.draft.values), 'field')} are filled in; nothing is queued."
            host(self).push_screen(Confirm("Close the form?", detail), answered)


def _row_key(row: FieldRow) -> str:
    return f"section {row.field.section}" if row.is_heading else row.field.name


def with_only_store(draft: JobDraft, plan: JobPlan) -> JobDraft:
    """Return a draft with the feature store chosen where there is but one; else the same draft."""
    stores = next((field.choices for field in plan.fields if field.name == "data"), ())
    if "data" in draft.values or len(stores) != 1:
        return draft
    return draft.with_value("data", stores[0])


def _hint(field: FormField) -> str:
    allowed = f" {', '.join(field.choices)}." if field.choices else ""
    default = f" Empty: {field.default}." if field.default else ""
    return f"{field.meaning}{allowed}{default}"


def _name(row: FieldRow) -> Cell:
    if row.is_heading:
        return Cell(row.field.section, Role.ACCENT, spans=True)
    name = row.field.name.rpartition(".")[2]  # the heading says the section
    return Cell(f"  {name}", Role.BAD if row.problem else Role.PLAIN)


def _value(row: FieldRow) -> Cell:
    if row.value:
        return Cell(row.value, Role.BAD if row.problem else Role.STRONG)
    return Cell(row.field.default or "-", Role.DIM)


def _remark(row: FieldRow) -> Cell:
    if row.problem:
        return Cell(" ".join(row.problem.split()), Role.BAD)
    return Cell(row.field.meaning, Role.DIM)


FIELD_COLUMNS: tuple[Column[Any], ...] = (
    Column(key="field", title="field", width=22, cell=_name),
    Column(key="value", title="value", width=14, cell=_value, grows=True),
    Column(key="meaning", title="meaning", width=24, cell=_remark, grows=True, rank=1),
)
