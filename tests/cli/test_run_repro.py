"""`setgf runs repro`: the script is run, with stand-ins for pip and training."""

import json
import os
import subprocess
import tomllib

import pytest

from setgf.config import build_config, config_from_dict
from setgf.terms import Dataset
from tests.cli.command import run_setgf
from tests.cli.run_folders import make_run

STAND_IN = """#!/bin/sh
# In place of python3: makes a .venv whose commands say what they were asked.
mkdir -p .venv/bin
for name in pip setgf python; do
  printf '#!/bin/sh\\nfor word in "$0" "$@"; do printf "%%s\\\\0" "$word"; done >> "$SAID"\\n' \\
    > ".venv/bin/$name"
  chmod +x ".venv/bin/$name"
done
"""


@pytest.fixture
def clone(tmp_path):
    """A repository with one commit and what `git diff` says of a change to it."""
    folder = tmp_path / "clone"
    folder.mkdir()

    def git(*arguments):
        return subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@x", *arguments],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    git("init", "-q")
    (folder / "model.py").write_text("width = 1\n")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    commit = git("rev-parse", "HEAD").strip()
    (folder / "model.py").write_text("width = 2\nPATCH\n")
    diff = git("diff", "HEAD")
    git("checkout", "-q", "--", ".")
    (folder / "later").write_text("x")
    git("add", ".")
    git("commit", "-q", "-m", "second")
    return folder, commit, diff


def run_script(script, clone, tmp_path):
    """Run a script in the clone; return what the stand-ins were asked."""
    stand_in = tmp_path / "python-stand-in"
    stand_in.write_text(STAND_IN)
    stand_in.chmod(0o755)
    said = tmp_path / "said"
    path = tmp_path / "again.sh"
    path.write_text(script, encoding="utf-8")
    subprocess.run(
        ["sh", str(path), str(clone), str(tmp_path / "again")],
        check=True,
        env={**os.environ, "PYTHON": str(stand_in), "SAID": str(said)},
        capture_output=True,
    )
    return said.read_bytes().decode().split("\0")[:-1]


def test_the_script_makes_code_libraries_settings_and_the_run(clone, tmp_path):
    folder, commit, diff = clone
    environment = {
        "code": {"commit": commit, "dirty": True, "diff": diff},
        "python": "3.11.2",
        "libraries": {"torch": "2.13.0+cpu", "setgf": "0.1.0"},
        "variables": {"OMP_NUM_THREADS": "1", "SETGF_HOME": "/elsewhere"},
        "data_fingerprint": "f1",
    }
    name = "a'b\"c\n$(touch hacked) `x`; \\ 名"
    settings = {"optim.lr": 0.00212345678901, "max_epochs": 3, "text.encoder": 'a\\b "c" 名'}
    make_run("aaaaaaaa", name=name, settings=settings, environment=environment)

    script = run_setgf("runs", "repro", "aaaa").out
    said = run_script(script, folder, tmp_path)

    again = tmp_path / "again"
    assert (again / "model.py").read_text() == "width = 2\nPATCH\n"
    assert not (again / "later").exists()
    assert said[said.index("install") :][:5] == ["install", "--quiet", "torch==2.13.0", "-e", "."]
    assert said[said.index("show") :][:3] == ["show", "demo", "--json"]
    assert "f1" in said
    train = said[said.index("train") :]
    assert train[-1] == name
    assert train[:7] == ["train", "--data", "demo", "--model", "setgf", "--seed", "1111"]
    config = config_from_dict(tomllib.loads((again / "aaaaaaaa.toml").read_text("utf-8")))
    all_settings = {"data.name": "demo", "model.name": "setgf", "seed": 1111, **settings}
    made = build_config(dataset=Dataset.MOSI, settings=all_settings)
    assert config.fingerprint == made.fingerprint
    assert "export OMP_NUM_THREADS=1" in script
    assert "/elsewhere" not in script
    assert not list(tmp_path.rglob("hacked"))


def test_without_a_commit_it_says_so(clone, tmp_path):
    make_run("aaaaaaaa")

    script = run_setgf("runs", "repro", "aaaa").out

    assert "# The commit was not recorded" in script
    assert run_script(script, clone[0], tmp_path)


def test_changes_that_were_cut_stop_the_script():
    diff = "+x\n(cut here: the diff is larger than 1 MiB)\n"
    make_run("aaaaaaaa", environment={"code": {"commit": "a" * 40, "dirty": True, "diff": diff}})

    script = run_setgf("runs", "repro", "aaaa").out

    assert "too large to be recorded in full" in script
    assert "exit 1" in script


def test_what_it_measured_stands_in_the_script():
    make_run("aaaaaaaa", metrics={"test.mae": 2 / 3})

    assert f"# It measured: test.mae {2 / 3!r}" in run_setgf("runs", "repro", "aaaa").out


def test_a_run_of_other_settings_is_refused(home):
    folder = make_run("aaaaaaaa")
    path = folder.path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "imported": {"kind": "x"}}))
    for file in home.glob("setgf.db*"):
        file.unlink()
    assert run_setgf("db", "rebuild").code == 0

    outcome = run_setgf("runs", "repro", "aaaa")

    assert outcome.code == 2
    assert "Run aaaaaaaa can't be made again by this setgf" in outcome.err
    assert outcome.out == ""
