from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from setgf.home import Home
from setgf.runs.folder import RunFolder
from setgf.worker.engines.local import LocalEngine, Order, child_environment
from setgf.worker.gpus import Nvml, choose_gpus, cpu_slots, default_slots, usable_cores
from setgf.worker.supervision import read_exit
from tests.worker.builders import a_device
from tests.worker.processes import wait_until


def an_order(
    tmp_path: Path,
    *,
    resume_from: str | None = None,
    devices: tuple[str, ...] = ("cpu0",),
    slots: int = 1,
) -> Order:
    attempt = RunFolder(tmp_path / "abcd1234").begin_attempt(1)
    return Order(attempt=attempt, resume_from=resume_from, devices=devices, slots=slots)


def test_a_machine_without_nvml_has_no_gpus_but_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = Nvml()
    nvml._library = None

    assert nvml.gpus() == ()
    assert nvml.processes("cuda:0") == {}
    assert default_slots() == max(1, usable_cores() // 2)
    assert [slot.name for slot in cpu_slots(3)] == ["cpu0", "cpu1", "cpu2"]


def test_gpus_are_chosen_by_option_or_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus = [a_device("cuda:0"), a_device("cuda:1"), a_device("cuda:2")]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert len(choose_gpus(gpus, None)) == 3
    assert [gpu.name for gpu in choose_gpus(gpus, [1])] == ["cuda:1"]

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,0")

    assert [gpu.name for gpu in choose_gpus(gpus, None)] == ["cuda:0", "cuda:2"]


class FakeLibrary:
    """A machine with two GPUs of 10 GiB; a process on the second one."""

    class NVMLError(Exception):
        pass

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(total=10 << 30, used=handle << 30)

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> SimpleNamespace:  # noqa: N802
        if handle == 1:
            raise self.NVMLError("a card cut into instances")
        return SimpleNamespace(gpu=42)

    def nvmlDeviceGetName(self, handle: int) -> bytes:  # noqa: N802
        return b"Some GPU"

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[Any]:  # noqa: N802
        return [SimpleNamespace(pid=7, usedGpuMemory=1 << 30)] * handle


def test_gpus_are_read_with_their_memory_and_their_processes() -> None:
    nvml = Nvml(FakeLibrary())

    first, second = nvml.gpus()

    assert (first.name, first.model, first.memory_mib) == ("cuda:0", "Some GPU", 10 << 10)
    assert (first.utilisation, second.utilisation) == (42.0, 0.0)
    assert second.memory_used_mib == 1024
    assert (nvml.processes("cuda:0"), nvml.processes("cuda:1")) == ({}, {7: 1024})


def test_a_child_sees_its_devices_its_cores_and_no_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SETGF_DATABASE_URL", "postgresql://user:password@host/db")

    cpu = child_environment(Home(tmp_path), an_order(tmp_path, slots=1000))
    gpu = child_environment(Home(tmp_path), an_order(tmp_path, devices=("cuda:1", "cuda:3")))

    assert cpu["CUDA_VISIBLE_DEVICES"] == ""
    assert cpu["OMP_NUM_THREADS"] == "1"
    assert gpu["CUDA_VISIBLE_DEVICES"] == "1,3"
    assert "SETGF_DATABASE_URL" not in cpu
    assert cpu["SETGF_HOME"] == str(tmp_path)


def test_the_local_engine_starts_a_child_with_its_options(tmp_path: Path) -> None:
    order = an_order(tmp_path, resume_from="a1")
    script = "import sys; print(' '.join(sys.argv[1:]))"
    engine = LocalEngine(Home(tmp_path), command=(sys.executable, "-c", script))

    pid = engine.start(order)

    ended: dict[int, int] = {}
    wait_until(lambda: ended.update(engine.reap()) or pid in ended)
    assert ended[pid] == 0
    run = order.attempt.run.path
    options = f"--run {run} --attempt 1 --home {tmp_path} --resume a1\n"
    assert order.attempt.log.read_text().endswith(options)
    assert read_exit(order.attempt) is not None
