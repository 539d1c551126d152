from __future__ import annotations

import numpy as np
import pytest

from setgf.errors import RunFolderError, StoppedError
from setgf.runs.folder import RunFolder
from setgf.runs.label_history import HEADER_SIZE, read_label_history
from setgf.runs.recorder import FolderRecorder

IDS = ("a", "b", "c")
ANNOTATED = np.asarray([1.0, -2.0, 0.5], dtype=np.float32)


def labels(shift: float) -> dict[str, np.ndarray]:
    return {"text": ANNOTATED + np.float32(shift), "audio": ANNOTATED - np.float32(shift)}


def save(run: RunFolder, number: int, epochs: range, shift: float = 0.0) -> None:
    recorder = FolderRecorder(run.begin_attempt(number))
    for epoch in epochs:
        recorder.save_labels(epoch, labels(epoch + shift), annotated=ANNOTATED, sample_ids=IDS)
    recorder.close()


def test_what_was_saved_after_every_epoch_is_read_again(tmp_path):
    run = RunFolder(tmp_path / "abcd1234")
    save(run, 1, range(1, 4))

    history = read_label_history(run)

    assert history is not None
    assert history.modalities == ("text", "audio") and history.sample_ids == IDS
    assert history.epochs == (1, 2, 3)
    assert np.allclose(history.annotated, ANNOTATED)
    assert np.allclose(history.labels[1, 0], ANNOTATED + 2, atol=1e-3)
    assert np.allclose(history.labels[2, 1], ANNOTATED - 3, atol=1e-3)


def test_the_file_is_an_ordinary_array_file_at_every_moment(tmp_path):
    run = RunFolder(tmp_path / "abcd1234")
    save(run, 1, range(1, 12))

    rows = np.lib.format.open_memmap(run.attempt_folder(1).labels, mode="r")

    assert rows.shape == (12, 2, 3) and rows.dtype == np.float16
    assert run.attempt_folder(1).labels.stat().st_size == HEADER_SIZE + rows.nbytes


def test_a_resumed_attempt_replaces_the_epochs_it_trained_again(tmp_path):
    run = RunFolder(tmp_path / "abcd1234")
    save(run, 1, range(1, 5))
    save(run, 2, range(3, 7), shift=10)

    history = read_label_history(run)

    assert history is not None and history.epochs == (1, 2, 3, 4, 5, 6)
    assert np.allclose(history.labels[1, 0], ANNOTATED + 2, atol=2e-3)
    assert np.allclose(history.labels[2, 0], ANNOTATED + 13, atol=2e-2)


def test_a_torn_last_row_is_not_there(tmp_path):
    run = RunFolder(tmp_path / "abcd1234")
    save(run, 1, range(1, 3))
    with run.attempt_folder(1).labels.open("ab") as file:
        file.write(b"torn")

    history = read_label_history(run)

    assert history is not None and history.epochs == (1, 2)


def test_a_run_that_generates_no_labels_has_no_history(tmp_path):
    run = RunFolder(tmp_path / "abcd1234")
    FolderRecorder(run.begin_attempt(1)).close()
    assert read_label_history(run) is None


def test_a_damaged_history_is_refused_in_words(tmp_path):
    run = RunFolder(tmp_path / "abcd1234")
    save(run, 1, range(1, 3))
    run.attempt_folder(1).labels.write_bytes(b"no array")

    with pytest.raises(RunFolderError, match="must hold the labels of an attempt"):
        read_label_history(run)


def test_an_attempt_that_lost_its_run_writes_no_labels(tmp_path):
    run = RunFolder(tmp_path / "abcd1234")
    recorder = FolderRecorder(run.begin_attempt(1))
    run.begin_attempt(2)

    with pytest.raises(StoppedError):
        recorder.save_labels(1, labels(0), annotated=ANNOTATED, sample_ids=IDS)
    recorder.close()
