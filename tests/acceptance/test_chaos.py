"""A small storm: a dozen faults over real processes; the large one is `chaos.py` itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.acceptance.workers import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("processes")]

COMMAND = (sys.executable, "-m", "tests.acceptance.chaos", "--child", "stub")
SMALL = ("--jobs", "3", "--faults", "12", "--seed", "4", "--pause", "0.2", "--longest", "10")


def test_jobs_end_as_if_nothing_had_happened_after_a_dozen_faults() -> None:
    done = subprocess.run(
        [*COMMAND, *SMALL, "--minutes", "3"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 faults on" in done.stdout
    assert "Nothing is wrong." in done.stdout
