"""The systemd user unit of a worker: it starts with the machine and again after a crash."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from setgf.errors import WorkerError
from setgf.home import DATABASE_VARIABLE, HOME_VARIABLE, Home, user_name

UNIT = "setgf-worker.service"
COMMAND_SECONDS = 30.0
_MUST_QUOTE = frozenset(" \t\"'\\")


def unit_text(home: Home, options: Sequence[str]) -> str:
    """Return the unit.

    Args:
        home: whose queue the worker serves.
        options: of `setgf worker start`.
    """
    words = [sys.executable, "-m", "setgf.cli.main", "worker", "start", *options]
    command = " ".join(quote(word).replace("$", "$$") for word in words)
    variables = {HOME_VARIABLE: str(home.root)}
    lines = [f"Environment={quote(f'{name}={value}')}" for name, value in variables.items()]
    if os.environ.get(DATABASE_VARIABLE):
        # Units can be read by everybody, and the URL may hold a password: it has a file of its own.
        lines.append(f"EnvironmentFile={escape(str(environment_file()))}")
    return f"""[Unit]
Description=setgf worker for {escape(str(home.root))}
After=default.target

[Service]
Type=exec
ExecStart={command}
{chr(10).join(lines)}
Environment=SETGF_WORKER_DETACHED=1
# Only the worker is stopped: its jobs go on, and the next worker adopts them.
KillMode=process
Restart=on-failure
RestartSec=5
# A usage error or a home that is not ours does not go away by itself.
RestartPreventExitStatus=2
UMask=0077

[Install]
WantedBy=default.target
"""


def install(home: Home, options: Sequence[str]) -> Path:
    """Write the unit, start it now and with every boot; return its file.

    Raises:
        WorkerError: there is no systemd for users here, or it refuses.
    """
    check_bus()
    path = unit_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    url = os.environ.get(DATABASE_VARIABLE)
    if url:
        secret = environment_file()
        secret.parent.mkdir(parents=True, exist_ok=True)
        secret.touch(mode=0o600)
        secret.chmod(0o600)
        value = url.replace("\\", "\\\\").replace('"', '\\"')
        secret.write_text(f'{DATABASE_VARIABLE}="{value}"\n', encoding="utf-8")
    path.write_text(unit_text(home, options), encoding="utf-8")
    _systemctl("daemon-reload")
    _systemctl("enable", "--now", UNIT)
    return path


def uninstall() -> Path:
    """Stop the unit and remove it; running jobs go on. Returns the file that is gone.

    Raises:
        WorkerError: it is not installed, or there is no systemd for users here.
    """
    path = unit_file()
    if not path.exists():
        raise WorkerError(f"No unit is installed: there is no {path}.")
    check_bus()
    _systemctl("disable", "--now", UNIT)
    path.unlink()
    environment_file().unlink(missing_ok=True)
    _systemctl("daemon-reload")
    return path


def check_bus() -> None:
    """Refuse where systemd does not serve this user.

    Raises:
        WorkerError: says what to do instead.
    """
    instead = (
        "Start it with `setgf worker start --detach`, which goes on after you log out, or print "
        "the unit with `setgf worker install --print`."
    )
    if shutil.which("systemctl") is None:
        raise WorkerError(f"This machine has no systemd, so no unit can be installed. {instead}")
    asked = _run("show-environment")  # answered by the user's own systemd, and by nobody else
    if asked.returncode:
        raise WorkerError(
            f"systemd does not serve user `{user_name(os.geteuid())}` here: it says "
            f"`{asked.stderr.strip()}`. {instead}"
        )


def lingers() -> bool:
    """Return True when the user's services run without being logged in."""
    import getpass

    return Path("/var/lib/systemd/linger", getpass.getuser()).exists()


def unit_file() -> Path:
    """Return where the unit of this user is."""
    return _config_folder() / "systemd" / "user" / UNIT


def environment_file() -> Path:
    """Return the private file that holds the database's URL for the unit."""
    return _config_folder() / "setgf" / "worker.env"


def escape(text: str) -> str:
    """Return text in which systemd sees no specifier."""
    return text.replace("%", "%%")


def quote(text: str) -> str:
    """Return a word as a unit file wants it."""
    word = escape(text)
    if not word or _MUST_QUOTE & set(word):
        inner = word.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{inner}"'
    return word


def _config_folder() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")


def _systemctl(*words: str) -> None:
    done = _run(*words)
    if done.returncode:
        raise WorkerError(
            f"`systemctl --user {' '.join(words)}` failed: {done.stderr.strip() or 'no word why'}. "
            f"See `systemctl --user status {UNIT}`."
        )


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    command = ["systemctl", "--user", *words]
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise WorkerError(
            f"`{' '.join(command)}` did not answer within {COMMAND_SECONDS:.0f} seconds."
        ) from None
