"""Tab in bash and zsh, by the protocol the shells speak: nothing but words, and never an error."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from setgf.home import Home
from tests.cli.queue_home import add, finish, make_store, start, worker
from tests.cli.stored import store_run

ENTRY = "import sys; sys.argv[0] = 'setgf'; from setgf.cli.main import main; main()"


def complete(shell: str, line: str) -> subprocess.CompletedProcess[str]:
    """Ask as the shell's own script does; the last word of `line` is the one being typed."""
    words = line.split(" ")
    asked = {"_SETGF_COMPLETE": f"complete_{shell}"}
    if shell == "bash":
        asked |= {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    else:
        asked |= {"_TYPER_COMPLETE_ARGS": line}
    return subprocess.run(
        [sys.executable, "-c", ENTRY], env={**os.environ, **asked}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def bash(line: str) -> list[str]:
    found = complete("bash", line)
    assert found.stderr == ""
    return found.stdout.split("\n")[:-1] if found.stdout.strip() else []


@pytest.fixture
def queue(home: Path) -> Path:
    """Jobs 1 (succeeded), 2 and 3 (queued, of group `night`), and two runs."""
    make_store(home)
    add()
    worker(home)
    start(home, 1)
    finish(home, 1)
    add("--seeds", "2-3", "--group", "night")
    store_run("bbbbbbbb")
    return home


def test_bash_is_offered_what_the_database_holds(queue: Path) -> None:
    assert bash("setgf queue cancel ") == ["3", "2", "1", "group:night"]
    assert bash("setgf queue show 2") == ["2"]
    assert bash("setgf queue hold 2 group : ni") == ["night"]
    assert bash("setgf queue list --group ") == ["night"]
    assert bash("setgf queue groups n") == ["night"]
    assert "bbbbbbbb" in bash("setgf runs show ")
    assert bash("setgf runs show bb") == ["bbbbbbbb"]
    assert bash("setgf eval bb") == ["bbbbbbbb"]


def test_bash_is_offered_the_words_of_the_package(queue: Path) -> None:
    assert bash("setgf queue add --data ") == ["small"]
    assert bash("setgf queue add --model setgf,tex") == ["setgf,text_only"]
    assert "mosi" in bash("setgf queue add --preset ")
    assert bash("setgf queue add --set train.pat") == ["train.patience=", "train.patience=8"]
    assert "patience=" not in bash("setgf queue add --grid ")
    assert bash("setgf queue add --grid pati") == ["patience=", "patience=8"]
    assert bash("setgf que") == ["queue"]


def test_zsh_is_offered_ids_with_their_names(queue: Path) -> None:
    found = complete("zsh", "setgf queue cancel ")

    assert found.stderr == ""
    assert '"3":"setgf small 3, queued"' in found.stdout
    assert r'"group\\:night":"seeds"' in found.stdout


def test_names_of_others_run_nothing_in_a_shell(queue: Path) -> None:
    add("--seeds", 8, "--name", "x'; touch /tmp/x; echo '$(id)`id`", "--group", "a'$(id)")

    found = complete("zsh", "setgf queue cancel ").stdout

    about = found.partition("_arguments")[2]
    assert about.count("'") == 2  # those of `_arguments` itself
    assert "$" not in about
    assert "`" not in about


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_without_a_database_nothing_is_offered_and_nothing_made(home: Path, shell: str) -> None:
    for line in ("setgf queue cancel ", "setgf runs show ", "setgf queue add --data "):
        found = complete(shell, line)
        assert found.stderr == ""
        assert found.stdout.strip() in ("", "_files")
    assert list(home.iterdir()) == []


def test_a_database_that_can_not_be_read_offers_nothing(home: Path) -> None:
    home.mkdir(exist_ok=True)
    Path(Home(home).root / "setgf.db").write_text("this is no database" * 100)

    assert bash("setgf queue cancel ") == []


def test_the_home_that_is_typed_is_asked(queue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SETGF_HOME", str(queue / "elsewhere"))

    assert bash(f"setgf --home {queue} queue show 2") == ["2"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_a_real_bash_completes_with_the_script_we_show(queue: Path, tmp_path: Path) -> None:
    program = tmp_path / "setgf"
    program.write_text(f"#!{sys.executable}\n{ENTRY}\n")
    program.chmod(0o755)
    shown = subprocess.run(
        [program], env={**os.environ, "_SETGF_COMPLETE": "source_bash"}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    ask = (
        f"{shown.stdout}\n"
        'COMP_WORDS=(setgf queue hold ""); COMP_CWORD=3\n'
        f"PATH={tmp_path}:$PATH _setgf_completion {program}\n"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )

    found = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True)

    assert found.stdout.split() == ["3", "2", "1", "group:night"]
