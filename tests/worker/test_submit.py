from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from setgf.config import config_from_dict
from setgf.data.synthetic import synthesise
from setgf.errors import ConfigError, DataError, EncoderError, UnknownSettingError
from setgf.home import Home
from setgf.worker.submit import Request, plan_jobs, plan_jobs_on_all


@pytest.fixture
def store(home: Path) -> Home:
    synthesise(Home(home), "small", num_samples=24)
    return Home(home)


def request(**changes) -> Request:
    settings = {"text.encoder": "tiny"} | changes.pop("settings", {})
    return Request(data_name="small", settings=settings, **changes)


def test_every_model_meets_every_seed(store: Home) -> None:
    jobs = plan_jobs(store, request(models=("setgf", "text_only"), seeds=(1, 2), gpus=0))

    assert [(job.model, job.seed) for job in jobs] == [
        ("setgf", 1), ("setgf", 2), ("text_only", 1), ("text_only", 2),
    ]  # fmt: skip
    assert len({job.run_id for job in jobs}) == 4
    assert len({job.fingerprint for job in jobs}) == 4
    assert len({job.variant for job in jobs}) == 2


def test_a_job_carries_its_whole_config(store: Home) -> None:
    (job,) = plan_jobs(store, request(settings={"max_epochs": "2", "lr": "1e-3"}))

    config = config_from_dict(job.config)
    assert (config.data.name, config.train.max_epochs, config.optim.lr) == ("small", 2, 1e-3)
    assert job.max_epochs == 2
    assert job.settings["optim.lr"] == 1e-3
    assert job.dataset == "mosi"
    assert job.name == "setgf small 1111"


def refuse(store: Home, error: type[Exception], match: str, **changes) -> None:
    with pytest.raises(error, match=match):
        plan_jobs(store, request(**changes))


def test_what_a_user_gets_wrong_is_found_before_anything_is_queued(store: Home) -> None:
    refuse(store, UnknownSettingError, "Did you mean `max_epochs`", settings={"max_epoch": 1})
    refuse(store, ConfigError, "`train.max_epochs` must be 1 or more", settings={"max_epochs": 0})
    refuse(store, ConfigError, "No model `nothing`. Known models: setgf", models=("nothing",))
    refuse(store, EncoderError, "No text encoder folder", settings={"text.encoder": "/nowhere"})
    refuse(store, ConfigError, "`train.monitor` is acc2, but mosi", settings={"monitor": "acc2"})
    refuse(store, ConfigError, "No preset `fast`", preset="fast")
    refuse(store, ConfigError, "use `--seeds`", settings={"seed": 3})
    refuse(store, ConfigError, "can't use a GPU", settings={"device": "cpu"}, gpus=1.0)
    with pytest.raises(DataError, match=r"No feature store named `none`.*`small`"):
        plan_jobs(store, Request(data_name="none"))


def test_a_gpu_is_asked_for_only_where_the_device_allows_one(store: Home) -> None:
    (cpu,) = plan_jobs(store, request(settings={"device": "cpu"}))
    (cuda,) = plan_jobs(store, request(settings={"device": "cuda"}))

    assert (cpu.gpus, cuda.gpus) == (0.0, 1.0)


def test_planning_loads_no_torch(store: Home) -> None:
    code = (
        "import sys\n"
        "from setgf.home import find_home\n"
        "from setgf.worker.submit import Request, plan_jobs\n"
        "plan_jobs(find_home(), Request(data_name='small', settings={'text.encoder': 'tiny'}))\n"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )

    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == "[]"


def test_a_grid_makes_every_combination_and_names_what_differs(store: Home) -> None:
    grid = {"lr": ["1e-4", "5e-4"], "text_gate": ["true", "false"]}

    jobs = plan_jobs(store, request(grid=grid, seeds=(1, 2), gpus=0))

    assert len(jobs) == 8
    assert [job.name for job in jobs[:3]] == [
        "setgf small lr=1e-4 text_gate=true 1",
        "setgf small lr=1e-4 text_gate=true 2",
        "setgf small lr=1e-4 text_gate=false 1",
    ]
    assert {(job.settings["optim.lr"], job.settings["ablation.text_gate"]) for job in jobs} == {
        (1e-4, True), (1e-4, False), (5e-4, True), (5e-4, False),
    }  # fmt: skip
    assert len({job.fingerprint for job in jobs}) == 8


def test_names_of_a_request_tell_its_jobs_apart(store: Home) -> None:
    def names(**changes) -> list[str]:
        return [job.name for job in plan_jobs(store, request(gpus=0, **changes))]

    assert names(name="mine") == ["mine"]
    assert names(name="mine", seeds=(1, 2)) == ["mine 1", "mine 2"]
    assert names(name="mine", models=("setgf", "self_mm")) == ["mine setgf", "mine self_mm"]
    assert names(grid={"modalities": [["text"], ["text", "audio"]]}) == [
        "setgf small modalities=text 1111", "setgf small modalities=text+audio 1111",
    ]  # fmt: skip


def test_a_grid_that_makes_no_sense_is_refused(store: Home) -> None:
    refuse(store, UnknownSettingError, "Did you mean `max_epochs`", grid={"max_epoch": [1]})
    refuse(store, ConfigError, "names one value twice", grid={"lr": ["1e-4", "1e-4"]})
    refuse(store, ConfigError, "must name at least one value", grid={"lr": []})
    refuse(store, ConfigError, "in the grid already", grid={"lr": [1]}, settings={"optim.lr": 1})
    refuse(store, ConfigError, "use `--seeds`", grid={"seed": [1, 2]})
    refuse(store, ConfigError, "must be above 0", grid={"lr": ["1e-4", "-1"]})
    refuse(store, ConfigError, "would be 20000 jobs", seeds=tuple(range(20_000)))


def test_what_a_job_needs_is_carried(store: Home) -> None:
    (job,) = plan_jobs(
        store,
        request(
            gpus=0.5, memory_mib=6144, time_limit=60.0, not_before=9.0, after_any=(3,), owner="ada"
        ),
    )

    assert (job.gpus, job.memory_mib, job.time_limit, job.not_before) == (0.5, 6144, 60.0, 9.0)
    assert (job.after_any, job.owner) == ((3,), "ada")


def test_a_request_may_name_several_stores(store: Home) -> None:
    for fold in (1, 2):
        synthesise(store, f"small-fold{fold}", num_samples=24, seed=fold)

    folds = plan_jobs_on_all(store, replace(request(seeds=(1, 2)), data_name="small-fold*"))
    named = plan_jobs_on_all(
        store, replace(request(name="mine"), data_name="small, small-fold2,small*2")
    )

    assert [(job.data_name, job.seed) for job in folds] == [
        ("small-fold1", 1), ("small-fold1", 2), ("small-fold2", 1), ("small-fold2", 2),
    ]  # fmt: skip
    assert len({job.fingerprint for job in folds}) == 4
    assert len({job.variant for job in folds}) == 2
    assert [job.name for job in named] == ["mine small", "mine small-fold2"]
    for words, match in (("big*", "No feature store is named like `big\\*`"), (",", "names no")):
        with pytest.raises(DataError, match=match):
            plan_jobs_on_all(store, replace(request(), data_name=words))


def test_a_feature_the_store_does_not_have_is_refused(store: Home) -> None:
    refuse(
        store,
        ConfigError,
        "`data.audio_features` names feature 9, but audio of the feature store `small` has",
        settings={"data.audio_features": "0-2,9"},
    )


def test_a_floor_has_one_epoch_and_needs_neither_encoder_nor_gpu(store: Home) -> None:
    settings = {"text.encoder": "/nowhere", "train.device": "cuda"}

    floor, network = (
        plan_jobs(store, request(models=(model,), settings=own))[0]
        for model, own in (("ridge", settings), ("setgf", {"train.device": "cuda"}))
    )

    assert (floor.max_epochs, floor.gpus) == (1, 0.0)
    assert (network.max_epochs, network.gpus) == (30, 1.0)


def test_settings_that_a_floor_does_not_read_make_no_other_experiment(store: Home) -> None:
    given: tuple[dict[str, object], ...] = (
        {}, {"lr": 1.0, "max_epochs": 3}, {"data.modalities": "text"}, {"monitor": "acc7"}
    )  # fmt: skip

    plain, idle, text, judged = (
        plan_jobs(store, request(models=("ridge",), settings=settings))[0].fingerprint
        for settings in given
    )

    assert plain == idle
    assert len({plain, text, judged}) == 3
