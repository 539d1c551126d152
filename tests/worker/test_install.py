from __future__ import annotations

import configparser
import os
import stat
from pathlib import Path

import pytest

from setgf.errors import WorkerError
from setgf.home import Home
from setgf.worker import install as units


@pytest.fixture
def config(tmp_path: Path, monkeypatch) -> Path:
    """A user's configuration folder of its own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config"


def systemctl(tmp_path: Path, monkeypatch, script: str) -> Path:
    """Put a `systemctl` on the path that writes down how it is called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    calls = tmp_path / "calls"
    path = folder / "systemctl"
    path.write_text(f'#!/bin/sh\necho "$@" >> {calls}\n{script}\n')
    path.chmod(0o700)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return calls


def test_the_unit_leaves_jobs_alone_and_starts_again_after_a_crash(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("SETGF_DATABASE_URL", raising=False)
    text = units.unit_text(Home(tmp_path / "my 100% home"), ["--slots", "2"])

    lines = text.splitlines()
    assert "KillMode=process" in lines
    assert "Restart=on-failure" in lines
    assert f'Environment="SETGF_HOME={tmp_path}/my 100%% home"' in lines
    assert any(
        line.startswith("ExecStart=") and line.endswith("worker start --slots 2") for line in lines
    )
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(text)
    assert parser.sections() == ["Unit", "Service", "Install"]


def test_a_password_of_the_database_stands_in_no_unit(tmp_path, monkeypatch, config) -> None:
    monkeypatch.setenv("SETGF_DATABASE_URL", "postgresql+psycopg://ada:hunter2@host/runs")
    systemctl(tmp_path, monkeypatch, "exit 0")

    path = units.install(Home(tmp_path / "home"), [])

    assert "hunter2" not in path.read_text()
    assert f"EnvironmentFile={units.environment_file()}" in path.read_text()
    assert "hunter2" in units.environment_file().read_text()
    assert stat.S_IMODE(units.environment_file().stat().st_mode) == 0o600


def test_installing_starts_it_and_uninstalling_removes_it(tmp_path, monkeypatch, config) -> None:
    monkeypatch.delenv("SETGF_DATABASE_URL", raising=False)
    calls = systemctl(tmp_path, monkeypatch, "exit 0")

    path = units.install(Home(tmp_path / "home"), [])
    assert path == config / "systemd" / "user" / "setgf-worker.service"
    assert path.is_file()
    units.uninstall()

    assert not path.exists()
    assert calls.read_text().splitlines() == [
        "--user show-environment",
        "--user daemon-reload",
        "--user enable --now setgf-worker.service",
        "--user show-environment",
        "--user disable --now setgf-worker.service",
        "--user daemon-reload",
    ]


def test_without_a_user_bus_it_is_said_what_to_do_instead(tmp_path, monkeypatch, config) -> None:
    systemctl(tmp_path, monkeypatch, "echo 'Failed to connect to bus: No medium found' >&2; exit 1")

    with pytest.raises(WorkerError, match=r"No medium found.*worker start --detach"):
        units.install(Home(tmp_path / "home"), [])

    assert not config.exists()


def test_without_systemd_it_is_said_what_to_do_instead(tmp_path, monkeypatch, config) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(WorkerError, match=r"has no systemd.*worker start --detach"):
        units.install(Home(tmp_path / "home"), [])


def test_what_systemd_refuses_is_told(tmp_path, monkeypatch, config) -> None:
    systemctl(tmp_path, monkeypatch, 'case "$2" in enable) echo "no way" >&2; exit 1;; esac')

    with pytest.raises(WorkerError, match=r"`systemctl --user enable .*` failed: no way"):
        units.install(Home(tmp_path / "home"), [])


def test_nothing_to_uninstall_is_an_error(config) -> None:
    with pytest.raises(WorkerError, match="No unit is installed"):
        units.uninstall()
