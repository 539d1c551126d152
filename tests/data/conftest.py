"""A home of its own for every test."""

from __future__ import annotations

from pathlib import Path

import pytest

from setgf.home import HOME_VARIABLE, Home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An empty home, also named by the environment."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    return Home(tmp_path / "home")
