"""`setgf data`: what a person sees, and with which exit code."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from setgf.cli.data import app
from setgf.cli.output import run_command
from setgf.home import Home
from tests.data.builders import make_content, write_pickle
from tests.data.test_labelled import IDS, write_labels


class Result:
    """What a command printed, and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(home: Home, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run `setgf data ...` as `main` does."""

    def call(*arguments: str) -> Result:
        code = run_command(lambda: app(list(arguments), standalone_mode=False))
        printed = capsys.readouterr()
        return Result(code, printed.out, printed.err)

    return call


def test_import_list_and_show(run: Any, tmp_path: Path) -> None:
    path = write_pickle(tmp_path, make_content())

    imported = run("import", str(path), "--name", "small")
    listed = run("list")
    shown = run("show", "small", "--check")

    assert imported.code == listed.code == shown.code == 0
    assert imported.out == (
        "Imported `small`: 12 samples (train 4, valid 4, test 4), mosi, English, unaligned.\n"
    )
    assert listed.out.splitlines()[1].split()[:7] == ["small", "mosi", "4", "4", "4", "4", "3"]
    assert "word pieces of bert-base-uncased" in shown.out
    assert "Floors on test" in shown.out
    assert shown.out.endswith("Every file has the hash in the manifest.\n")


def test_json_is_for_programs(run: Any) -> None:
    run("synth", "--name", "made", "--dataset", "sims", "--samples", "20", "--seed", "4")

    (entry,) = json.loads(run("list", "--json").out)
    shown = json.loads(run("show", "made", "--json").out)

    assert entry["name"] == shown["name"] == "made"
    assert entry["sizes"] == shown["sizes"] == {"train": 13, "valid": 3, "test": 4}
    assert entry["fingerprint"] == shown["fingerprint"]
    assert shown["dataset"] == "sims"
    assert shown["source"] == "made up by `setgf data synth`, seed 4"
    assert sum(shown["report"]["splits"]["train"]["labels"]["histogram"]) == 13


def test_an_empty_home_says_what_to_do(run: Any) -> None:
    listed = run("list")

    assert (listed.code, listed.out) == (0, "")
    assert "No feature stores yet" in listed.err
    assert json.loads(run("list", "--json").out) == []


def test_remarks_of_an_import_are_told(run: Any, tmp_path: Path) -> None:
    content = make_content()
    content["train"]["audio"][3, 0, 0] = np.inf
    path = write_pickle(tmp_path, content)

    imported = run("import", str(path), "--name", "small")

    assert (
        "remark: `train.audio` held values that are not finite (1 +inf; in features 0); now 0."
        in imported.err
    )
    assert "`train.audio` held values" in run("show", "small").out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("show", "nothing"), "No feature store named `nothing`. Known: none yet."),
        (("import", "nothing.pkl", "--name", "x"), "feature file nothing.pkl does not exist"),
        (("import", "nothing.pkl", "--name", "a/b"), "A feature store can't be named `a/b`"),
        (("synth", "--name", "x", "--samples", "3"), "needs 12 samples or more, but 3"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_code_3(
    run: Any, home: Home, arguments: tuple[str, ...], sentence: str
) -> None:
    result = run(*arguments)

    assert result.code == 3
    assert result.out == ""
    assert result.err.startswith("setgf: error: ")
    assert sentence in result.err
    assert len(result.err.splitlines()) == 1
    assert not home.data.exists() or not list(home.data.iterdir())


def test_an_existing_name_is_refused_before_the_file_is_read(run: Any) -> None:
    run("synth", "--name", "made", "--samples", "12")

    again = run("import", "nothing.pkl", "--name", "made")
    forced = run("synth", "--name", "made", "--samples", "14", "--force")

    assert again.code == 3
    assert "named `made` exists already" in again.err
    assert forced.code == 0
    assert "14 samples" in forced.out


class Runs:
    """Makes a folder when unpickled the ordinary way."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_a_pickle_that_runs_code_is_refused_by_name(run: Any, home: Home, tmp_path: Path) -> None:
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps(Runs(tmp_path / "ran")))

    result = run("import", str(tmp_path / "bad.pkl"), "--name", "bad")

    assert result.code == 3
    assert f"`{os.name}.mkdir`, which is not plain data" in result.err
    assert not (tmp_path / "ran").exists()
    assert not home.data.exists()


def test_a_damaged_store_does_not_hide_the_others(run: Any, home: Home) -> None:
    for name in ("good", "hurt"):
        run("synth", "--name", name, "--samples", "12")
    (home.data / "hurt" / "train.audio.npy").write_bytes(b"")

    listed = run("list")

    assert listed.code == 0
    assert "good" in listed.out
    assert "hurt" not in listed.out
    assert "`hurt` is damaged" in listed.err


def test_data_commands_load_no_torch(home: Home, tmp_path: Path) -> None:
    path = write_pickle(tmp_path, make_content())
    code = (
        "import sys\n"
        "from setgf.cli.data import app\n"
        f"app(['import', {str(path)!r}, '--name', 'x'], standalone_mode=False)\n"
        "app(['list'], standalone_mode=False)\n"
        "app(['show', 'x'], standalone_mode=False)\n"
        "heavy = {'torch', 'transformers', 'tokenizers', 'scipy'}\n"
        "sys.exit(sorted(heavy & set(sys.modules)) or 0)\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr.splitlines()[1:]) == (0, [])


def test_check_reads_every_store_and_names_what_is_damaged(run: Any, home: Home) -> None:
    run("synth", "--name", "a", "--samples", "20")
    run("synth", "--name", "b", "--samples", "20")

    whole = run("check")
    file = home.data / "b" / "valid.audio.npy"
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    damaged = run("check")

    assert whole.code == 0
    assert [line.split(":")[0] for line in whole.out.splitlines()] == ["a", "b"]
    assert damaged.code == 3
    assert "`b` is damaged: `valid.audio.npy`" in damaged.err
    assert damaged.out.startswith("a: ")


def test_a_label_file_is_imported_with_arrays_by_id(run: Any, tmp_path: Path) -> None:
    labels = write_labels(tmp_path)
    np.savez(tmp_path / "a.npz", **{name: np.ones((2, 3)) for name in IDS})  # type: ignore[arg-type]

    alone = run("import", str(labels), "--name", "text")
    joined = run("import", str(labels), "--name", "both", "--vision", str(tmp_path / "a.npz"))
    listed = run("list")
    shown = run("show", "text")

    assert alone.code == joined.code == 0, joined.err
    rows = {line.split()[0]: line.split() for line in listed.out.splitlines()}
    assert rows["text"][5:7] == ["-", "-"]
    assert rows["both"][5:7] == ["-", "3"]
    assert "features     none: text only" in shown.out


def test_options_that_do_not_fit_the_file_are_told(run: Any, tmp_path: Path) -> None:
    path = write_pickle(tmp_path, make_content())

    mixed = run("import", str(path), "--name", "x", "--audio", "a.npz")
    unknown = run("import", str(path), "--name", "x", "--max-memory", "much")
    little = run("import", str(path), "--name", "x", "--max-memory", "2k")

    assert (mixed.code, unknown.code, little.code) == (2, 2, 3)
    assert "belong to a label.csv" in mixed.err
    assert "`--max-memory` is `much`" in unknown.err
    assert "--max-memory" in little.err
