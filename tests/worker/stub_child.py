"""A child without torch: logs steps, writes checkpoints, resumes, and ends as its config says.

The job's `tags` say how: `steps=20`, `pause=0.01` (seconds a step), `fail`, `crash`, `stubborn`,
`hang=1` and `oom=1` (in the attempts up to that one), `helper` (a process of its own session).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from setgf.runs.atomic import write_json
from setgf.runs.folder import RunFolder
from setgf.runs.recorder import FolderRecorder

STEPS_AN_EPOCH = 5


def main() -> int:
    parser = argparse.ArgumentParser()
    for option in ("--run", "--attempt", "--home", "--resume"):
        parser.add_argument(option)
    options = parser.parse_args()
    run = RunFolder(Path(options.run))
    plan: dict[str, str] = {}
    for tag in run.identity().tags:
        plan[tag.partition("=")[0]] = tag.partition("=")[2]
    recorder = FolderRecorder(run.attempt_folder(int(options.attempt)))
    signal.signal(
        signal.SIGTERM,
        signal.SIG_IGN if "stubborn" in plan else lambda *_: recorder.request_stop(),
    )
    step, value = 0, 0.0
    if options.resume:
        state = json.loads((run.path / options.resume / "checkpoints" / "last.json").read_text())
        step, value = state["step"], state["value"]
    recorder.event("started", resume_step=step, parameters=7, device="cpu")
    print(f"started at step {step}", flush=True)
    last = int(plan.get("steps", 10))
    number = int(options.attempt)
    if "helper" in plan:
        subprocess.Popen(["sleep", "600"], start_new_session=True)
    while step < last:
        step += 1
        value = value * 0.9 + step
        recorder.begin_epoch((step - 1) // STEPS_AN_EPOCH + 1)
        recorder.log(step, {"train.loss": value, "train.lr": 1.0 / step})
        time.sleep(float(plan.get("pause", 0)))
        if step == last // 2 and misbehave(plan, recorder, number):
            return 1
        if step % STEPS_AN_EPOCH == 0:
            end_epoch(recorder, step, value)
        if recorder.stop_requested():
            save(recorder, step, value)
            recorder.event("stopped", step=step, epoch=step // STEPS_AN_EPOCH)
            return 130
    recorder.event(
        "finished",
        best_epoch=1,
        best_valid=value,
        epochs=last // STEPS_AN_EPOCH,
        steps=last,
        metrics={"valid.mae": value, "test.mae": value + 1},
        weights_sha256=hashlib.sha256(repr(value).encode()).hexdigest(),
    )
    return 0


def misbehave(plan: dict[str, str], recorder: FolderRecorder, number: int) -> bool:
    """Do what the plan says for the middle of a run; True when it fails there."""
    if number <= int(plan.get("hang", 0)):
        signal.pause()
    if "crash" in plan:
        os.kill(os.getpid(), signal.SIGSEGV)
    if number <= int(plan.get("oom", 0)):
        recorder.event("failed", failure_class="out_of_memory", message="Out of memory.")
        return True
    if "fail" in plan:
        recorder.event("failed", failure_class="diverged", message="The loss is NaN.")
        return True
    return False


def end_epoch(recorder: FolderRecorder, step: int, value: float) -> None:
    epoch = step // STEPS_AN_EPOCH
    recorder.log(step, {"valid.mae": value})
    recorder.event(
        "epoch", epoch=epoch, step=step, max_epochs=9, valid=value, best=epoch == 1, best_epoch=1
    )
    save(recorder, step, value)


def save(recorder: FolderRecorder, step: int, value: float) -> None:
    recorder.check_fence()
    write_json(recorder.checkpoints / "last.json", {"step": step, "value": value})
    write_json(recorder.attempt.manifest, {"checkpoints": [{"file": "last.json"}]})
    recorder.event(
        "checkpoint",
        role="last",
        file="checkpoints/last.json",
        epoch=step // STEPS_AN_EPOCH,
        step=step,
        size=1,
        sha256="0" * 64,
    )


if __name__ == "__main__":
    sys.exit(main())
