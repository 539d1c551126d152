import math

from db.records import JobState
from setgf.analysis.comparison import RECORD_COLUMNS, Comparison, differences_to
from setgf.analysis.floors import FloorRow
from setgf.analysis.leaderboard import leaderboard
from setgf.analysis.published import published
from setgf.analysis.sections import notes_of, sections_of, shown_metrics
from setgf.terms import Dataset
from tests.analysis.builders import make_run

NAMES = ("acc7", "mae")


def make_comparison(*runs, **parts):
    return Comparison(dataset=Dataset.MOSI, rows=leaderboard(runs), **parts)


def seeds_of(model, *maes, **changes):
    return [
        make_run(id=f"{model}{seed}", model=model, variant=model, seed=seed, mae=mae, **changes)
        for seed, mae in enumerate(maes)
    ]


def texts(line):
    return [cell.text for cell in line.cells]


def test_accuracies_are_shown_in_percent_and_mae_with_three_decimals():
    runs = [make_run(seed=1, acc7=0.4, mae=0.9), make_run(id="b", seed=2, acc7=0.41, mae=0.92)]

    (section,) = sections_of(make_comparison(*runs), NAMES)

    assert texts(section.lines[0]) == ["40.50", "0.910"]
    assert [cell.deviation for cell in section.lines[0].cells] == ["0.71", "0.014"]


def test_one_seed_shows_no_deviation_and_a_missing_value_a_dash():
    (section,) = sections_of(make_comparison(make_run(acc7=0.4), make_run(id="b", seed=2)), NAMES)

    assert section.lines[0].cells[0].deviation == ""
    assert texts(section.lines[0]) == ["40.00", "undefined"]


def test_undefined_seeds_are_counted_in_the_cell():
    runs = [make_run(corr=0.5), make_run(id="b", seed=2, corr=math.nan)]

    (section,) = sections_of(make_comparison(*runs), ["corr"])

    assert texts(section.lines[0]) == ["0.500 (1 undefined)"]


def test_the_best_of_a_section_is_marked_and_floors_never_are():
    floor = FloorRow(
        name="train median", dataset=Dataset.MOSI, data_name="mosi400", metrics={"mae": 0.1}
    )
    runs = [*seeds_of("setgf", 0.9), *seeds_of("text_only", 1.0)]

    (section,) = sections_of(make_comparison(*runs, floors=(floor,)), ["mae"])

    assert [(line.model, line.cells[0].best) for line in section.lines] == [
        ("setgf", True),
        ("text_only", False),
        ("train median (floor)", False),
    ]


def test_feature_stores_are_told_apart_and_each_has_its_best():
    runs = [
        *seeds_of("setgf", 0.9),
        make_run(id="x", variant="x", data_name="other", mae=0.5),
        make_run(id="y", variant="y", data_name="other", model="text_only", mae=0.6),
    ]

    sections = sections_of(make_comparison(*runs), ["mae"])

    assert [section.title for section in sections] == ["ours on other", "ours on mosi400"]
    assert sections[0].lines[0].cells[0].best
    assert not sections[1].lines[0].cells[0].best


def test_failed_and_unfinished_runs_stand_beside_the_seeds():
    runs = [
        *seeds_of("setgf", 0.9),
        make_run(id="f", variant="setgf", seed=8, state=JobState.FAILED),
        make_run(id="q", variant="setgf", seed=9, state=JobState.QUEUED),
    ]

    (section,) = sections_of(make_comparison(*runs), NAMES)

    assert section.lines[0].seeds == "1, 1 failed, 1 to come"


def test_published_rows_stand_apart_with_a_note_each():
    comparison = make_comparison(*seeds_of("setgf", 0.9), published=published(Dataset.MOSI))

    ours, near, far = sections_of(comparison, NAMES)
    notes = {str(number): text for text, number in notes_of(comparison).items()}

    assert (near.title, far.title) == ("published", "larger encoders")
    assert all(line.note == "" for line in ours.lines)
    almt = next(line for line in near.lines if line.model == "ALMT")
    assert notes[almt.note] == "best test epoch per metric; ALMT, EMNLP 2023"


def test_acc3_is_a_column_only_where_it_is_reported():
    assert "acc3" not in shown_metrics(Dataset.MOSEI)
    assert "acc3" in shown_metrics(Dataset.SIMS)


def test_records_are_unrounded_and_have_the_same_columns():
    comparison = make_comparison(
        *seeds_of("setgf", 1 / 3),
        floors=(FloorRow(name="f", dataset=Dataset.MOSI, data_name="d", metrics={"mae": 1.0}),),
        published=published(Dataset.MOSI),
    )

    records = list(comparison.to_records())

    assert {tuple(record) for record in records} == {RECORD_COLUMNS}
    assert {record["kind"] for record in records} == {"run", "floor", "published"}
    (mae,) = (r for r in records if r["kind"] == "run" and r["metric"] == "mae")
    assert (mae["mean"], mae["n"], mae["sd"]) == (1 / 3, 1, None)


def test_differences_are_to_the_baseline_on_the_same_data():
    runs = [
        *seeds_of("setgf", 0.90, 0.92),
        *seeds_of("text_only", 1.0, 1.1),
        *seeds_of("self_mm", 1.2),
        make_run(id="x", variant="x", data_name="other", mae=0.5),
    ]
    rows = leaderboard(runs)

    found = differences_to(rows, "text_only")

    assert [rows[place].model for place in found] == ["setgf"]
    assert next(iter(found.values())).mean < 0
    assert differences_to(rows, "nobody") == {}


def test_plain_data_holds_ours_and_the_published_rows():
    runs = [*seeds_of("setgf", 0.90, 0.92), *seeds_of("text_only", 1.0, 1.1)]
    rows = leaderboard(runs)
    plain = Comparison(
        dataset=Dataset.MOSI,
        rows=rows,
        published=published(Dataset.MOSI),
        differences=differences_to(rows, "text_only"),
        baseline="text_only",
    ).to_dict()

    assert plain["rows"][0]["metrics"]["mae"]["mean"] == (0.90 + 0.92) / 2
    assert plain["rows"][0]["seeds"] == (0, 1)
    assert plain["rows"][0]["difference"]["to"] == "text_only"
    assert plain["rows"][1]["difference"] is None
    assert all(row["selection"] and row["source"] for row in plain["published"])
