"""The gateway over a real database, real run folders and a real feature store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from db.engine import open_database
from db.jobs import add_attempt, add_jobs
from db.metrics import ingest
from db.predictions import store_predictions
from db.records import JobState, Point, Prediction, Sample
from db.runs import add_run, set_final_metrics, update_run
from db.workers import add_samples, register_worker
from setgf.data.synthetic import synthesise
from setgf.home import Home
from setgf.metrics.classes import class_names
from setgf.runs.folder import RunFolder
from setgf.runs.recorder import FolderRecorder
from setgf.terms import Dataset, Modality, Split
from tests.db.builders import new_attempt, new_job, new_run, new_worker
from tui.compare_records import RowKind
from tui.database_gateway import DatabaseGateway
from tui.gateway import FilterProblem, GatewayError, MissingError
from tui.screens.run_label_parts import Measure, label_rows, measured

NOW = 1_764_000_000.0
RUN_ID = "bbbbbbb1"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def gateway(home: Home) -> Iterator[DatabaseGateway]:
    """Two queued jobs and a run with points."""
    database = open_database(home.database_url)
    with database.write() as c:
        add_jobs(c, [new_job(1), new_job(2)], actor="ada", now=NOW)
        folder = str(home.root / "runs" / RUN_ID)
        add_run(c, new_run(RUN_ID, seed=7, folder=folder), state=JobState.RUNNING)
        add_attempt(c, new_attempt(RUN_ID, started_at=NOW))
        found = [
            Point(series="train.loss", step=n, epoch=1, value=1 / n, time=NOW + n)
            for n in range(1, 51)
        ]
        ingest(c, RUN_ID, 1, found, points_offset=28 * 50)
    database.close()
    yield DatabaseGateway(home.database_url, home, clock=lambda: NOW)


def test_it_reads_counts_runs_points_and_jobs(gateway: DatabaseGateway) -> None:
    counts = gateway.counts()
    assert (counts.waiting, counts.running, counts.runs) == (2, 0, 1)
    assert [run.id for run in gateway.list_runs()] == [RUN_ID]
    assert gateway.list_series([RUN_ID]) == ("train.loss",)
    assert [line.job.seed for line in gateway.read_queue().lines] == [1111, 1112]

    (points,) = gateway.read_points([RUN_ID, "nosuchone"], "train.loss", 1000)
    assert points.values[-1] == pytest.approx(1 / 50)


def test_the_version_changes_with_what_another_process_writes(
    gateway: DatabaseGateway, home: Home
) -> None:
    before = gateway.version()
    assert gateway.version() == before

    other = open_database(home.database_url)
    with other.write() as c:
        add_jobs(c, [new_job(3)], actor="ada", now=NOW)
    other.close()

    assert gateway.version() != before
    assert gateway.counts().waiting == 3


def test_a_filter_is_answered_or_explained(gateway: DatabaseGateway) -> None:
    assert gateway.list_runs("seed == 7")
    assert gateway.list_runs("seed == 8") == ()
    with pytest.raises(FilterProblem):
        gateway.list_runs("sead == 7")


def test_a_missing_database_is_told_apart_and_found_when_it_comes(home: Home) -> None:
    gateway = DatabaseGateway(home.database_url, home, clock=lambda: NOW)
    with pytest.raises(MissingError, match=r"No run database at .*setgf.db"):
        gateway.version()
    assert not (home.root / "setgf.db").exists()

    open_database(home.database_url).close()

    assert gateway.counts().waiting == 0


def test_a_damaged_database_is_named_and_used_again_once_it_is_mended(home: Home) -> None:
    path = home.root / "setgf.db"
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    gateway = DatabaseGateway(home.database_url, home, clock=lambda: NOW)
    with pytest.raises(GatewayError, match=r"setgf db rebuild"):
        gateway.counts()

    path.unlink()
    open_database(home.database_url).close()

    assert gateway.counts().runs == 0


def test_the_log_of_the_newest_attempt_is_read_from_its_end(
    gateway: DatabaseGateway, home: Home
) -> None:
    gateway.list_runs()
    assert gateway.read_log(RUN_ID, 1000).lines == ()

    folder = home.root / "runs" / RUN_ID / "a1"
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text("first line\n" + "x" * 90 + "\nlast line\n", encoding="utf-8")

    assert gateway.read_log(RUN_ID, 1000).lines[0] == "first line"
    cut = gateway.read_log(RUN_ID, 40)
    assert cut.is_cut and cut.lines == ("last line",)


def test_stores_are_described_and_a_damaged_one_says_so(home: Home) -> None:
    synthesise(home, "demo", num_samples=30, seed=0)
    gateway = DatabaseGateway(home.database_url, home)

    (facts,) = gateway.list_stores()
    assert facts.num_samples == 30 and facts.lines and not facts.problem

    for path in (home.data / "demo").glob("*.npy"):
        path.write_bytes(b"")
    (broken,) = gateway.list_stores()
    assert "demo" in broken.problem


def test_the_place_hides_the_password_of_a_server(home: Home) -> None:
    gateway = DatabaseGateway("postgresql+psycopg://ada:secret@host/name", home)

    assert gateway.place == "postgresql+psycopg://host/name"


def predictions_of(home: Home) -> tuple[Prediction, ...]:
    """Return predictions on the test split of a store that is made for it."""
    store = synthesise(home, "demo", Dataset.SIMS, num_samples=60, seed=0)
    data = store.split(Split.TEST)
    return tuple(
        Prediction(sample_id=one, label=float(label), fusion=-float(label), text=0.0)
        for one, label in zip(data.ids, data.labels, strict=True)
    )


def test_predictions_come_with_transcripts_and_classes(home: Home) -> None:
    database = open_database(home.database_url)
    rows = predictions_of(home)
    with database.write() as c:
        new = new_run(RUN_ID, folder=str(home.root / "runs" / RUN_ID))
        add_run(c, replace(new, dataset="sims", data_name="demo"), state=JobState.SUCCEEDED)
        store_predictions(c, RUN_ID, "test", rows)
    database.close()
    gateway = DatabaseGateway(home.database_url, home, clock=lambda: NOW)
    (run,) = gateway.list_runs()

    samples = gateway.read_samples(run, "test").samples
    assert len(samples) == len(rows) and all(one.transcript for one in samples)
    assert {one.label_class for one in samples} <= set(class_names(Dataset.SIMS, 5))
    assert gateway.read_samples(run, "valid").samples == ()

    part = gateway.read_confusion(run, "test", "fusion")
    assert [len(one.names) for one in part.matrices] == [2, 3, 5]
    assert part.branches == ("fusion", "text") and part.matrices[0].total == len(rows)
    assert gateway.read_confusion(run, "test", "audio").matrices == ()


def test_labels_of_a_run_folder_stand_beside_what_people_said(home: Home) -> None:
    store = synthesise(home, "demo", Dataset.SIMS, num_samples=60, seed=0)
    train = store.split(Split.TRAIN)
    assert train.unimodal_labels is not None
    folder = RunFolder(home.root / "runs" / RUN_ID)
    recorder = FolderRecorder(folder.begin_attempt(1))
    said = np.asarray(train.unimodal_labels[Modality.TEXT])
    recorder.save_labels(1, {"text": said}, annotated=train.labels, sample_ids=train.ids)
    recorder.close()
    database = open_database(home.database_url)
    with database.write() as c:
        new = new_run(RUN_ID, folder=str(folder.path))
        add_run(c, replace(new, dataset="sims", data_name="demo"), state=JobState.RUNNING)
    database.close()
    gateway = DatabaseGateway(home.database_url, home, clock=lambda: NOW)

    drift = gateway.read_labels(gateway.list_runs()[0], ()).drift
    assert drift is not None and drift.epochs == (1,)
    assert measured(drift, Measure.HUMAN, "text")[0] == pytest.approx(1.0, abs=1e-3)
    assert measured(drift, Measure.HUMAN_DISTANCE, "text")[0] == pytest.approx(0.0, abs=1e-3)
    assert len(label_rows(drift)) == len(train.ids)

    folder.attempt_folder(1).labels.write_bytes(b"damaged")
    with pytest.raises(GatewayError, match="must hold the labels of an attempt"):
        DatabaseGateway(home.database_url, home).read_labels(gateway.list_runs()[0], ())


def test_samples_of_the_attempts_devices_are_read_once_and_then_only_new_ones(
    gateway: DatabaseGateway, home: Home
) -> None:
    database = open_database(home.database_url)
    with database.write() as c:
        register_worker(c, new_worker("w1"), now=NOW)
        add_attempt(
            c, new_attempt(RUN_ID, started_at=NOW, number=2, worker_id="w1", devices=("cpu0",))
        )
        add_samples(c, [device_sample(NOW - 5), device_sample(NOW + 1), device_sample(NOW + 3)])
    detail = gateway.run_detail(RUN_ID)
    assert detail is not None
    gateway.clock = lambda: NOW + 10
    (device,) = gateway.read_system(detail).devices
    assert device.times.tolist() == [NOW + 1, NOW + 3]

    with database.write() as c:
        add_samples(c, [device_sample(NOW + 5)])
    database.close()
    part = gateway.read_system(detail)
    assert part.devices[0].times.tolist() == [NOW + 1, NOW + 3, NOW + 5]
    assert part.devices[0].memory_mib.tolist() == [512.0] * 3
    assert [curve.series for curve in part.loss] == ["train.loss"]


def device_sample(at: float) -> Sample:
    """Return a sample of the first CPU slot."""
    return Sample(worker_id="w1", device="cpu0", at=at, utilisation=50.0, memory_used_mib=512.0)


def test_the_comparison_tests_against_the_baseline_and_leaves_published_rows_out(
    home: Home,
) -> None:
    synthesise(home, "mosi", Dataset.MOSI, num_samples=60, seed=0)
    database = open_database(home.database_url)
    with database.write() as c:
        for place, (model, mae) in enumerate(
            [("setgf", 0.90), ("setgf", 0.91), ("text_only", 1.00), ("text_only", 1.02)]
        ):
            run_id = f"aaaaaaa{place}"
            new = replace(new_run(run_id, seed=place), model=model, variant=model, data_name="mosi")
            add_run(c, new, state=JobState.RUNNING)
            add_attempt(c, new_attempt(run_id, started_at=NOW))
            set_final_metrics(c, run_id, {"test.mae": mae, "test.corr": 0.5}, attempt=1)
            update_run(c, run_id, attempt=1, state=JobState.SUCCEEDED)
    database.close()
    gateway = DatabaseGateway(home.database_url, home, clock=lambda: NOW)

    (section,) = gateway.compare("", "").sections
    ours = {row.model: row for row in section.of_kind(RowKind.RUNS)}
    assert not section.is_comparable and "686 test samples" in section.note
    assert ours["setgf"].scores["mae"].low is not None and ours["setgf"].against is None

    (section,) = gateway.compare("", ours["text_only"].key).sections
    ours = {row.model: row for row in section.of_kind(RowKind.RUNS)}
    assert ours["text_only"].is_baseline
    told = ours["setgf"].against
    assert told is not None and told.mean == pytest.approx(-0.105) and told.low < -0.105 < told.high
