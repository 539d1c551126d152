from __future__ import annotations

import json
import math
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from setgf.errors import CheckpointError, RunFolderError, StoppedError
from setgf.training import checkpoint
from setgf.training.fit import fit
from tests.training.conftest import tiny_config

needs_peft = pytest.mark.skipif(
    find_spec("peft") is None, reason="the package peft is not installed"
)
TIMES = ("train.seconds", "train.data_seconds", "train.samples_per_second")


def values(*recorders):
    """All points by (series, step), later recorders over earlier ones, without times."""
    merged = {}
    for recorder in recorders:
        resume = recorder.find("started")[0]["resume_step"]
        merged = {key: value for key, value in merged.items() if key[1] <= resume}
        merged.update(recorder.points)
    return {key: repr(value) for key, value in merged.items() if key[0] not in TIMES}


@pytest.fixture(scope="module")
def straight(store, tmp_path_factory):
    """Uninterrupted runs by config, made once."""
    from tests.training.conftest import MemoryRecorder

    done = {}

    def run(config):
        if config.fingerprint not in done:
            kept = MemoryRecorder(tmp_path_factory.mktemp("straight"))
            done[config.fingerprint] = (fit(config, store, kept), kept)
        return done[config.fingerprint]

    return run


@pytest.mark.parametrize(
    ("stop_at", "settings"),
    [
        (1, {}),
        (5, {}),
        (7, {}),
        (10, {}),
        (7, {"labels__mode": "reference"}),
        (4, {"accumulation_steps": 2}),
        (7, {"finetune": False}),
        (7, {"train_layers": 1}),
        pytest.param(7, {"lora_rank": 4}, marks=needs_peft),
        (7, {"model__name": "self_mm"}),
        (7, {"ema_decay": 0.9, "ordinal_weight": 0.1, "precision": "float16", "calibrate": True}),
    ],
    ids=[
        "first step",
        "end of an epoch",
        "within an epoch",
        "last step",
        "reference labels",
        "partial groups",
        "frozen encoder",
        "last layer",
        "adapters",
        "self_mm",
        "averages and loss scale",
    ],
)
def test_interrupted_and_resumed_equals_uninterrupted_to_the_bit(
    store, recorder, straight, stop_at, settings
):
    config = tiny_config(max_epochs=2, patience=0, **settings)
    expected, uninterrupted = straight(config)

    first = recorder("a1", stop_at=stop_at)
    with pytest.raises(StoppedError, match="a checkpoint was written to go on from"):
        fit(config, store, first)
    second = recorder("a2")
    result = fit(config, store, second, resume_from=first.checkpoints)

    assert first.kinds()[-1] == "stopped"
    assert second.find("started")[0]["resume_step"] == stop_at
    assert result.weights_sha256 == expected.weights_sha256
    assert result.best_epoch == expected.best_epoch
    assert values(first, second) == values(uninterrupted)
    assert second.predictions == uninterrupted.predictions


def test_a_run_interrupted_again_and_again_still_equals_an_uninterrupted_one(
    store, recorder, straight
):
    config = tiny_config(max_epochs=2, patience=0)
    expected, uninterrupted = straight(config)

    parts = [recorder("a1", stop_at=3)]
    with pytest.raises(StoppedError):
        fit(config, store, parts[0])
    for number, stop_at in ((2, 5), (3, 8)):
        parts.append(recorder(f"a{number}", stop_at=stop_at))
        with pytest.raises(StoppedError):
            fit(config, store, parts[-1], resume_from=parts[-2].checkpoints)
        shutil.rmtree(parts[-2].checkpoints)  # nothing of an attempt before is needed any more
    parts.append(recorder("a4"))
    result = fit(config, store, parts[-1], resume_from=parts[-2].checkpoints)

    assert result.weights_sha256 == expected.weights_sha256
    assert values(*parts) == values(uninterrupted)


class Killed(BaseException):
    """Stands for SIGKILL: nothing is written after it."""


@pytest.mark.parametrize("seconds", [0.0, 1e9], ids=["every step", "ends of epochs"])
def test_a_killed_run_goes_on_from_its_last_checkpoint_without_loss(
    store, recorder, straight, seconds
):
    config = tiny_config(max_epochs=2, patience=0, checkpoint_seconds=seconds)
    expected, uninterrupted = straight(config)
    first = recorder("a1")

    def kill(progress):
        if progress.step == 8:
            raise Killed

    with pytest.raises(Killed):
        fit(config, store, first, on_progress=kill)
    second = recorder("a2")
    result = fit(config, store, second, resume_from=first.checkpoints)

    assert 0 < second.find("started")[0]["resume_step"] < 8
    assert result.weights_sha256 == expected.weights_sha256
    assert values(first, second) == values(uninterrupted)


@pytest.mark.parametrize(
    "moment", [5, 6, 12], ids=["last step of an epoch", "end of an epoch", "end of training"]
)
def test_no_point_is_logged_twice_where_a_run_is_killed(store, recorder, straight, moment):
    config = tiny_config(max_epochs=2, patience=0, checkpoint_seconds=0.0)
    _, uninterrupted = straight(config)
    first, second = recorder("a1"), recorder("a2")
    shown = 0

    def kill(progress):  # 5 steps and an end, twice
        nonlocal shown
        shown += 1
        if shown == moment:
            raise Killed

    with pytest.raises(Killed):
        fit(config, store, first, on_progress=kill)
    fit(config, store, second, resume_from=first.checkpoints)

    resume_step = second.find("started")[0]["resume_step"]
    assert all(step > resume_step for _, step in second.points)
    assert values(first, second) == values(uninterrupted)


def test_going_on_with_other_threads_is_warned_of(store, recorder):
    config, kept = stopped(store, recorder, stop_at=2)
    second = recorder("a2")

    torch.set_num_threads(2)
    try:
        fit(config, store, second, resume_from=kept.checkpoints)
    finally:
        torch.set_num_threads(1)

    assert "goes on with 2 CPU threads after 1" in second.find("warning")[0]["message"]


def stopped(store, recorder, *, stop_at=8):
    """A run with checkpoints at every step, stopped."""
    config = tiny_config(max_epochs=2, patience=0, checkpoint_seconds=0.0)
    kept = recorder("a1", stop_at=stop_at)
    with pytest.raises(StoppedError):
        fit(config, store, kept)
    return config, kept


@pytest.mark.parametrize("damage", ["torn", "bit flipped", "gone"])
def test_a_damaged_checkpoint_is_passed_over_with_a_warning(store, recorder, straight, damage):
    config, kept = stopped(store, recorder)
    newest = max(kept.checkpoints.glob("last-*.pt"))
    content = bytearray(newest.read_bytes())
    if damage == "gone":
        newest.unlink()
    elif damage == "torn":
        newest.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) // 2] ^= 1
        newest.write_bytes(content)

    second = recorder("a2")
    result = fit(config, store, second, resume_from=kept.checkpoints)

    assert second.find("started")[0]["resume_step"] == 7
    assert newest.name in second.find("warning")[0]["message"]
    assert result.weights_sha256 == straight(config)[0].weights_sha256


def test_a_run_starts_anew_when_no_checkpoint_is_whole(store, recorder, straight):
    config, kept = stopped(store, recorder)
    for path in kept.checkpoints.glob("last-*.pt"):
        path.write_bytes(b"")

    second = recorder("a2")
    result = fit(config, store, second, resume_from=kept.checkpoints)

    assert second.find("started")[0]["resume_step"] == 0
    assert sum("checkpoint" in str(e["message"]) for e in second.find("warning")) == 2
    assert result.weights_sha256 == straight(config)[0].weights_sha256


def test_an_attempt_without_any_checkpoint_starts_anew(store, recorder, tmp_path, straight):
    config = tiny_config(max_epochs=2, patience=0)

    result = fit(config, store, recorder(), resume_from=tmp_path / "nothing")

    assert result.weights_sha256 == straight(config)[0].weights_sha256


def test_a_checkpoint_of_another_experiment_is_refused(store, recorder):
    _, kept = stopped(store, recorder, stop_at=2)

    with pytest.raises(CheckpointError, match=r"is of another experiment: its fingerprint is \w+"):
        fit(tiny_config(lr=1e-3), store, recorder("a2"), resume_from=kept.checkpoints)


def test_a_list_of_checkpoints_that_is_not_readable_is_named(store, recorder):
    config, kept = stopped(store, recorder, stop_at=2)
    (kept.checkpoints / "manifest.json").write_text("{")

    with pytest.raises(CheckpointError, match=r"list of checkpoints .*manifest.json can't be read"):
        fit(config, store, recorder("a2"), resume_from=kept.checkpoints)


def test_two_last_checkpoints_and_their_best_are_kept_and_listed_with_their_hash(store, recorder):
    _, kept = stopped(store, recorder)

    listed = json.loads((kept.checkpoints / "manifest.json").read_text())["checkpoints"]
    assert [entry["step"] for entry in listed if entry["role"] == "last"] == [7, 8]
    assert len([entry for entry in listed if entry["role"] == "best"]) == 1
    assert {entry["file"] for entry in listed} == {p.name for p in kept.checkpoints.glob("*.pt")}
    told = {event["file"]: event for event in kept.find("checkpoint")}
    for entry in listed:
        assert told[f"checkpoints/{entry['file']}"]["sha256"] == entry["sha256"]


def test_a_full_disk_is_told_and_earlier_checkpoints_stay_whole(
    store, recorder, straight, monkeypatch
):
    config = tiny_config(max_epochs=2, patience=0, checkpoint_seconds=0.0)
    kept = recorder("a1")
    write = checkpoint._HashingFile.write

    with Path("/dev/full").open("wb", buffering=0) as full:

        def fill_up(self, data):
            if kept.last_step >= 6:
                self._file = full
            return write(self, data)

        monkeypatch.setattr(checkpoint._HashingFile, "write", fill_up)
        with pytest.raises(RunFolderError, match=r"The disk is full: .*last-0+6.pt can't be writt"):
            fit(config, store, kept)
    monkeypatch.undo()
    assert not list(kept.checkpoints.glob(".*partial"))

    second = recorder("a2")
    result = fit(config, store, second, resume_from=kept.checkpoints)

    assert second.find("started")[0]["resume_step"] == 5
    assert result.weights_sha256 == straight(config)[0].weights_sha256


def test_a_run_that_had_finished_training_only_scores_again(store, recorder, straight):
    config = tiny_config(max_epochs=2, patience=0)
    expected, uninterrupted = straight(config)

    second = recorder("a2")
    result = fit(config, store, second, resume_from=uninterrupted.checkpoints)

    assert second.kinds()[-1] == "finished"
    assert not second.series("train.loss")
    assert result.weights_sha256 == expected.weights_sha256
    assert all(
        value == expected.metrics[name] or math.isnan(value)
        for name, value in result.metrics.items()
    )
