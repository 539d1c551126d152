"""Filters and orders as plain SQL on the table `runs`: every value is a bound parameter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeVar

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

_T = TypeVar("_T")
_ORDERS = ("<", "<=", ">", ">=")
MATCHES = {"sqlite": "REGEXP", "postgresql": "~"}
"""The operator of regular expressions, by database."""


def where_sql(names: Names, text: str, *, now: float, dialect: str) -> str:
    """Return the condition on `runs` that a filter means; its values are in `names.parameters`.

    Args:
        names: of the database.
        text: the filter.
        now: seconds since the epoch; durations count back from it.
        dialect: `sqlite` or `postgresql`.

    Raises:
        FilterError: the filter can't be read; shows where.
    """
    return _Builder(text, names, now, MATCHES[dialect]).build(parse(text))


def order_sql(names: Names, text: str | None) -> tuple[str, ...]:
    """Return the terms of ORDER BY that `-test.acc7, seed` means; missing values last.

    Raises:
        FilterError: a name is not known.
    """
    parts: list[str] = []
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
        direction = "DESC" if is_descending else "ASC"
        parts += [
            f"{sql} {direction} NULLS LAST" for sql in (field.number, field.sql) if sql is not None
        ]
    return tuple(parts)


class _Builder:
    """Turns the tree of one filter into SQL."""

    def __init__(self, text: str, names: Names, now: float, matches: str) -> None:
        self._text = text
        self._names = names
        self._now = now
        self._matches_sign = matches

    def build(self, part: Filter) -> str:
        match part:
            case AllOf(parts):
                return f"({' AND '.join(map(self.build, parts))})"
            case AnyOf(parts):
                return f"({' OR '.join(map(self.build, parts))})"
            case Not(inner):
                return f"(NOT {self.build(inner)})"
            case HasTag(tag):
                return self._has_tag(tag)
            case Truth(name):
                return self._truth(name)
            case Membership(name, values):
                field = self._names.find(self._text, name)
                each = [self._compare(field, name, "==", name, value) for value in values]
                return f"({' OR '.join(each)})"
            case Comparison(name, sign, sign_token, value):
                field = self._names.find(self._text, name)
                if sign == "!=":
                    return f"(NOT {self._compare(field, name, '==', sign_token, value)})"
                return self._compare(field, name, sign, sign_token, value)

    def _has_tag(self, tag: str) -> str:
        bound = self._names.bind(tag)
        return f"EXISTS (SELECT 1 FROM tags WHERE tags.run_id = runs.id AND tags.tag = {bound})"

    def _truth(self, name: Token) -> str:
        field = self._names.find(self._text, name)
        if field.kind is Kind.BOOLEAN:
            return f"coalesce({field.sql}, false)"
        if field.kind is Kind.SETTING:
            return f"coalesce({field.sql} = 'true', false)"
        raise refused(
            self._text,
            name,
            f"`{name.text}` is not true or false; compare it, as in `{name.text} == ...`.",
        )

    def _compare(
        self, field: Field, name: Token, sign: str, sign_token: Token, value: Value
    ) -> str:
        if field.kind is Kind.TAG:
            self._refuse_order(sign, sign_token, name, "a word on the run", (*_ORDERS, "~"))
            return self._has_tag(value.text)
        if value.is_null:
            if sign != "==":
                raise refused(self._text, sign_token, "`null` can only be compared with == and !=.")
            return f"({field.sql} IS NULL)"
        if sign == "~":
            return self._matches(field, name, value)
        left, right = self._sides(field, name, sign, sign_token, value)
        # A missing value makes a comparison false, so that `not` means its opposite.
        sign = "=" if sign == "==" else sign
        return f"coalesce({left} {sign} {self._names.bind(right)}, false)"

    def _sides(
        self, field: Field, name: Token, sign: str, sign_token: Token, value: Value
    ) -> tuple[str, Any]:
        """Return the expression and the value to compare, of one type."""
        match field.kind:
            case Kind.NUMBER:
                return field.sql, self._need(value.number, name, value, "a number")
            case Kind.MOMENT:
                if sign == "==":
                    raise refused(
                        self._text, sign_token, f"`{name.text}` is a moment; use <, <=, > or >=."
                    )
                ago = None if value.seconds is None else self._now - value.seconds
                moment = value.moment if ago is None else ago
                expected = "a moment; give a date (2026-01-31) or how long ago (2d)"
                return field.sql, self._need(moment, name, value, expected)
            case Kind.DURATION:
                seconds = value.number if value.seconds is None else value.seconds
                expected = "a duration, such as 90s, 10min or 2h"
                return field.sql, self._need(seconds, name, value, expected)
            case Kind.BOOLEAN:
                self._refuse_order(sign, sign_token, name, "true or false")
                return field.sql, self._need(value.boolean, name, value, "true or false")
            case Kind.SETTING if value.number is not None and field.number is not None:
                return field.number, value.number
            case Kind.SETTING if value.boolean is not None:
                self._refuse_order(sign, sign_token, name, "true or false")
                return field.sql, str(value.boolean).lower()
            case _:
                self._refuse_order(sign, sign_token, name, "text")
                if name.text == "state":
                    self._need_state(value)
                return field.sql, value.text

    def _need_state(self, value: Value) -> None:
        from db.records import JobState  # takes longer to load than most filters to run

        if value.text not in list(JobState):
            hint = nearest(value.text, JobState)
            raise refused(self._text, value.token, f"There is no state `{value.text}`.{hint}")

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

    def _matches(self, field: Field, name: Token, value: Value) -> str:
        if field.kind not in (Kind.TEXT, Kind.SETTING):
            raise refused(self._text, name, f"`{name.text}` is not text; `~` matches text only.")
        try:
            re.compile(value.text)
        except re.error as error:
            words = f"This regular expression can't be read: {error}."
            raise refused(self._text, value.token, words) from error
        bound = self._names.bind(value.text)
        return f"coalesce({field.sql} {self._matches_sign} {bound}, false)"
