"""Training and evaluation: samples a second, against MMSA's own SELF_MM and TETFN.

    SETGF_TRAINING_SCRIPTS=bench/training SETGF_MMSA=ROOT nice -n -5 \
        python -m tests.benchmarks train

`bench/training` holds `ab.py`, `refworker.py` and what they need: MMSA's trainer runs as it is, but
for what `reference_shims` lists, and forgets the graphs of past batches, which it keeps as shipped:
with `SETGF_AS_SHIPPED=1` its memory grows by the step, 11 of which are an epoch. ROOT is made so:

    python3.11 -m venv ROOT/venv
    ROOT/venv/bin/pip install torch==2.13.0 transformers==5.23.0 numpy pandas scikit-learn tqdm \
        nvidia-ml-py easydict greenlet einops pytorch-transformers
    git clone MMSA's repository (thuiar/MMSA) to ROOT/MMSA      # a94e65d; no release has TETFN

`SETGF_TRAINING_ONLY` names some of the comparisons, `SETGF_TRAINING_ROUNDS` their rounds (3).

Made-up data in the shapes of MOSI and SIMS, a random encoder of bert-base's size, batches of 32,
four of them a step, Adam, Self-MM's labels, two threads, idle threads asleep. All processes of a
comparison take turns of one step; ratios are medians over turns of samples a second. The bound is
the plain encoder, forward and backward, on transcripts of one length without padding.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.table import heading, median, show_markdown

STEP = 4
"""Micro-batches a step, and a turn."""
SHARES = {"mosi_unaligned": 0.2993, "mosi_aligned": 0.2993, "sims_unaligned": 0.281}
"""Share of each set's samples that is made: 384 of train, whole steps."""
VOCABULARIES = {"mosi": 30522, "sims": 21128}
OURS: Mapping[str, Any] = {
    "optim.batch_size": 32,
    "optim.accumulation_steps": STEP,
    "optim.optimizer": "adam",
    "optim.clip_norm": 0.0,
    "labels.mode": "reference",
    "text.pooling": "first",
    "train.group_by_length": False,
    "train.threads": 2,
}
SELF_MM: Mapping[str, Any] = {
    "model.name": "self_mm",
    "model.text_width": 32,
    "data.max_frames": 0,
    "data.normalise": False,
    "text.dropout": 0.0,
}
SELF_MM_SIMS = SELF_MM | {"model.text_width": 64, "model.vision_hidden": 64}
SETGF: Mapping[str, Any] = {"model.name": "setgf"}
BFLOAT16: Mapping[str, Any] = {"train.precision": "bfloat16"}
ONLY_ENCODER = "--only-encoder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Some ways to train on one set; the first is what the others are measured by."""

    features: str
    theirs: str = ""
    """MMSA's model; empty: the bound is measured by."""
    ours: Mapping[str, Mapping[str, Any]]
    """Settings by name."""


COMPARISONS: Mapping[str, Comparison] = {
    "self_mm-mosi": Comparison(
        features="mosi_unaligned",
        theirs="self_mm",
        ours={"Self-MM": SELF_MM, "Self-MM, bf16": SELF_MM | BFLOAT16},
    ),
    "setgf-mosi": Comparison(
        features="mosi_aligned",
        theirs="tetfn",
        ours={"SETGF": SETGF, "SETGF, bf16": SETGF | BFLOAT16},
    ),
    "self_mm-sims": Comparison(
        features="sims_unaligned",
        theirs="self_mm",
        ours={"Self-MM": SELF_MM_SIMS, "Self-MM, bf16": SELF_MM_SIMS | BFLOAT16},
    ),
    "setgf-sims": Comparison(
        features="sims_unaligned",
        theirs="tetfn",
        ours={"SETGF": SETGF, "SETGF, bf16": SETGF | BFLOAT16},
    ),
    "text_only-mosi": Comparison(
        features="mosi_unaligned",
        ours={"text only": {"model.name": "text_only"}},
    ),
    "text_only-mosi-bf16": Comparison(
        features="mosi_unaligned",
        ours={"text only, bf16": {"model.name": "text_only", **BFLOAT16}},
    ),
    "frozen-mosi": Comparison(
        features="mosi_unaligned",
        ours={
            "SETGF": SETGF,
            "SETGF, encoder frozen": SETGF | {"text.finetune": False},
        },
    ),
}


def main() -> None:
    """Print a table, as Markdown."""
    named, root = os.environ.get("SETGF_TRAINING_SCRIPTS"), os.environ.get("SETGF_MMSA")
    if not named or not root:
        print("Left out: $SETGF_TRAINING_SCRIPTS must name the folder of ab.py, and $SETGF_MMSA "
              "one with MMSA and its environment.")  # fmt: skip
        return
    rounds = int(os.environ.get("SETGF_TRAINING_ROUNDS", "3"))
    wanted = os.environ.get("SETGF_TRAINING_ONLY", ",".join(COMPARISONS)).split(",")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.path.insert(0, named)
    protocol: Any = importlib.import_module("ab")
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {rounds} rounds")
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        workplace = Workplace(Path(folder), Path(named).resolve(), Path(root).resolve())
        for name in wanted:
            rows += _compare(protocol, workplace, name, COMPARISONS[name], rounds)
    print(f"load {os.getloadavg()[0]:.1f}")
    show_markdown(["", "training, samples/s", "x wall", "x CPU", "evaluation, samples/s", "x wall",
                   "x CPU", "peak memory, MiB"], rows)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where data and encoders of the comparisons are made."""

    folder: Path
    scripts: Path
    mmsa: Path

    def features(self, name: str) -> Path:
        """Return the feature file of a set."""
        path = self.folder / f"{name}.pkl"
        if not path.exists():
            self._run("gen_data.py", "--spec", name, "--out", self.folder, "--no-text",
                      "--scale", SHARES[name])  # fmt: skip
        return path

    def encoder(self, family: str) -> Path:
        """Return the folder of a random encoder with the vocabulary of a family."""
        path = self.folder / f"bert_{family}"
        if not path.exists():
            self._run("make_bert.py", "--out", path, "--vocab", VOCABULARIES[family])
        return path

    def theirs(self, model: str, features: str) -> str:
        """Return the command of MMSA's trainer."""
        family = features.partition("_")[0]
        return " ".join(
            map(str, (
                self.mmsa / "venv/bin/python", self.scripts / "refworker.py",
                "--mmsa-src", self.mmsa / "MMSA/src", "--model", model, "--dataset", family,
                "--features", self.features(features), "--bert", self.encoder(family),
                "--batch", 32, *([] if os.environ.get("SETGF_AS_SHIPPED") else ["--drop-graphs"]),
            ))
        )  # fmt: skip

    def ours(self, settings: Mapping[str, Any], features: str, *options: str) -> str:
        """Return the command of our trainer."""
        family = features.partition("_")[0]
        given = json.dumps({**OURS, **settings})
        return " ".join(
            map(str, (
                sys.executable, "-m", "tests.benchmarks.train_worker", "--home", self.folder,
                "--features", self.features(features), "--encoder", self.encoder(family),
                "--settings", f"'{given}'", *options,
            ))
        )  # fmt: skip

    def _run(self, script: str, *words: object) -> None:
        command = [sys.executable, str(self.scripts / script), *map(str, words)]
        subprocess.run(command, check=True, capture_output=True)


@dataclass(slots=True)
class Seen:
    """What turns of one process have shown, in samples a second."""

    worker: Any
    wall: list[float]
    cpu: list[float]
    eval_wall: list[float]
    eval_cpu: list[float]
    peak: float = 0.0

    def train(self, batches: int) -> None:
        """Let it train, and note the turn."""
        answer = self.worker.ask(cmd="train", steps=batches)
        steps = answer["steps"]
        samples = sum(step["n"] for step in steps)
        self.wall.append(samples / sum(step["wall"] for step in steps))
        self.cpu.append(samples / sum(step["user"] + step["sys"] for step in steps))
        self.peak = answer["peak_mib"]

    def evaluate(self) -> None:
        """Let it score the test split, and note the turn."""
        spent = self.worker.ask(cmd="eval")["sections"]["eval"]
        samples = self.worker.info["n_test"]
        self.eval_wall.append(samples / spent["wall"])
        self.eval_cpu.append(samples / (spent["user"] + spent["sys"]))


def _compare(
    protocol: Any, workplace: Workplace, name: str, comparison: Comparison, rounds: int
) -> list[list[str]]:
    """Return a row for each way of a comparison."""
    commands = {f"{name}: {way}": workplace.ours(settings, comparison.features)
                for way, settings in comparison.ours.items()}  # fmt: skip
    if comparison.theirs:
        theirs = workplace.theirs(comparison.theirs, comparison.features)
        commands = {f"{name}: MMSA {comparison.theirs.upper()}": theirs} | commands
    elif len(commands) == 1:
        (settings,) = comparison.ours.values()
        bound = workplace.ours(settings, comparison.features, ONLY_ENCODER)
        commands = {f"{name}: bound": bound} | commands
    with Path(os.devnull).open("w") as log:
        seen = {
            way: Seen(protocol.Worker(way, command, log), [], [], [], [])
            for way, command in commands.items()
        }
        _take_turns(list(seen.values()), rounds)
        for found in seen.values():
            found.worker.quit()
    base = next(iter(seen.values()))
    rows = [_row(way, found, base) for way, found in seen.items()]
    for row in rows:
        print(" ".join(row), flush=True)
    return rows


def _take_turns(seen: Sequence[Seen], rounds: int) -> None:
    for found in seen:  # once, uncounted: MMSA's first window, our first epoch's labels
        found.worker.ask(cmd="train", steps=STEP)
    for _ in range(rounds):
        for found in seen:
            found.train(STEP)
    for _ in range(max(1, rounds - 1)):
        for found in seen:
            found.evaluate()


def _row(name: str, found: Seen, base: Seen) -> list[str]:
    def ratio(kind: str) -> str:
        pairs = zip(getattr(found, kind), getattr(base, kind), strict=True)
        return f"{median([one / other for one, other in pairs]):.2f}"

    return [
        name,
        f"{median(found.wall):.1f}",
        ratio("wall"),
        ratio("cpu"),
        f"{median(found.eval_wall):.1f}",
        ratio("eval_wall"),
        ratio("eval_cpu"),
        f"{found.peak:,.0f}",
    ]


if __name__ == "__main__":
    heading("train", __doc__ or "")
    main()
