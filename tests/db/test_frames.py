"""Records as tables: the examples in the docstrings are run, where pandas and polars are."""

import doctest
import sys
import threading
from importlib.util import find_spec

import pytest

from db.frames import columns_of
from db.query import open as open_query
from db.query import points, runs, to_pandas, to_polars
from tests.cli.stored import store_run

FINDER = doctest.DocTestFinder(recurse=False)


@pytest.fixture
def run():
    """The run that the examples speak of."""
    store_run(
        "aaaaaaaa",
        metrics={"test.mae": 0.5},
        series={"train.loss": [3.0, 2.0, 1.0]},
    )


@pytest.mark.parametrize(
    ("function", "package"),
    [(columns_of, None), (to_pandas, "pandas"), (to_polars, "polars")],
)
def test_the_examples_in_the_docstrings_are_true(run, function, package):
    if package is not None and find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    (example,) = FINDER.find(function, globs={"columns_of": columns_of})

    results = doctest.DocTestRunner().run(example)

    assert results.attempted > 1
    assert results.failed == 0


def test_runs_become_flat_columns(run):
    columns = columns_of(runs())

    assert columns["id"] == ["aaaaaaaa"]
    assert columns["state"] == ["succeeded"]
    assert columns["config.optim.lr"] == [0.0005]
    assert columns["metrics.test.mae"] == [0.5]
    assert columns["tags"] == [[]]


def test_runs_with_other_metrics_get_none(run):
    store_run("bbbbbbbb", created_at=2000.0, metrics={"test.corr": 0.1})

    columns = columns_of(runs(sort="id"))

    assert columns["metrics.test.mae"] == [0.5, None]
    assert columns["metrics.test.corr"] == [None, 0.1]


def test_points_become_rows_and_arrays_too(run):
    with open_query() as query:
        columns = columns_of(query.points("aaaaaaaa", "train.loss"))
        arrays = columns_of(query.arrays("aaaaaaaa", "train.loss"))

    assert columns["step"] == [1, 2, 3]
    assert columns["value"] == arrays["value"] == [3.0, 2.0, 1.0]
    assert columns["run_id"] == ["aaaaaaaa"] * 3


def test_nothing_becomes_an_empty_table():
    assert columns_of(()) == {}


@pytest.mark.parametrize(("function", "package"), [(to_pandas, "pandas"), (to_polars, "polars")])
def test_without_the_package_it_says_what_to_install(run, monkeypatch, function, package):
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(ImportError, match=f"Install it with `pip install {package}`"):
        function(runs())


def test_tables_can_be_made_while_a_worker_writes(run):
    ended = threading.Event()

    def write():
        for place in range(20):
            store_run(f"{place:08}", seed=place, created_at=3000.0 + place)
        ended.set()

    writer = threading.Thread(target=write)
    writer.start()
    sizes: list[int] = []
    while not ended.is_set():
        sizes.append(len(columns_of(runs())["id"]))
        assert columns_of(points("aaaaaaaa", "train.loss"))["value"] == [3.0, 2.0, 1.0]
    writer.join()

    assert sizes == sorted(sizes)
    assert len(columns_of(runs())["id"]) == 21
