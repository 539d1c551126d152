"""Rules of the tree that no linter has: sizes, one writer a table, nothing left of a machine."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(p for top in ("setgf", "tui", "db") for p in (ROOT / top).rglob("*.py"))
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50


def _name(path):
    return str(path.relative_to(ROOT))


def test_there_are_sources():
    assert len(SOURCES) > 50


def _lines(function):
    """Lines of the body; its signature (long where options are described) and docstring are not."""
    body = function.body
    is_documented = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    told = body[1:] if is_documented and len(body) > 1 else body
    return (function.end_lineno or 0) - told[0].lineno + 1


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_files_and_functions_stay_short(path):
    text = path.read_text(encoding="utf-8")
    functions = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    long = [f.name for f in functions if _lines(f) > MAX_FUNCTION_LINES]

    assert len(text.splitlines()) <= MAX_FILE_LINES
    if "migrations" not in path.parts:
        assert not long


def test_no_file_names_this_machine_or_a_registry():
    words = ("/wo" + "rk/", "/ro" + "ot/", "pypi" + ".org", "python" + "hosted", "deb" + ".debian")
    pattern = re.compile("|".join(map(re.escape, words)))
    files = [*SOURCES, *(ROOT / "tests").rglob("*.py"), ROOT / "pyproject.toml", ROOT / "README.md"]

    assert [_name(p) for p in files if pattern.search(p.read_text(encoding="utf-8"))] == []
