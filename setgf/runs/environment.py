"""What a run stood on: code, libraries, machine, data. Never the rest of the environment."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from setgf.runs.atomic import write_json
from setgf.runs.folder import RunFolder

LIBRARIES = (
    "setgf",
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "numpy",
    "scipy",
    "sqlalchemy",
)
VARIABLES = (
    "SETGF_HOME",
    "CUDA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
    "CUDA_LAUNCH_BLOCKING",
    "CUBLAS_WORKSPACE_CONFIG",
    "NVIDIA_TF32_OVERRIDE",
    "PYTORCH_CUDA_ALLOC_CONF",
    "OMP_NUM_THREADS",
    "OMP_WAIT_POLICY",
    "OMP_PROC_BIND",
    "OMP_PLACES",
    "OMP_SCHEDULE",
    "OMP_DYNAMIC",
    "OMP_THREAD_LIMIT",
    "OMP_STACKSIZE",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "HF_HUB_OFFLINE",
    "TOKENIZERS_PARALLELISM",
)
"""Those that decide how a run computes, one by one: what merely begins like them may be a secret.
"""
HIDDEN = "***"
MAX_DIFF_BYTES = 1 << 20
GIT_SECONDS = 10.0


def describe_environment(
    *, data_fingerprint: str | None = None, gpu: str | None = None
) -> dict[str, Any]:
    """Return the environment of this process as plain JSON data.

    Args:
        data_fingerprint: of the feature store the run reads.
        gpu: model of the GPU in use; None on the CPU.
    """
    return {
        "code": describe_code(Path(__file__).parents[2]),
        "python": platform.python_version(),
        "executable": sys.executable,
        "libraries": _library_versions(),
        "host": platform.node(),
        "cpu": _cpu_model(),
        "cpu_count": os.cpu_count(),
        "gpu": gpu,
        "os": platform.platform(),
        "data_fingerprint": data_fingerprint,
        "variables": allowed_variables(),
    }


def write_environment(
    run: RunFolder, *, data_fingerprint: str | None = None, gpu: str | None = None
) -> None:
    """Store the environment of this process in the run folder."""
    described = describe_environment(data_fingerprint=data_fingerprint, gpu=gpu)
    write_json(run.environment, described)


def describe_code(folder: Path) -> dict[str, Any]:
    """Return commit, dirtiness and diff of the work tree that holds `folder`; nulls without one."""
    unknown = {"commit": None, "dirty": False, "diff": ""}
    if not (folder / ".git").exists():
        return unknown
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return unknown
    diff = _git(folder, "diff", "HEAD", "--no-color", "--no-ext-diff") or ""
    status = _git(folder, "status", "--porcelain", "--untracked-files=no") or ""
    if len(diff) > MAX_DIFF_BYTES:
        diff = diff[:MAX_DIFF_BYTES] + "\n(cut here: the diff is larger than 1 MiB)\n"
    return {"commit": commit.strip(), "dirty": bool(status.strip()), "diff": diff}


def allowed_variables() -> dict[str, str]:
    """Return the environment variables that decide how a run computes."""
    return {
        name: without_passwords(os.environ[name])
        for name in sorted(VARIABLES)
        if name in os.environ
    }


def command_line() -> tuple[str, ...]:
    """Return the command that runs, as it may be stored: without the passwords of URLs."""
    return ("setgf", *map(without_passwords, sys.argv[1:]))


def without_passwords(text: str) -> str:
    """Return text in which no URL has a password.

    >>> without_passwords("--db=postgresql://ada:se/c:ret@host/runs?sslpassword=secret")
    '--db=postgresql://ada:***@host/runs?sslpassword=***'
    """
    hidden = re.sub(r"(?<=://)([^/@:\s]*):\S*@", rf"\1:{HIDDEN}@", text)
    return re.sub(r"(?i)(\w*(?:password|passwd|secret|token)=)[^&\s]*", rf"\1{HIDDEN}", hidden)


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints, or None where it can't answer."""
    try:
        result = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            timeout=GIT_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.decode("utf-8", "replace") if result.returncode == 0 else None


def _library_versions() -> dict[str, str]:
    from importlib import metadata  # slow to load, and queueing a job has no use for it

    versions: dict[str, str] = {}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())
