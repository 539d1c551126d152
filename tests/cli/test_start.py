"""What a command loads before it does anything: a fresh interpreter each."""

import json
import os
import subprocess
import sys

import pytest

from tests.cli.stored import store_run

HEAVY = ("torch", "transformers", "scipy", "pandas", "sklearn", "matplotlib", "alembic")

REPORT = """
import json, sys
{body}
loaded = sorted({{name.partition(".")[0] for name in sys.modules}})
print(json.dumps({{"code": code, "loaded": loaded}}), file=sys.stderr)
"""
COMMAND = """
from setgf.cli.main import app
try:
    code = 0
    app({arguments!r}, standalone_mode=True)
except SystemExit as left:
    code = left.code
"""


def load_after(body, home):
    """Run code in a fresh interpreter; return its exit code and the packages it loaded."""
    finished = subprocess.run(
        [sys.executable, "-c", REPORT.format(body=body)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SETGF_HOME": str(home)},
    )
    report = json.loads(finished.stderr.splitlines()[-1])
    return report["code"], set(report["loaded"]), finished.stdout


def command(*arguments):
    return COMMAND.format(arguments=list(arguments))


@pytest.mark.parametrize(
    "arguments", [("--help",), ("queue", "--help"), ("runs", "--help"), ("compare", "--help")]
)
def test_help_loads_nothing_heavy(home, arguments):
    code, loaded, out = load_after(command(*arguments), home)

    assert code == 0
    assert "Usage" in out
    assert loaded.isdisjoint((*HEAVY, "numpy", "sqlalchemy", "textual", "rich", "pydantic"))


@pytest.mark.parametrize("arguments", [("queue", "list"), ("runs", "list")])
def test_lists_load_no_tensors(home, arguments):
    store_run("aaaaaaaa")

    code, loaded, _ = load_after(command(*arguments), home)

    assert code == 0
    assert loaded.isdisjoint((*HEAVY, "textual", "numpy"))


def test_compare_loads_no_tensors(home):
    store_run("aaaaaaaa", metrics={"test.mae": 0.9})

    code, loaded, _ = load_after(command("compare"), home)

    assert code == 0
    assert loaded.isdisjoint(("torch", "transformers", "pandas", "sklearn", "textual"))


def test_the_dashboard_loads_no_tensors(home):
    code, loaded, _ = load_after("import tui.app\ncode = 0", home)

    assert code == 0
    assert loaded.isdisjoint(("torch", "transformers", "pandas", "sklearn"))


def test_metrics_load_numpy_and_nothing_heavier(home):
    code, loaded, _ = load_after("import setgf.metrics\ncode = 0", home)

    assert code == 0
    assert "numpy" in loaded
    assert loaded.isdisjoint((*HEAVY, "sqlalchemy"))
