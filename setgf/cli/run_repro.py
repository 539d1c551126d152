"""`setgf runs repro`: a shell script that makes a run again."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from setgf.cli.completion import complete_run
from setgf.cli.output import say
from setgf.cli.run_text import show_text

if TYPE_CHECKING:
    from db.records import RunDetail

_CUT_MARK = "(cut here: the diff is larger than 1 MiB)"
_COMMIT = re.compile("[0-9a-f]{7,64}")
_PYTHON = re.compile(r"\d+\.\d+")
_KEPT_VARIABLES = ("OMP_", "CUDA_DEVICE_ORDER")
_CHECK_DATA = (
    "import json, sys; found = json.load(sys.stdin)['fingerprint']; "
    "sys.exit(None if found == sys.argv[1] else "
    "f'The data is not the same: its fingerprint is {found}, but was {sys.argv[1]}.')"
)


def reproduce(
    run_id: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="Id of the run, or its first characters.",
            autocompletion=complete_run,
        ),
    ],
) -> None:
    """Print a shell script that makes a run again: its commit, diff, libraries, data, settings.

    Run the script in a clone of the repository; it works in a folder of its own.

    Example: setgf runs repro 4kz2 > again.sh
    """
    from setgf.cli.job_words import ask_queue

    with ask_queue() as query:
        detail = query.detail(run_id)
    _check(detail)
    say("\n".join(script(detail)))


def script(detail: RunDetail) -> Iterator[str]:
    """Yield the lines of the script; what users wrote stands in comments or quotes only."""
    run = detail.run
    yield "#!/bin/sh"
    yield from _comments(detail)
    yield "set -eu"
    yield ""
    yield from _code(detail)
    yield ""
    yield from _libraries(detail)
    yield ""
    yield from _variables(detail.environment.get("variables") or {})
    yield ""
    yield f"# The data: feature store {show_text(run.data_name)}."
    data = shlex.quote(run.data_name)
    if run.data_fingerprint is None:
        yield "# Its fingerprint was not recorded."
    else:
        yield (
            f".venv/bin/setgf data show {data} --json | "
            f".venv/bin/python -c {shlex.quote(_CHECK_DATA)} {shlex.quote(run.data_fingerprint)}"
        )
    yield ""
    yield "# Every setting, and the run."
    yield from _document(f"{run.id}.toml", _toml(run.config), "SETTINGS")
    yield (
        f".venv/bin/setgf train --data {data} --model {shlex.quote(run.model)} "
        f"--seed {run.seed} --preset {run.id}.toml --name {shlex.quote(run.name)}"
    )


def _check(detail: RunDetail) -> None:
    """Refuse a run that this program did not make."""
    from setgf.config import config_from_dict
    from setgf.errors import ConfigError

    try:
        config_from_dict(detail.run.config)
    except ConfigError as error:
        raise ConfigError(
            f"Run {detail.run.id} can't be made again by this setgf: {str(error).splitlines()[0]}"
        ) from error


def _comments(detail: RunDetail) -> Iterator[str]:
    run, environment = detail.run, detail.environment
    facts = {
        f"Makes run {run.id} again": run.name,
        "It was made by": shlex.join(detail.command),
        "On": ", ".join(
            str(environment[name])
            for name in ("host", "os", "cpu", "gpu")
            if environment.get(name) is not None
        ),
        "Config": run.fingerprint,
        "It measured": ", ".join(
            f"{name} {value!r}"
            for name, value in sorted(run.metrics.items())
            if name.startswith("test.") and name.count(".") == 1
        ),
    }
    for name, value in facts.items():
        if value:
            yield f"# {name}: {show_text(value)}"


def _code(detail: RunDetail) -> Iterator[str]:
    run = detail.run
    yield "# The code: $1 is a clone of the repository (default: this folder), $2 a new folder."
    if run.code_commit is None or not _COMMIT.fullmatch(run.code_commit):
        yield "# The commit was not recorded: the code is taken as it is."
        yield f'git -C "${{1:-.}}" worktree add --detach "${{2:-../setgf-{run.id}}}"'
    else:
        yield (
            f'git -C "${{1:-.}}" worktree add --detach "${{2:-../setgf-{run.id}}}" '
            f"{run.code_commit}"
        )
    # git reads the folder from the clone; so does the shell, once it has gone there.
    yield 'cd "${1:-.}"'
    yield f'cd "${{2:-../setgf-{run.id}}}"'
    if not detail.code_diff.strip():
        if run.code_dirty:
            yield "# There were uncommitted changes, which were not recorded."
        return
    if _CUT_MARK in detail.code_diff:
        yield "echo 'The uncommitted changes were too large to be recorded in full.' >&2"
        yield "exit 1"
        return
    yield "# Its uncommitted changes."
    yield from _document(f"{run.id}.patch", detail.code_diff, "PATCH")
    yield f"git apply --whitespace=nowarn {run.id}.patch"


def _libraries(detail: RunDetail) -> Iterator[str]:
    environment = detail.environment
    python = str(environment.get("python") or "")
    short = match[0] if (match := _PYTHON.match(python)) else "3"
    # What a version says of its build (`+cpu`) is known to one index only.
    pinned = [
        shlex.quote(f"{name}=={str(version).partition('+')[0]}")
        for name, version in sorted(dict(environment.get("libraries") or {}).items())
        if name != "setgf"
    ]
    yield f"# The libraries, on Python {show_text(python) or 'of any version'}."
    yield f'"${{PYTHON:-python{short}}}" -m venv .venv'
    yield " ".join((".venv/bin/pip install --quiet", *pinned, "-e ."))


def _variables(variables: Mapping[str, str]) -> Iterator[str]:
    yield "# The variables that decide how it computes; SETGF_HOME is yours."
    for name, value in sorted(variables.items()):
        if name.isidentifier() and name.startswith(_KEPT_VARIABLES):
            yield f"export {name}={shlex.quote(value)}"
    devices = variables.get("CUDA_VISIBLE_DEVICES")
    if devices == "":
        yield "export CUDA_VISIBLE_DEVICES=''"
    elif devices is not None:
        yield f"# It ran on CUDA_VISIBLE_DEVICES={show_text(devices)}."
    yield "export CUBLAS_WORKSPACE_CONFIG=:4096:8"


def _document(name: str, text: str, word: str) -> Iterator[str]:
    """Yield a here-document with a text as it is, whatever stands in it."""
    end = word
    lines = text.split("\n")
    while end in lines:
        end += "_"
    if lines and lines[-1] == "":
        lines.pop()
    yield f"cat > {shlex.quote(name)} <<'{end}'"
    yield from lines
    yield end


def _toml(config: Mapping[str, Any]) -> str:
    """Return nested settings as TOML; strings, numbers, truths and lists of strings."""
    top = [f"{name} = {_value(v)}" for name, v in config.items() if not isinstance(v, Mapping)]
    for section, values in config.items():
        if isinstance(values, Mapping):
            inner = [f"{name} = {_value(v)}" for name, v in values.items()]  # pyright: ignore[reportUnknownVariableType]
            top += ["", f"[{section}]", *inner]
    return "\n".join(top) + "\n"


def _value(value: Any) -> str:
    """Return a value as TOML; JSON's strings, numbers, truths and lists are TOML's too."""
    # TOML knows no surrogates: letters beyond the basic plane stand for themselves.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
