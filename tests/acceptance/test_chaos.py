"""A small storm: a dozen faults over real processes; the large one is `chaos.py` itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.acceptance.conftest import KINDS
from tests.acceptance.workers import ROOT
from tests.db.postgres_server import why_not

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("processes"),
    pytest.mark.timeout(420),
]

COMMAND = (sys.executable, "-m", "tests.acceptance.chaos", "--child", "stub")
SMALL = ("--jobs", "3", "--faults", "12", "--seed", "4", "--pause", "0.2", "--longest", "10")


@pytest.mark.parametrize("kind", KINDS)
def test_jobs_end_as_if_nothing_had_happened_after_a_dozen_faults(kind: str) -> None:
    if kind == "postgresql" and why_not():
        pytest.skip(f"PostgreSQL: {why_not()}")
    done = subprocess.run(
        [*COMMAND, *SMALL, "--minutes", "6", "--database", kind],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 faults on" in done.stdout
    assert "Nothing is wrong." in done.stdout
