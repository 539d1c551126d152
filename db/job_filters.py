"""The filter language of `db.filters` over jobs: read once, then asked of every job in Python.

A name is a column of a job (`state`, `model`, `priority`, `group`, `created` ...), a setting
(`optim.lr`, or `lr` where that is unique) or a tag. Jobs have no metrics: their runs have.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

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
from db.job_list import ListedJob, setting_names, setting_values, tags_of_runs
from db.records import JobState
from db.statements import Statements

Test = Callable[[ListedJob], bool]
Read = Callable[[ListedJob], Any]

_TEXT: Mapping[str, str] = {
    "run": "run_id",
    "run_id": "run_id",
    "name": "name",
    "state": "state",
    "reason": "reason",
    "dataset": "dataset",
    "data": "data_name",
    "data_name": "data_name",
    "model": "model",
    "group": "group_name",
    "variant": "variant",
    "fingerprint": "fingerprint",
    "error": "error",
    "owner": "owner",
    "worker": "worker_id",
}
_NUMBERS: Mapping[str, str] = {
    "id": "id",
    "job": "id",
    "priority": "priority",
    "attempt": "attempt",
    "attempts": "max_attempts",
    "seed": "seed",
    "gpus": "gpus",
    "memory": "memory_mib",
    "epoch": "epoch",
    "max_epochs": "max_epochs",
}
_MOMENTS: Mapping[str, str] = {
    f"{name}{end}": f"{name}_at"
    for name in ("created", "started", "finished")
    for end in ("", "_at")
}
_DURATIONS: Mapping[str, str] = {"time_limit": "time_limit", "running": "running_seconds"}
_TRUTHS: Mapping[str, Read] = {
    "frozen": lambda job: job.frozen_at is not None,
    "cleared": lambda job: job.cleared_at is not None,
    "alone": lambda job: bool(job.is_alone),
}
_TAGS = ("tag", "tags")
NAMES = (*_TEXT, *_NUMBERS, *_MOMENTS, *_DURATIONS, *_TRUTHS, *_TAGS)
"""Names that every job has."""
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def matching(
    statements: Statements, text: str, jobs: Iterable[ListedJob], *, now: float
) -> list[ListedJob]:
    """Return the jobs that a filter means.

    Args:
        statements: settings and tags are looked up in it when the filter names them.
        text: the filter.
        jobs: to choose from.
        now: seconds since the epoch; durations count back from it.

    Raises:
        FilterError: the filter can't be read; the message shows where.
    """
    jobs = list(jobs)
    test = _Reader(statements, text, jobs, now).read(parse(text))
    return [job for job in jobs if test(job)]


class _Reader:
    """Turns the tree of one filter into a test of a job."""

    def __init__(
        self, statements: Statements, text: str, jobs: Sequence[ListedJob], now: float
    ) -> None:
        self._statements = statements
        self._text = text
        self._jobs = jobs
        self._now = now
        self._tags: Mapping[str, list[str]] | None = None

    def read(self, part: Filter) -> Test:
        match part:
            case AllOf(parts):
                tests = [self.read(one) for one in parts]
                return lambda job: all(test(job) for test in tests)
            case AnyOf(parts):
                tests = [self.read(one) for one in parts]
                return lambda job: any(test(job) for test in tests)
            case Not(inner):
                test = self.read(inner)
                return lambda job: not test(job)
            case HasTag(tag):
                return self._has_tag(tag)
            case Truth(name):
                return self._truth(name)
            case Membership(name, values):
                tests = [self._compare(name, "==", name, value) for value in values]
                return lambda job: any(test(job) for test in tests)
            case Comparison(name, sign, sign_token, value):
                if sign == "!=":
                    test = self._compare(name, "==", sign_token, value)
                    return lambda job: not test(job)
                return self._compare(name, sign, sign_token, value)

    def _has_tag(self, tag: str) -> Test:
        if self._tags is None:
            self._tags = tags_of_runs(self._statements, [job.run_id for job in self._jobs])
        tags = self._tags
        return lambda job: tag in tags.get(job.run_id, ())

    def _truth(self, name: Token) -> Test:
        if name.text in _TRUTHS:
            return _TRUTHS[name.text]
        if name.text not in NAMES:
            values = setting_values(self._statements, self._setting(name))
            return lambda job: values.get(job.run_id, (None, None))[0] == "true"
        raise refused(
            self._text,
            name,
            f"`{name.text}` is not true or false; compare it, as in `{name.text} == ...`.",
        )

    def _compare(self, name: Token, sign: str, sign_token: Token, value: Value) -> Test:
        if name.text in _TAGS:
            self._refuse_order(sign, sign_token, name, "a word on the run")
            return self._has_tag(value.text)
        read, wanted = self._sides(name, sign, sign_token, value)
        if value.is_null:
            if sign != "==":
                raise refused(self._text, sign_token, "`null` can only be compared with == and !=.")
            return lambda job: read(job) is None
        if sign == "~":
            return self._matches(name, read, value)
        compare = _OPERATORS[sign]

        def test(job: ListedJob) -> bool:
            found = read(job)
            return found is not None and compare(found, wanted)

        return test

    def _sides(self, name: Token, sign: str, sign_token: Token, value: Value) -> tuple[Read, Any]:
        """Return what reads the left side from a job, and the right side of the same type."""
        word = name.text
        if word in _TRUTHS:
            self._refuse_order(sign, sign_token, name, "true or false")
            return _TRUTHS[word], self._need(value.boolean, name, value, "true or false")
        if word in _NUMBERS:
            return _reader(_NUMBERS[word]), self._need(value.number, name, value, "a number")
        if word in _MOMENTS:
            ago = None if value.seconds is None else self._now - value.seconds
            moment = value.moment if ago is None else ago
            expected = "a moment; give a date (2026-01-31) or how long ago (2d)"
            return _reader(_MOMENTS[word]), self._need(moment, name, value, expected)
        if word in _DURATIONS:
            seconds = value.number if value.seconds is None else value.seconds
            expected = "a duration, such as 90s, 10min or 2h"
            return _reader(_DURATIONS[word]), self._need(seconds, name, value, expected)
        if word in _TEXT:
            self._refuse_order(sign, sign_token, name, "text")
            self._check_state(name, sign, value)
            return _reader(_TEXT[word]), value.text
        return self._setting_sides(name, sign, sign_token, value)

    def _setting_sides(
        self, name: Token, sign: str, sign_token: Token, value: Value
    ) -> tuple[Read, Any]:
        values = setting_values(self._statements, self._setting(name))
        if value.number is not None:
            return lambda job: values.get(job.run_id, (None, None))[1], value.number
        self._refuse_order(sign, sign_token, name, "text")
        wanted = value.text if value.boolean is None else str(value.boolean).lower()
        return lambda job: values.get(job.run_id, (None, None))[0], wanted

    def _setting(self, name: Token) -> str:
        """Return the dotted name of a setting.

        Raises:
            FilterError: nothing is called like that; names the nearest.
        """
        known = setting_names(self._statements)
        if name.text in known:
            return name.text
        alone = [setting for setting in known if setting.endswith(f".{name.text}")]
        if len(alone) == 1:
            return alone[0]
        hint = nearest(name.text, {*NAMES, *known})
        raise refused(self._text, name, f"Jobs have nothing called `{name.text}`.{hint}")

    def _check_state(self, name: Token, sign: str, value: Value) -> None:
        if name.text == "state" and sign == "==" and not value.is_null:
            if value.text in list(JobState):
                return
            hint = nearest(value.text, JobState)
            raise refused(self._text, value.token, f"There is no state `{value.text}`.{hint}")

    def _need(self, found: Any, name: Token, value: Value, expected: str) -> Any:
        if found is None and not value.is_null:
            raise refused(
                self._text,
                value.token,
                f"`{name.text}` is {expected}, and `{value.text}` is something else.",
            )
        return found

    def _refuse_order(self, sign: str, sign_token: Token, name: Token, what: str) -> None:
        if sign in ("<", "<=", ">", ">="):
            raise refused(
                self._text, sign_token, f"`{name.text}` is {what}; compare it with ==, != or in."
            )

    def _matches(self, name: Token, read: Read, value: Value) -> Test:
        if name.text in NAMES and name.text not in _TEXT:
            raise refused(self._text, name, f"`{name.text}` is not text; `~` matches text only.")
        try:
            pattern = re.compile(value.text)
        except re.error as error:
            words = f"This regular expression can't be read: {error}."
            raise refused(self._text, value.token, words) from error

        def test(job: ListedJob) -> bool:
            found = read(job)
            return found is not None and pattern.search(str(found)) is not None

        return test


def _reader(column: str) -> Read:
    return operator.attrgetter(column)
