"""Feature files that are wrong, each in one way: hostile pickles, damaged files, bad content."""

from __future__ import annotations

import os
import pickle
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.data.builders import make_content

Content = dict[str, dict[str, Any]]


SYSTEM: Any = vars(os)["system"]
"""What the classic hostile pickle calls."""


class Runs:
    """Calls a function when it is unpickled the ordinary way."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def text(value: str) -> bytes:
    """Return the operation that pushes text."""
    return b"X" + len(value.encode()).to_bytes(4, "little") + value.encode()


def hostile_pickles(marker: Path) -> Mapping[str, tuple[str, bytes]]:
    """Return pickles that make the file `marker` when loaded: name asked for, and bytes."""
    touch = f"touch '{marker}'"
    python = f"open({str(marker)!r}, 'w').close()"
    call_with_touch = text(touch) + b"\x85R."
    objects = np.empty(2, object)
    objects[:] = [1.0, Runs(SYSTEM, touch)]
    nested = make_content()
    nested["train"]["audio"] = [[0.5], [Runs(SYSTEM, touch)]]  # type: ignore[assignment]
    system = f"{os.name}.system"
    every = {
        f"os.system in protocol {protocol}": (
            system,
            pickle.dumps({"train": Runs(SYSTEM, touch)}, protocol),
        )
        for protocol in range(6)
    }
    return {
        **every,
        "os.system": (system, pickle.dumps(Runs(SYSTEM, touch), 4)),
        "os.system of Python 2": ("os.system", b"cos\nsystem\n(" + text(touch) + b"tR."),
        "eval": ("builtins.eval", pickle.dumps(Runs(eval, python), 4)),
        "exec in protocol 0": ("__builtin__.exec", pickle.dumps(Runs(exec, python), 0)),
        "a process": (
            "subprocess.Popen",
            pickle.dumps(Runs(subprocess.Popen, ["touch", str(marker)]), 5),
        ),
        "torch storage": (
            "torch.storage._load_from_bytes",
            b"ctorch.storage\n_load_from_bytes\n"
            + _bytes(pickle.dumps(Runs(SYSTEM, touch)))
            + b"\x85R.",
        ),
        "nested in a list": (system, pickle.dumps(nested, 4)),
        "STACK_GLOBAL": (
            "os.system",
            b"\x80\x04" + text("system") + b"\x94" + text("os") + b"h\x00\x93" + call_with_touch,
        ),
        "in an object array": (system, pickle.dumps({"train": objects}, 4)),
        "INST": ("os.system", b"(" + text(touch) + b"ios\nsystem\n."),
        "by numpy": (
            "numpy.testing._private.utils.runstring",
            b"cnumpy.testing._private.utils\nrunstring\n" + text(python) + b"}\x86R.",
        ),
    }  # fmt: skip


def _bytes(data: bytes) -> bytes:
    return b"B" + len(data).to_bytes(4, "little") + data


def _change(change: Callable[[Content], object]) -> Content:
    content = make_content()
    change(content)
    return content


def _without(split: str, key: str | None = None) -> Content:
    content = make_content()
    if key is None:
        del content[split]
    else:
        del content[split][key]
    return content


def _nan_labels(content: Content) -> None:
    content["valid"]["regression_labels"][[1, 3]] = np.nan


def _empty_test(content: Content) -> None:
    content["test"] = {key: part[:0] for key, part in content["test"].items()}


def _cut(split: str, key: str, count: int) -> Callable[[Content], None]:
    def change(content: Content) -> None:
        content[split][key] = content[split][key][:count]

    return change


def _put(split: str, key: str, value: Any) -> Callable[[Content], None]:
    def change(content: Content) -> None:
        content[split][key] = value

    return change


def _array_of(*values: Any) -> np.ndarray:
    made = np.empty(len(values), object)
    made[:] = values
    return made


def _widths(*widths: int) -> np.ndarray:
    return _array_of(*(np.ones((2, width)) for width in widths))


def _knot() -> Any:
    knot: list[Any] = []
    knot.append(knot)
    return {"train": knot}


def _deep(levels: int) -> Any:
    value: Any = 1.0
    for _ in range(levels):
        value = [value]
    return {"train": value}


def _many_times_over() -> Any:
    knot: list[Any] = [1.0] * 10
    for _ in range(12):
        knot = [knot] * 10
    return _change(_put("train", "audio", knot))


BAD_CONTENT: Mapping[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "no vision": (lambda: _without("train", "vision"), ("`train`", "lacks `vision`", "`audio`")),
    "no train": (lambda: _without("train"), ("no split `train`", "It has `valid`, `test`")),
    "a list": (lambda: [1, 2], ("`list`", "`train`, `valid` and `test`")),
    "a split that is a list": (
        lambda: {**make_content(), "valid": [1]},
        ("`valid`", "`list`", "must be a dictionary"),
    ),
    "audio of all samples in one table": (
        lambda: _change(_put("train", "audio", np.zeros((24, 4), np.float32))),
        ("`train.audio`", "24 samples", "has 4"),
    ),
    "audio without steps": (
        lambda: _change(_put("train", "audio", np.zeros(4, np.float32))),
        ("`train.audio`", "has shape (4,)", "must be (N, T, D)"),
    ),
    "audio of four dimensions": (
        lambda: _change(_put("train", "audio", np.zeros((4, 2, 3, 5), np.float32))),
        ("`train.audio`", "has shape (4, 2, 3, 5)", "must be (N, T, D)"),
    ),
    "fewer vision samples": (
        lambda: _change(_cut("test", "vision", 3)),
        ("`test.vision`", "3 samples", "has 4"),
    ),
    "another width in test": (
        lambda: _change(_put("test", "audio", np.ones((4, 6, 9), np.float32))),
        ("`audio` of different widths", "train 4", "test 9"),
    ),
    "words for audio": (
        lambda: _change(_put("train", "audio", np.array(["a", "b", "c", "d"]))),
        ("`train.audio`", "no number"),
    ),
    "NaN labels": (
        lambda: _change(_nan_labels),
        ("`valid.regression_labels`", "2 of 4 samples", "valid1$_$1", "valid3$_$1"),
    ),
    "an empty split": (lambda: _change(_empty_test), ("`test`", "is empty", "needs samples")),
    "labels that are words": (
        lambda: _change(_put("train", "regression_labels", ["good"] * 4)),
        ("`train.regression_labels`", "no number"),
    ),
    "two labels a sample": (
        lambda: _change(_put("train", "regression_labels", np.zeros((4, 2)))),
        ("`train.regression_labels`", "one number each"),
    ),
    "no labels": (
        lambda: _without("valid", "regression_labels"),
        ("`valid`", "lacks `regression_labels`"),
    ),
    "no ids": (lambda: _without("test", "id"), ("`test`", "lacks `id`")),
    "no transcripts": (lambda: _without("test", "raw_text"), ("`test`", "lacks `raw_text`")),
    "a split in the place of another's part": (
        lambda: _change(lambda c: c.update(train={"train": c["train"]})),
        ("`train`", "lacks `id`"),
    ),
    "word pieces without mask": (
        lambda: _change(_put("train", "text_bert", np.zeros((4, 2, 8)))),
        ("`train.text_bert`", "(N, 3, L)"),
    ),
    "word pieces below zero": (
        lambda: _change(_put("train", "text_bert", -np.ones((4, 3, 8)))),
        ("`train.text_bert`", "no whole numbers", "word piece ids"),
    ),
    "frames of no width": (
        lambda: _change(_put("train", "vision", np.zeros((4, 6, 0), np.float32))),
        ("`train.vision`", "has shape (4, 6, 0)"),
    ),
    "samples of different widths": (
        lambda: _change(_put("train", "vision", _widths(3, 3, 4, 3))),
        ("`train.vision`", "shapes (2, 3), (2, 4)"),
    ),
    "dictionaries for frames": (
        lambda: _change(_put("train", "audio", _array_of({}, {}, {}, {}))),
        ("`train.audio`", "no number"),
    ),
    "lengths of other samples": (
        lambda: _change(_put("train", "audio_lengths", [1, 2, 3])),
        ("`train.audio_lengths`", "3 samples", "has 4"),
    ),
    "complex numbers": (
        lambda: _change(_put("train", "audio", np.zeros((4, 6, 4), np.complex64))),
        ("array type `c8`",),
    ),
    "a list in itself": (_knot, ("is nested more than 50 deep",)),
    "lists in one another, many times over": (_many_times_over, ("many times over",)),
    "nested very deeply": (lambda: _deep(200), ("is nested more than 50 deep",)),
    "labels out of range": (
        lambda: _change(_put("train", "regression_labels", np.array([0.0, 1, -7.5, 2]))),
        ("7.5", "3"),
    ),
}
"""What the pickle holds, and what the sentence must say."""
