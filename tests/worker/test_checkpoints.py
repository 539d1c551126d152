from __future__ import annotations

import hashlib
from pathlib import Path

from setgf.runs.atomic import write_json
from setgf.runs.folder import AttemptFolder
from setgf.worker.checkpoints import find_resumable
from tests.worker.processes import begin


def save(attempt: AttemptFolder, *steps: int) -> None:
    entries: list[dict[str, object]] = []
    for step in steps:
        data = f"weights of step {step}".encode()
        (attempt.checkpoints / f"last-{step}.pt").write_bytes(data)
        entries.append(
            {
                "role": "last",
                "file": f"last-{step}.pt",
                "epoch": 1,
                "step": step,
                "size": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
            }
        )
    best = {"role": "best", "file": "best.pt", "epoch": 9, "step": 999, "size": 1, "sha256": "0"}
    write_json(attempt.manifest, {"checkpoints": [best, *entries]})


def test_the_newest_sound_checkpoint_of_all_attempts_is_found(tmp_path: Path) -> None:
    save(begin(tmp_path, 1), 10, 20)
    second = begin(tmp_path, 2)
    save(second, 30, 40)

    found = find_resumable(second.run, 2)

    assert (found.step, found.words, found.damage) == (40, "step 40 (a2)", None)
    assert find_resumable(second.run, 1).words == "step 20 (a1)"


def test_a_damaged_one_is_passed_over_and_said(tmp_path: Path) -> None:
    attempt = begin(tmp_path)
    save(attempt, 10, 20)
    (attempt.checkpoints / "last-20.pt").write_bytes(b"weights of step 21")

    found = find_resumable(attempt.run, 1)

    assert found.words == "step 10 (a1)"
    assert found.damage is not None
    assert "last-20.pt is damaged" in found.damage


def test_a_short_or_missing_file_is_damage_too(tmp_path: Path) -> None:
    attempt = begin(tmp_path)
    save(attempt, 10, 20)
    (attempt.checkpoints / "last-20.pt").write_bytes(b"weig")
    (attempt.checkpoints / "last-10.pt").unlink()

    found = find_resumable(attempt.run, 1)

    assert (found.step, found.words) == (0, None)
    assert "has 4 bytes, but was written with 18" in str(found.damage)


def test_without_a_checkpoint_a_run_goes_on_from_the_start(tmp_path: Path) -> None:
    found = find_resumable(begin(tmp_path).run, 1)

    assert (found.step, found.words, found.damage) == (0, None, None)
