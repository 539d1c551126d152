"""What every test gets: quiet threads and a home of its own."""

import os

# Before torch is imported: idle OpenMP threads must not spin on a shared machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    """An empty setgf home, named by the environment."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("SETGF_HOME", str(folder))
    monkeypatch.delenv("SETGF_DATABASE_URL", raising=False)
    return folder
