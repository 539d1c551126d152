import pytest

from setgf.analysis.published import published
from setgf.metrics import metric_names
from setgf.terms import Dataset


@pytest.mark.parametrize("dataset", Dataset)
def test_every_published_row_says_how_it_was_selected_and_where_it_stands(dataset):
    rows = published(dataset)

    assert rows
    for row in rows:
        assert row.dataset is dataset
        assert row.model
        assert row.selection
        assert row.source
        assert row.metrics
        assert set(row.metrics) <= set(metric_names(dataset))


@pytest.mark.parametrize("dataset", Dataset)
def test_published_accuracies_are_shares_and_not_percent(dataset):
    for row in published(dataset):
        assert all(0 < value < 1.2 for value in row.metrics.values())


def test_known_rows_of_mosi_are_there_with_their_selection():
    rows = {(row.model, row.selection): row for row in published(Dataset.MOSI)}

    self_mm = rows["Self-MM", "mean of 5 seeds, validation-selected"]
    assert self_mm.metrics["acc7"] == 0.4667
    assert self_mm.metrics["mae"] == pytest.approx(0.708, abs=1e-3)
    assert rows["ALMT", "best test epoch per metric"].metrics["acc7"] == 0.4942


def test_larger_encoders_come_after_the_comparable_ones():
    leagues = [row.league for row in published(Dataset.MOSI)]

    assert leagues == sorted(leagues, key=lambda league: league != "bert-base")
    assert len(set(leagues)) == 2
