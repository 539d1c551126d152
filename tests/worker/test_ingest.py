from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.engine import Database, open_database
from db.errors import FencedError
from db.jobs import list_attempts
from db.query import Query
from db.records import JobState
from setgf.errors import RunFolderError
from setgf.home import Home
from setgf.runs.atomic import write_json
from setgf.runs.folder import RunFolder
from setgf.runs.recorder import FolderRecorder
from setgf.training.recorder import SamplePrediction
from setgf.worker.ingest import Carrier, read_predictions
from setgf.worker.rebuild import begin_foreground, end_foreground, rebuild
from setgf.worker.submit import run_identity
from tests.worker.builders import a_job, a_new_job


@pytest.fixture
def database(home: Path) -> Iterator[Database]:
    opened = open_database(Home(home).database_url)
    yield opened
    opened.close()


def a_run(home: Path, run_id: str = "abcd1234") -> RunFolder:
    folder = RunFolder(home / "runs" / run_id)
    new = a_new_job(run_id)
    identity = run_identity(a_job(run_id=run_id, config=new.config), created_at=1.0)
    folder.create(identity, new.config)
    return folder


def recording(folder: RunFolder, number: int, *, resume_step: int = 0) -> FolderRecorder:
    recorder = FolderRecorder(folder.begin_attempt(number))
    recorder.event("started", resume_step=resume_step, parameters=7, device="cpu")
    return recorder


def log_steps(recorder: FolderRecorder, first: int, last: int, *, factor: float = 1.0) -> None:
    recorder.begin_epoch(1)
    for step in range(first, last + 1):
        recorder.log(step, {"train.loss": factor * step})


def stored(database: Database, run_id: str = "abcd1234") -> list[tuple[int, float]]:
    points = Query(database).points(run_id, "train.loss")
    return list(zip(points.steps, points.values, strict=True))


def test_everything_a_run_leaves_reaches_the_database(home: Path, database: Database) -> None:
    folder = a_run(home)
    recorder = recording(folder, 1)
    carrier = begin_foreground(database, recorder.attempt)
    log_steps(recorder, 1, 3)
    recorder.event("epoch", epoch=1, step=3, max_epochs=9, valid=0.5, best=True, best_epoch=1)
    write_json(recorder.attempt.manifest, {"checkpoints": [{"file": "last-2.pt"}]})
    for name, step in (("last-1.pt", 1), ("last-2.pt", 3)):
        recorder.event(
            "checkpoint", role="last", file=f"checkpoints/{name}", epoch=1, step=step, size=9,
            sha256="0" * 64,
        )  # fmt: skip
    recorder.save_predictions("test", [SamplePrediction(sample_id="a", label=1.0, fusion=0.3)])
    recorder.event(
        "finished", best_epoch=1, best_valid=0.5, epochs=1, steps=3,
        metrics={"test.mae": 0.7, "test.corr": float("nan")}, weights_sha256="1" * 64,
    )  # fmt: skip

    end_foreground(carrier, "succeeded")

    query = Query(database)
    run = query.run("abcd1234")
    assert (run.state, run.epoch, run.step, run.best_epoch, run.best_valid) == (
        JobState.SUCCEEDED, 1, 3, 1, 0.5,
    )  # fmt: skip
    assert run.metrics["test.mae"] == 0.7
    assert stored(database) == [(1, 1.0), (2, 2.0), (3, 3.0)]
    assert [entry.path for entry in query.checkpoints("abcd1234")] == ["a1/checkpoints/last-2.pt"]
    assert query.predictions("abcd1234")[0].fusion == 0.3
    detail = query.detail("abcd1234")
    assert [artifact.path for artifact in detail.artifacts] == ["a1/predictions-test.csv"]
    assert detail.attempts[0].outcome == "succeeded"


def test_carrying_again_and_by_another_carrier_doubles_nothing(
    home: Path, database: Database
) -> None:
    recorder = recording(a_run(home), 1)
    first = begin_foreground(database, recorder.attempt)
    second = Carrier(database, recorder.attempt)

    for step in range(1, 21):
        recorder.log(step, {"train.loss": 1.0 * step})
        (first if step % 2 else second).carry(time.time())
        first.carry(time.time())

    assert second.carry_all(time.time()) != []
    assert stored(database) == [(step, 1.0 * step) for step in range(1, 21)]
    series = Query(database).detail("abcd1234").summaries["train.loss"]
    assert (series.count, series.last, series.minimum, series.maximum) == (20, 20.0, 1.0, 20.0)


def test_a_resumed_attempt_replaces_what_came_after_its_checkpoint(
    home: Path, database: Database
) -> None:
    folder = a_run(home)
    first = recording(folder, 1)
    carrier = begin_foreground(database, first.attempt)
    log_steps(first, 1, 6)
    carrier.carry_all(time.time())
    second = recording(folder, 2, resume_step=4)
    log_steps(second, 5, 7, factor=10.0)

    begin_foreground(database, second.attempt).carry_all(time.time())

    expected = [(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0), (5, 50.0), (6, 60.0), (7, 70.0)]
    assert stored(database) == expected


def test_what_an_earlier_attempt_left_uncarried_is_stored_as_far_as_it_counts(
    home: Path, database: Database
) -> None:
    folder = a_run(home)
    first = recording(folder, 1)
    carrier = begin_foreground(database, first.attempt)
    log_steps(first, 1, 2)
    carrier.carry_all(time.time())
    log_steps(first, 3, 6)  # its machine vanished before a worker could carry these
    second = recording(folder, 2, resume_step=4)
    log_steps(second, 5, 6, factor=10.0)

    begin_foreground(database, second.attempt).carry_all(time.time())

    assert stored(database) == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0), (5, 50.0), (6, 60.0)]


def test_a_late_batch_of_an_earlier_attempt_is_refused(home: Path, database: Database) -> None:
    folder = a_run(home)
    first = recording(folder, 1)
    carrier = begin_foreground(database, first.attempt)
    carrier.carry_all(time.time())
    begin_foreground(database, recording(folder, 2).attempt).carry_all(time.time())
    log_steps(first, 1, 6)

    with pytest.raises(FencedError, match="attempt 2 does"):
        carrier.carry(time.time())

    assert "train.loss" not in Query(database).series("abcd1234")


def test_the_index_is_rebuilt_from_the_folders(home: Path, database: Database) -> None:
    folder = a_run(home)
    first = recording(folder, 1)
    log_steps(first, 1, 6)
    second = recording(folder, 2, resume_step=4)
    log_steps(second, 5, 7)
    second.event(
        "finished", best_epoch=1, best_valid=0.5, epochs=1, steps=7, metrics={"test.mae": 0.7},
        weights_sha256="1" * 64,
    )  # fmt: skip
    failed = recording(a_run(home, "failed01"), 1)
    failed.event("failed", failure_class="diverged", message="The loss is NaN.", exit_code=1)
    recording(a_run(home, "gone0001"), 1)
    broken = a_run(home, "broken01")
    (broken.path / "run.json").write_text("{")

    number, problems = rebuild(Home(home), database)

    assert number == 3
    assert [problem.split(" was")[0] for problem in problems] == ["Run broken01"]
    query = Query(database)
    run = query.run("abcd1234")
    assert (run.state, run.job_id, run.attempt) == (JobState.SUCCEEDED, None, 2)
    assert run.metrics["test.mae"] == 0.7
    assert len(stored(database)) == 7
    assert query.run("failed01").error == "The loss is NaN."
    assert query.run("gone0001").state is JobState.LOST
    with database.read() as connection:
        assert [a.outcome for a in list_attempts(connection, "abcd1234")] == ["lost", "succeeded"]


def test_rebuilding_twice_changes_nothing(home: Path, database: Database) -> None:
    recorder = recording(a_run(home), 1)
    log_steps(recorder, 1, 6)
    rebuild(Home(home), database)
    before = stored(database)

    rebuild(Home(home), database)

    assert stored(database) == before
    assert len(Query(database).runs()) == 1


def test_a_run_in_training_is_running_after_a_rebuild(home: Path, database: Database) -> None:
    folder = a_run(home)
    recording(folder, 1)

    with folder.hold():
        rebuild(Home(home), database)

    assert Query(database).run("abcd1234").state is JobState.RUNNING


def test_predictions_that_are_damaged_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "predictions-test.csv"
    path.write_text("sample_id,label\na,1\n")

    with pytest.raises(RunFolderError, match="must hold predictions"):
        read_predictions(path)
    with pytest.raises(RunFolderError, match="can't be read"):
        read_predictions(tmp_path / "none.csv")


def test_no_folder_no_runs(home: Path, database: Database) -> None:
    shutil.rmtree(home / "runs", ignore_errors=True)

    assert rebuild(Home(home), database) == (0, ())
