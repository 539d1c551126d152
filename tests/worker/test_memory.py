from __future__ import annotations

from pathlib import Path

from setgf.config import ExperimentConfig, override
from setgf.worker import reserve
from setgf.worker.gpus import free_memory_mib
from setgf.worker.memory import Peaks, memory_key, need_of
from setgf.worker.reserve import DiskReserve
from tests.worker.builders import a_job


def key(**settings: object) -> str:
    names = {name.replace("__", "."): value for name, value in settings.items()}
    config = override(ExperimentConfig(), {"data.name": "demo", **names})
    return memory_key(config.to_dict(), "gpu")


def test_what_changes_the_memory_changes_the_key_and_nothing_else_does() -> None:
    assert key() == key(optim__lr=0.1, seed=7, train__max_epochs=3)
    assert key().startswith("gpu demo setgf batch 32 ")
    others = {
        key(optim__batch_size=64),
        key(data__name="other"),
        key(model__width=256),
        key(train__precision="bfloat16"),
        key(text__encoder="other"),
        key(text__finetune=False),
    }
    assert len(others | {key()}) == 7


def test_a_declared_need_comes_before_a_measured_one() -> None:
    declared = need_of(a_job(1, gpus=1.0, memory_mib=6000), Peaks(gpu=9000, host=100))
    measured = need_of(a_job(1), Peaks(host=1000))

    assert (declared.device_mib, declared.share) == (6000, None)
    assert (measured.host_mib, measured.is_declared) == (1356, False)


def test_the_free_memory_of_this_machine_is_some_but_not_all() -> None:
    assert 0 < free_memory_mib() < 1 << 40


def test_the_reserve_is_made_on_a_roomy_disk_and_given_up_once(tmp_path: Path) -> None:
    kept = DiskReserve(tmp_path)

    kept.keep()

    assert kept.path.stat().st_size == reserve.RESERVE_BYTES
    assert (kept.give_up(), kept.give_up()) == (True, False)
    assert not kept.path.exists()
