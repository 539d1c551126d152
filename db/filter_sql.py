"""Filters and orders as SQL on the table `runs`: every value is a bound parameter."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    exists,
    false,
    func,
    literal,
    not_,
    or_,
    select,
)

from db.filter_names import Field, Kind, Names
from db.filters import (
    AllOf,
    AnyOf,
    Comparison,
    Filter,
    HasTag,
    Membership,
    Not,
    Token,
    Truth,
    Value,
    nearest,
    parse,
    refused,
)
from db.records import JobState
from db.tables import runs, tags

_OPERATORS: Mapping[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_T = TypeVar("_T")
_ORDERS = ("<", "<=", ">", ">=")


def where_clause(connection: Connection, text: str, *, now: float) -> ColumnElement[bool]:
    """Return the condition on `runs` that a filter means.

    Args:
        connection: in a transaction; the names of settings and metrics are looked up in it.
        text: the filter.
        now: seconds since the epoch; durations count back from it.

    Raises:
        FilterError: the filter can't be read; shows where.
    """
    return _Builder(text, Names(connection), now).build(parse(text))


def order_by(connection: Connection, text: str | None) -> tuple[ColumnElement[Any], ...]:
    """Return the order that `-test.acc7, seed` means; missing values last, then the newest first.

    Raises:
        FilterError: a name is not known.
    """
    names = Names(connection)
    parts: list[ColumnElement[Any]] = []
    for match in re.finditer(r"[^,]+", text or ""):
        word = match.group().strip()
        if not word:
            continue
        start = match.start() + match.group().index(word)
        is_descending = word.startswith("-") or word.lower().endswith(" desc")
        name = re.sub(r"^-|\s+(asc|desc)$", "", word, flags=re.IGNORECASE)
        start += 1 if word.startswith("-") else 0
        token = Token("word", name, start, start + len(name))
        field = names.find(text or "", token)
        if field.kind is Kind.TAG:
            raise refused(text or "", token, "A run has many tags; they give no order.")
        for expression in (field.number, field.expression):
            if expression is not None:
                directed = expression.desc() if is_descending else expression.asc()
                parts.append(directed.nulls_last())
    return (*parts, runs.c.created_at.desc(), runs.c.id)


def _has_tag(tag: str) -> ColumnElement[bool]:
    return exists(select(1).where(tags.c.run_id == runs.c.id, tags.c.tag == tag).correlate(runs))


class _Builder:
    """Turns the tree of one filter into SQL."""

    def __init__(self, text: str, names: Names, now: float) -> None:
        self._text = text
        self._names = names
        self._now = now

    def build(self, part: Filter) -> ColumnElement[bool]:
        match part:
            case AllOf(parts):
                return and_(*map(self.build, parts))
            case AnyOf(parts):
                return or_(*map(self.build, parts))
            case Not(inner):
                return not_(self.build(inner))
            case HasTag(tag):
                return _has_tag(tag)
            case Truth(name):
                return self._truth(name)
            case Membership(name, values):
                field = self._names.find(self._text, name)
                return or_(*(self._compare(field, name, "==", name, value) for value in values))
            case Comparison(name, sign, sign_token, value):
                field = self._names.find(self._text, name)
                if sign == "!=":
                    return not_(self._compare(field, name, "==", sign_token, value))
                return self._compare(field, name, sign, sign_token, value)

    def _truth(self, name: Token) -> ColumnElement[bool]:
        field = self._names.find(self._text, name)
        if field.kind is Kind.BOOLEAN:
            return func.coalesce(field.expression, false())
        if field.kind is Kind.SETTING:
            return func.coalesce(field.expression == "true", false())
        raise refused(
            self._text,
            name,
            f"`{name.text}` is not true or false; compare it, as in `{name.text} == ...`.",
        )

    def _compare(
        self, field: Field, name: Token, sign: str, sign_token: Token, value: Value
    ) -> ColumnElement[bool]:
        if field.kind is Kind.TAG:
            self._refuse_order(sign, sign_token, name, "a word on the run", (*_ORDERS, "~"))
            return _has_tag(value.text)
        if value.is_null:
            if sign != "==":
                raise refused(self._text, sign_token, "`null` can only be compared with == and !=.")
            return field.expression.is_(None)
        if sign == "~":
            return self._matches(field, name, value)
        left, right = self._sides(field, name, sign, sign_token, value)
        # A missing value makes a comparison false, so that `not` means its opposite.
        return func.coalesce(_OPERATORS[sign](left, literal(right)), false())

    def _sides(
        self, field: Field, name: Token, sign: str, sign_token: Token, value: Value
    ) -> tuple[ColumnElement[Any], Any]:
        """Return the expression and the value to compare, of one type."""
        match field.kind:
            case Kind.NUMBER:
                return field.expression, self._need(value.number, name, value, "a number")
            case Kind.MOMENT:
                if sign == "==":
                    raise refused(
                        self._text, sign_token, f"`{name.text}` is a moment; use <, <=, > or >=."
                    )
                ago = None if value.seconds is None else self._now - value.seconds
                moment = value.moment if ago is None else ago
                expected = "a moment; give a date (2026-01-31) or how long ago (2d)"
                return field.expression, self._need(moment, name, value, expected)
            case Kind.DURATION:
                seconds = value.number if value.seconds is None else value.seconds
                expected = "a duration, such as 90s, 10min or 2h"
                return field.expression, self._need(seconds, name, value, expected)
            case Kind.BOOLEAN:
                self._refuse_order(sign, sign_token, name, "true or false")
                return field.expression, self._need(value.boolean, name, value, "true or false")
            case Kind.SETTING if value.number is not None and field.number is not None:
                return field.number, value.number
            case Kind.SETTING if value.boolean is not None:
                self._refuse_order(sign, sign_token, name, "true or false")
                return field.expression, str(value.boolean).lower()
            case _:
                self._refuse_order(sign, sign_token, name, "text")
                if name.text == "state" and value.text not in list(JobState):
                    hint = nearest(value.text, JobState)
                    raise refused(
                        self._text, value.token, f"There is no state `{value.text}`.{hint}"
                    )
                return field.expression, value.text

    def _need(self, found: _T | None, name: Token, value: Value, expected: str) -> _T:
        if found is None:
            raise refused(
                self._text,
                value.token,
                f"`{name.text}` is {expected}, and `{value.text}` is something else.",
            )
        return found

    def _refuse_order(
        self, sign: str, sign_token: Token, name: Token, what: str, signs: Sequence[str] = _ORDERS
    ) -> None:
        if sign in signs:
            raise refused(
                self._text, sign_token, f"`{name.text}` is {what}; compare it with ==, != or in."
            )

    def _matches(self, field: Field, name: Token, value: Value) -> ColumnElement[bool]:
        if field.kind not in (Kind.TEXT, Kind.SETTING):
            raise refused(self._text, name, f"`{name.text}` is not text; `~` matches text only.")
        try:
            re.compile(value.text)
        except re.error as error:
            words = f"This regular expression can't be read: {error}."
            raise refused(self._text, value.token, words) from error
        return func.coalesce(field.expression.regexp_match(value.text), false())
