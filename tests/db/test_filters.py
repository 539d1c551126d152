"""The filter language: against a plain evaluator, its refusals, and that values are only data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from db.engine import Database
from db.errors import FilterError
from db.jobs import add_attempt
from db.metrics import ingest
from db.query import Query
from db.run_list import Choice, connect, executor, list_rows
from db.runs import add_run, archive, set_final_metrics
from db.tables import runs
from tests.db.builders import NOW, new_attempt, new_run, points

Predicate = Callable[[Mapping[str, Any]], bool]

DATASETS = ("mosi", "sims", "mosei")
FACTS: tuple[Mapping[str, Any], ...] = tuple(
    {
        "id": f"run{index:05}",
        "name": ("plain", 'with "quotes"', "it's; DROP TABLE runs --", "ünïcode %_")[index % 4],
        "dataset": DATASETS[index % 3],
        "seed": 1111 + index % 4,
        "best_valid": None if index % 3 == 0 else index / 10,
        "device": None if index % 2 else "cpu",
        "optim.lr": (1e-3, 1e-4, 5e-5, None)[index % 4],
        "text.encoder": ("tiny", "minilm", None)[index % 3],
        "text.finetune": (True, False, None)[index % 3],
        "test.acc7": None if index % 5 == 0 else index / 20,
        "last.train.loss": None if index % 4 == 1 else float(index),
        "best.train.loss": None if index % 4 == 1 else min(9.0, float(index)),
        "created": NOW - index * 3600,
        "tags": tuple(tag for bit, tag in enumerate(("base", "it's")) if index >> bit & 1),
    }
    for index in range(12)
)
TEXTS = ("name", "dataset", "device", "text.encoder")
NUMBERS = ("seed", "best_valid", "optim.lr", "test.acc7", "last.train.loss", "best.train.loss")
BOOLEANS = ("text.finetune",)
COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda left, right: left == right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


@pytest.fixture(scope="module")
def stored(make_database: Callable[[], Database]) -> Database:
    database = make_database()
    with database.write() as connection:
        for index, facts in enumerate(FACTS):
            store_facts(connection, facts, created_at=NOW - index * 3600)
    return database


def store_facts(connection: Any, facts: Mapping[str, Any], *, created_at: float) -> None:
    run_id = facts["id"]
    names = ("optim.lr", "text.encoder", "text.finetune")
    values = {name: facts[name] for name in names if facts[name] is not None}
    run = new_run(
        run_id,
        name=facts["name"],
        dataset=facts["dataset"],
        seed=facts["seed"],
        settings=values,
        tags=facts["tags"],
        created_at=created_at,
    )
    add_run(connection, run)
    connection.execute(
        update(runs)
        .where(runs.c.id == run_id)
        .values(best_valid=facts["best_valid"], device=facts["device"])
    )
    if facts["test.acc7"] is not None:
        set_final_metrics(connection, run_id, {"test.acc7": facts["test.acc7"]}, attempt=1)
    if facts["last.train.loss"] is not None:
        add_attempt(connection, new_attempt(run_id))
        ingest(connection, run_id, 1, points([9.0, facts["last.train.loss"]]), points_offset=56)


def quote(word: str) -> str:
    return '"' + word.replace('"', '\\"') + '"'


def compare(name: str, sign: str, value: Any) -> Predicate:
    if sign == "!=":
        return lambda facts: facts[name] != value
    return lambda facts: facts[name] is not None and COMPARE[sign](facts[name], value)


def number_terms() -> st.SearchStrategy[tuple[str, Predicate]]:
    values = st.sampled_from([0.001, 1e-4, 5e-5, 0.1, 0.25, 0.5, 1112.0, 3.0, -1.0])
    signs = st.sampled_from([*COMPARE, "!="])
    return st.builds(
        lambda name, sign, value: (f"{name}{sign}{value!r}", compare(name, sign, value)),
        st.sampled_from(NUMBERS),
        signs,
        values,
    )


def text_terms() -> st.SearchStrategy[tuple[str, Predicate]]:
    known = [*DATASETS, "tiny", "cpu", *(str(facts["name"]) for facts in FACTS[:4])]
    words = st.sampled_from(known) | st.text(max_size=5)
    return st.builds(
        lambda name, sign, word: (f"{name} {sign} {quote(word)}", compare(name, sign, word)),
        st.sampled_from(TEXTS),
        st.sampled_from(["==", "!="]),
        words.filter(lambda word: not word.endswith("\\") and "\\" not in word),
    )


def regex_terms() -> st.SearchStrategy[tuple[str, Predicate]]:
    return st.builds(
        lambda name, pattern: (
            f"{name} ~ '{pattern}'",
            lambda facts: facts[name] is not None and re.search(pattern, facts[name]) is not None,
        ),
        st.sampled_from(TEXTS),
        st.sampled_from(["^m", "i$", "o.i", "[%_]", r"\d", "", "mini|tiny"]),
    )


def list_terms() -> st.SearchStrategy[tuple[str, Predicate]]:
    def build(name: str, values: list[Any], negated: bool) -> tuple[str, Predicate]:
        text = f"{name} {'not ' if negated else ''}in [{', '.join(map(str, values))}]"
        return text, lambda facts: (facts[name] in values) != negated

    def listed(names: tuple[str, ...], values: tuple[Any, ...]) -> Any:
        some = st.lists(st.sampled_from(values), min_size=1, max_size=3)
        return st.builds(build, st.sampled_from(names), some, st.booleans())

    return listed(("dataset",), DATASETS) | listed(NUMBERS, (1111, 1113, 0.001, 0.1, 3.0))


def moment_terms() -> st.SearchStrategy[tuple[str, Predicate]]:
    """`created > 90min` is "within the last 90 minutes"; a date is midnight of this place."""
    units = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}

    def ago(sign: str, number: int, unit: str) -> tuple[str, Predicate]:
        moment = NOW - number * units[unit]
        return f"created {sign} {number}{unit}", lambda facts: COMPARE[sign](
            facts["created"], moment
        )

    def date(sign: str, day: datetime) -> tuple[str, Predicate]:
        moment = day.timestamp()
        return f"created {sign} {day:%Y-%m-%dT%H:%M}", lambda facts: COMPARE[sign](
            facts["created"], moment
        )

    signs = st.sampled_from(["<", "<=", ">", ">="])
    now = datetime.fromtimestamp(NOW, tz=UTC).astimezone().replace(minute=0, second=0)
    days = st.integers(0, 15).map(lambda hours: now - timedelta(hours=hours))
    return st.builds(ago, signs, st.integers(0, 40), st.sampled_from([*units])) | st.builds(
        date, signs, days
    )


def other_terms() -> st.SearchStrategy[tuple[str, Predicate]]:
    def null(name: str, negated: bool) -> tuple[str, Predicate]:
        sign = "!=" if negated else "=="
        return f"{name} {sign} null", lambda facts: (facts[name] is None) != negated

    def tag(word: str, form: str) -> tuple[str, Predicate]:
        return form.format(quote(word)), lambda facts: word in facts["tags"]

    def truth(name: str, form: str) -> tuple[str, Predicate]:
        wanted = "false" not in form
        return form.format(name), lambda facts: facts[name] is wanted

    return st.one_of(
        st.builds(null, st.sampled_from(TEXTS + NUMBERS), st.booleans()),
        st.builds(tag, st.sampled_from(["base", "it's", "none such"]), st.sampled_from(TAG_FORMS)),
        st.builds(truth, st.sampled_from(BOOLEANS), st.sampled_from(TRUTH_FORMS)),
    )


TAG_FORMS = ("has {}", "has tag {}", "tag == {}", "tags in [{}]")
TRUTH_FORMS = ("{}", "{} == true", "{} == false")


def combined(
    parts: st.SearchStrategy[tuple[str, Predicate]],
) -> st.SearchStrategy[tuple[str, Predicate]]:
    def negate(part: tuple[str, Predicate]) -> tuple[str, Predicate]:
        return f"not ({part[0]})", lambda facts: not part[1](facts)

    def both(word: str, left: tuple[str, Predicate], right: tuple[str, Predicate]) -> Any:
        text = f"({left[0]}) {word} {right[0]}" if word == "or" else f"({left[0]}) and ({right[0]})"
        if word == "or":
            return text, lambda facts: left[1](facts) or right[1](facts)
        return text, lambda facts: left[1](facts) and right[1](facts)

    return st.builds(negate, parts) | st.builds(both, st.sampled_from(["and", "or"]), parts, parts)


FILTERS = st.recursive(
    st.one_of(
        *(number_terms(), text_terms(), regex_terms(), list_terms(), moment_terms()), other_terms()
    ),
    combined,
    max_leaves=6,
)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=FILTERS)
def test_a_filter_finds_what_a_plain_evaluator_finds(
    stored: Database, case: tuple[str, Predicate]
) -> None:
    text, predicate = case

    with mock.patch("db.query.time.time", lambda: NOW):
        found = {run.id for run in Query(stored).runs(where=text)}

    assert found == {str(facts["id"]) for facts in FACTS if predicate(facts)}, text
    if stored.path is not None:
        with (  # the way of `setgf runs list`
            closing(connect(stored.path)) as connection,
            mock.patch("db.query.time.time", lambda: NOW),
        ):
            listed = list_rows(executor(connection), ("id",), Choice(where=text))
        assert {row[0] for row in listed} == found


def ids(database: Database, where: str | None = None, sort: str | None = None) -> list[str]:
    return [run.id.removeprefix("run000") for run in Query(database).runs(where, sort)]


ORDERS = ("name", "dataset", "seed", "device", "best_valid", "optim.lr", "test.acc7", "created")


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(st.tuples(st.sampled_from(ORDERS), st.booleans()), max_size=3),
    limit=st.none() | st.integers(0, 15),
)
def test_an_order_and_a_limit_are_those_of_a_plain_sort(
    stored: Database, names: list[tuple[str, bool]], limit: int | None
) -> None:
    expected = sorted(FACTS, key=lambda facts: -facts["created"])
    for name, is_descending in reversed(names):
        there = [facts for facts in expected if facts[name] is not None]
        there.sort(key=lambda facts: facts[name], reverse=is_descending)
        expected = there + [facts for facts in expected if facts[name] is None]

    sort = ", ".join(f"-{name}" if is_descending else name for name, is_descending in names)
    found = [run.id for run in Query(stored).runs(sort=sort, limit=limit)]

    assert found == [facts["id"] for facts in expected][:limit], sort


def test_and_binds_closer_than_or(stored: Database) -> None:
    found = ids(stored, "seed == 1111 and dataset == mosi or dataset == sims and seed == 1112")
    assert sorted(found) == ["00", "01"]


def test_ages_and_dates_are_compared_with_the_clock(
    stored: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.query.time.time", lambda: NOW)

    assert sorted(ids(stored, "created > 90min")) == ["00", "01"]
    assert sorted(ids(stored, "created_at < 10h")) == ["11"]
    assert len(ids(stored, "created > 2020-01-01 and created < 2100-01-01T10:30")) == len(FACTS)
    assert ids(stored, "duration > 1h") == []


def test_a_setting_may_be_named_by_its_last_part(stored: Database) -> None:
    assert ids(stored, "lr == 1e-4") == ids(stored, "optim.lr == 1e-4") != []


def test_the_best_of_a_series_follows_the_metric(stored: Database) -> None:
    assert sorted(ids(stored, "best.train.loss < 1")) == ["00"]
    assert sorted(ids(stored, "train.loss > 10")) == ["11"]


def test_an_order_puts_missing_values_last_both_ways(stored: Database) -> None:
    up, down = ids(stored, sort="best_valid"), ids(stored, sort="-best_valid")

    assert up[:8] == ["01", "02", "04", "05", "07", "08", "10", "11"]
    assert down[:8] == up[:8][::-1]
    assert set(up[8:]) == set(down[8:]) == {"00", "03", "06", "09"}


def test_an_order_takes_several_names_settings_and_metrics(stored: Database) -> None:
    order = ids(stored, sort="dataset, -seed")
    expected = sorted(FACTS, key=lambda facts: (facts["dataset"], -facts["seed"], facts["id"]))
    assert order == [str(facts["id"]).removeprefix("run000") for facts in expected]
    assert ids(stored, sort="test.acc7 desc")[0] == "11"
    assert ids(stored, "optim.lr != null", sort="optim.lr")[0] in ("02", "06", "10")


def test_without_an_order_the_newest_come_first(stored: Database) -> None:
    assert ids(stored)[0] == "00"
    assert ids(stored)[-1] == "11"


def test_archived_runs_are_found_only_when_asked_for(database: Database) -> None:
    with database.write() as connection:
        add_run(connection, new_run("run00001"))
        add_run(connection, new_run("run00002"))
        archive(connection, "run00002", actor="ada", now=NOW)
    query = Query(database)

    assert [run.id for run in query.runs()] == ["run00001"]
    assert {run.id for run in query.runs(archived=True)} == {"run00001", "run00002"}
    assert [run.id for run in query.runs("archived", archived=True)] == ["run00002"]


@pytest.mark.parametrize(
    ("text", "sentence", "mark"),
    [
        ("modle == x", "There is nothing called `modle`. Did you mean `model`?", "^~~~~"),
        ("optim.lrr < 1", "Did you mean `optim.lr`?", "^~~~~~~~"),
        ("test.acc77 > 0.4", "Did you mean `test.acc7`?", "^~~~~~~~~"),
        ("state == runing", "There is no state `runing`. Did you mean `running`?", " " * 9 + "^"),
        ("seed == abc", "`seed` is a number, and `abc` is something else.", " " * 8 + "^~~"),
        ("dataset = mosi", "`=` is not a comparison; use `==`.", " " * 8 + "^"),
        ("name == 'open", "This string has no closing quote.", " " * 8 + "^"),
        ("(seed == 1", "Expected `)` here.", " " * 10 + "^"),
        ("seed == 1)", "`)` is unexpected here; expected `and` or `or`.", " " * 9 + "^"),
        ("seed == 1 and", "The filter ends too early; expected a name.", " " * 13 + "^"),
        ("seed ==", "The filter ends too early; expected a value.", " " * 7 + "^"),
        ("name < b", "`name` is text; compare it with ==, != or in.", " " * 5 + "^"),
        ("name ~ '('", "This regular expression can't be read", " " * 7 + "^~~"),
        ("seed ~ '1'", "`seed` is not text; `~` matches text only.", "^~~~"),
        ("created == 2026-01-31", "`created` is a moment; use <, <=, > or >=.", " " * 8 + "^~"),
        ("created > 2026-02-31", "`2026-02-31` is not a date of the calendar.", " " * 10 + "^"),
        ("created > 12", "give a date (2026-01-31) or how long ago (2d)", " " * 10 + "^~"),
        ("seed < null", "`null` can only be compared with == and !=.", " " * 5 + "^"),
        ("seed", "`seed` is not true or false; compare it", "^~~~"),
        ("archived == 3", "`archived` is true or false", " " * 12 + "^"),
        ("seed not 3", "Expected `in` after `not`.", " " * 9 + "^"),
        ("seed in 3", "Expected `[` here.", " " * 8 + "^"),
        ("has", "Expected a tag after `has`.", " " * 3 + "^"),
        ("!archived", "`!` means nothing here; `not` negates a filter.", "^"),
        ("seed <> 1", "`<>` is not a comparison; use `!=`.", " " * 6 + "^"),
        ("seed == 1 && seed == 2", "`&&` is unexpected here; use `and`.", " " * 10 + "^~"),
        ("seed == 1 || seed == 2", "`||` is unexpected here; use `or`.", " " * 10 + "^~"),
        ("name like 'a%'", "`like` is unexpected here; use `~`.", " " * 5 + "^~~~"),
        ("note is null", "`is` is unexpected here; use `==`.", " " * 5 + "^~"),
        ("seed between 1", "after a name comes one of == != < <= > >= ~ in.", " " * 5 + "^~~~~~~"),
        ("seed == 1 name", "`name` is unexpected here; expected `and` or `or`.", " " * 10 + "^~~~"),
        ("tag < 3", "`tag` is a word on the run", " " * 4 + "^"),
    ],
)
def test_what_can_not_be_read_is_shown_with_a_caret(
    stored: Database, text: str, sentence: str, mark: str
) -> None:
    with pytest.raises(FilterError) as caught:
        Query(stored).runs(text)

    first, shown, caret = str(caught.value).split("\n")
    assert sentence in first
    assert shown == f"  {text}"
    assert caret.startswith(f"  {mark}")


def test_an_order_by_an_unknown_name_is_shown_with_a_caret(stored: Database) -> None:
    with pytest.raises(FilterError, match=r"(?s)nothing called `sed`.*`seed`\?\n.*\n {9}\^~~$"):
        Query(stored).runs(sort="name, -sed")
    with pytest.raises(FilterError, match="they give no order"):
        Query(stored).runs(sort="tag")


@pytest.mark.parametrize("text", ["(" * 2000, "not " * 2000, " or ".join(["seed == 1"] * 2000)])
def test_a_filter_too_deep_or_too_long_is_refused(stored: Database, text: str) -> None:
    with pytest.raises(FilterError, match=r"nested deeper than|more than 200 comparisons"):
        Query(stored).runs(text)


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=40))
def test_any_text_is_read_or_refused_and_never_runs(stored: Database, text: str) -> None:
    try:
        Query(stored).runs(where=text, sort=None)
    except FilterError as error:
        assert error.exit_code == 2
    assert len(Query(stored).runs()) == len(FACTS)


def test_a_filter_may_name_any_metric_while_there_is_no_run(database: Database) -> None:
    assert Query(database).runs("test.acc7 > 0.4 and optim.lr < 1") == ()
