"""What is offered while a filter is typed."""

from __future__ import annotations

import pytest

from tui.filter_completion import Known, candidates, completed, place_of, quoted

KNOWN = Known(
    names=("model", "optim.lr", "optim.lr_text", "state", "test.mae"),
    tags=("base", "two words"),
    values={"model": ("setgf", "self_mm"), "state": ("succeeded",), "optim.lr": ("0.001", "1e-05")},
)


def offered(text: str) -> tuple[str, ...]:
    return candidates(place_of(text, len(text)), KNOWN)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("model", "optim.lr", "optim.lr_text", "state", "test.mae", "not", "has")),
        ("op", ("optim.lr", "optim.lr_text")),
        ("lr", ("optim.lr", "optim.lr_text")),
        ("model ", ("==", "!=", "<", "<=", ">", ">=", "~", "in [")),
        ("model =", ("==", "!=", "<=", ">=")),
        ("model == ", ("setgf", "self_mm")),
        ("model == set", ("setgf",)),
        ('model == "se', ("setgf", "self_mm")),
        ("model == setgf ", ("and", "or")),
        ("model == setgf and opt", ("optim.lr", "optim.lr_text")),
        ("not (optim.lr < ", ("0.001", "1e-05")),
        ("(model == setgf) o", ("or",)),
        ("model in [", ("setgf", "self_mm")),
        ("model in [setgf, sel", ("self_mm",)),
        ("model not in [", ("setgf", "self_mm")),
        ("model in [setgf] ", ("and", "or")),
        ("has ", ("base", '"two words"')),
        ("state == run", ("running",)),
        ("unheard == x", ()),
    ],
)
def test_only_what_can_stand_there_is_offered(text: str, expected: tuple[str, ...]) -> None:
    assert offered(text) == expected


def test_a_word_replaces_what_was_typed_and_leaves_what_follows() -> None:
    text = "opt < 1 and x"
    place = place_of(text, 3)

    assert completed(text, 3, place, "optim.lr", is_whole=True) == ("optim.lr < 1 and x", 8)


def test_a_value_that_is_no_plain_word_is_put_in_quotes() -> None:
    assert quoted("setgf") == "setgf"
    assert quoted("1e-05") == "1e-05"
    assert quoted("two words") == '"two words"'
    assert quoted("and") == '"and"'
    assert quoted('say "x"') == '"say \\"x\\""'
