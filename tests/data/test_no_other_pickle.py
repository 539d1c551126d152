"""Nothing but `setgf.data.pickle_guard` reads pickles, and torch loads weights only."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from setgf.data.recognise import find_official
from setgf.terms import Dataset

ROOT = Path(__file__).parents[2]
SOURCES = sorted(p for top in ("setgf", "tui", "db") for p in (ROOT / top).rglob("*.py"))
READERS = frozenset({"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve"})
HARMLESS = frozenset({"UnpicklingError", "PicklingError"})


def problems(source: str) -> list[str]:
    """Return the lines of a source that read pickles."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names if name.name.split(".")[0] in READERS]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in READERS:
            found += [name.name for name in node.names if name.name not in HARMLESS]
        elif isinstance(node, ast.Call):
            given = {word.arg: ast.unparse(word.value) for word in node.keywords}
            called = ast.unparse(node.func)
            if called == "torch.load" and given.get("weights_only") != "True":
                found.append(called)
            if given.get("allow_pickle", "False") != "False":
                found.append(called)
            if called in ("np.load", "numpy.load", "pd.read_pickle", "pandas.read_pickle"):
                found.append(called)
    return found


def test_no_source_reads_a_pickle_by_itself() -> None:
    found = {str(p.relative_to(ROOT)): problems(p.read_text("utf-8")) for p in SOURCES}

    assert {name: lines for name, lines in found.items() if lines} == {}
    assert len(found) > 50


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import joblib.memory",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path)",
        "np.lib.format.read_array(file, allow_pickle=True)",
    ],
)
def test_the_rule_finds_what_it_is_there_for(source: str) -> None:
    assert problems(source)


def test_the_published_files_are_told_by_their_hash() -> None:
    found = find_official("ad8b23d50557045e7d47959ce6c5b955d8d983f2979c7d9b7b9226f6dd6fec1f")

    assert found is not None
    assert (found.name, found.dataset) == (
        "MOSEI/Processed/unaligned_50.pkl of MMSA",
        Dataset.MOSEI,
    )
    assert find_official("0" * 64) is None
