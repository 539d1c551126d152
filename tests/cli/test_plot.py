"""`setgf plot`: charts in a pipe, several runs, groups, CSV, and what it refuses."""

from __future__ import annotations

import csv
import io
import math
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import run_setgf
from tests.cli.stored import store_run

WIDTH, HEIGHT = 60, 8
PLOT = ("plot", "--width", WIDTH, "--height", HEIGHT)


@pytest.fixture(autouse=True)
def runs() -> None:
    for place, seed in enumerate((1111, 1112, 1113)):
        values = [1.0 / step + 0.1 * place for step in range(1, 21)]
        store_run(
            f"aaaa000{place}", seed=seed, series={"train.loss": values}, created_at=1000.0 + place,
            group="seeds",
        )  # fmt: skip
    store_run("bbbb0000", model="self_mm", seed=1111, created_at=900.0)


def test_a_chart_in_a_pipe_has_no_colour_and_its_size() -> None:
    outcome = run_setgf(*PLOT, "aaaa0000")

    lines = outcome.out.splitlines()
    assert outcome.code == 0
    assert "\x1b" not in outcome.out
    assert lines[0] == "train.loss  by step · 20 points"
    assert lines[1].split() == ["●", "setgf-1111", "0.0500"]
    assert len(lines) == 2 + HEIGHT
    assert max(map(len, lines)) == WIDTH
    assert any("\u2801" <= letter <= "\u28ff" for letter in outcome.out)


def test_ascii_draws_with_nothing_else() -> None:
    outcome = run_setgf(*PLOT, "aaaa0000", "aaaa0001", "--ascii", "--log-y", "--x", "time")

    assert outcome.out.isascii()
    assert "by time since the start - log y" in outcome.out


def test_several_metrics_and_runs_are_drawn_in_their_order() -> None:
    outcome = run_setgf(*PLOT, "aaaa0001", "aaaa0000", "-m", "train.loss", "-m", "train.loss")

    assert outcome.out.count("train.loss") == 2
    assert outcome.out.index("setgf-1112") < outcome.out.index("setgf-1111")


def test_a_group_becomes_mean_and_deviation() -> None:
    outcome = run_setgf(*PLOT, "group:seeds", "--mean")
    table = list(csv.DictReader(io.StringIO(run_setgf(
        "plot", "group:seeds", "--mean", "--csv").out)))  # fmt: skip

    assert "setgf n=3" in outcome.out
    assert "mean +- sd over seeds" in outcome.out
    assert len(table) == 20
    assert math.isclose(float(table[0]["mean"]), 1.1)
    assert math.isclose(float(table[0]["sd"]), 0.1)
    assert table[0]["n"] == "3"


def test_csv_has_every_point_unrounded() -> None:
    table = list(csv.DictReader(io.StringIO(run_setgf("plot", "aaaa0000", "--csv").out)))

    assert [row["step"] for row in table] == [str(step) for step in range(1, 21)]
    assert float(table[2]["value"]) == 1 / 3
    assert table[0]["run"] == "aaaa0000"


def test_a_filter_chooses_runs() -> None:
    outcome = run_setgf(*PLOT, "--where", "model == setgf and seed < 1113")

    assert "setgf-1112" in outcome.out
    assert "setgf-1113" not in outcome.out


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ([], 2, "Name the runs"),
        (["zzzz"], 4, "There is no run `zzzz`"),
        (["group:sees"], 4, "Did you mean `seeds`"),
        (["aaaa0000", "-m", "train.los"], 4, "Did you mean `train.loss`"),
        (["bbbb0000"], 4, "There are no points of `train.loss` yet"),
        (["aaaa0000", "--smooth", "1"], 2, "--smooth"),
        (["aaaa0000", "--width", "3"], 2, "--width"),
    ],
)
def test_what_can_not_be_drawn_is_said(words: list[str], code: int, sentence: str) -> None:
    outcome = run_setgf("plot", *words)

    assert outcome.code == code
    assert outcome.out == ""
    assert sentence in outcome.err


@pytest.mark.slow
@pytest.mark.parametrize(("no_colour", "coloured"), [("", True), ("1", False)])
def test_colours_are_for_terminals_that_want_them(no_colour: str, coloured: bool) -> None:
    main, child = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    environment |= {"NO_COLOR": no_colour} if no_colour else {}
    setgf = str(Path(sys.executable).parent / "setgf")
    process = subprocess.Popen([setgf, "plot", "aaaa0000"], stdout=child, env=environment)
    os.close(child)
    parts: list[bytes] = []
    while True:
        try:
            part = os.read(main, 65536)
        except OSError:  # Linux says so at the end of a terminal
            break
        if not part:
            break
        parts.append(part)
    os.close(main)

    assert process.wait() == 0
    assert (b"\x1b[1;38;2;86;180;233m" in b"".join(parts)) is coloured
