"""`setgf-tui` from outside: what it loads, pictures without a terminal, errors in a sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from db.engine import open_database
from tui.command_line import parser, run

HEAVY = ("torch", "transformers", "scipy", "sklearn", "sqlalchemy", "alembic", "numpy")


def test_starting_the_dashboard_loads_no_heavy_library() -> None:
    code = (
        "import sys, tui.app, tui.command_line, tui.database_gateway, tui.screens.runs;"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_without_a_terminal_it_says_what_to_use_instead(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tui.app", "--home", str(tmp_path)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=dict(os.environ),
        check=False,
    )

    assert done.returncode == 2
    assert "setgf watch" in done.stderr


@pytest.mark.parametrize("name", ["picture.svg", "picture.txt"])
def test_a_picture_of_a_screen_is_drawn_without_a_terminal(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SETGF_HOME", str(tmp_path))
    monkeypatch.delenv("SETGF_DATABASE_URL", raising=False)
    open_database(f"sqlite:///{tmp_path / 'setgf.db'}").close()
    path = tmp_path / name

    code = run(["--screenshot", str(path), "--screen", "queue", "--size", "100x30"])

    content = path.read_text(encoding="utf-8").replace("\xa0", " ").replace("&#160;", " ")
    assert code == 0
    assert "The queue is empty." in content
    assert "http://cdn" not in content and "https://cdn" not in content


@pytest.mark.parametrize(
    ("size", "reason"), [("wide", "is not a size"), ("10x10", "is too small"), ("80", "not a size")]
)
def test_a_size_that_is_none_is_refused(
    size: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["--size", size])

    assert reason in capsys.readouterr().err
