"""`setgf worker install` and `uninstall`: a worker that starts with the machine."""

from __future__ import annotations

from typing import Annotated

import typer

from setgf.cli.output import note, say
from setgf.cli.worker_words import gpu_indices, read_hung_after


def install(
    slots: Annotated[
        int | None, typer.Option(min=0, help="CPU jobs at once; default: half the cores.")
    ] = None,
    gpus: Annotated[
        str | None, typer.Option(help="GPUs to give out: 0,1; none; default: all it can see.")
    ] = None,
    share_gpus: Annotated[
        bool, typer.Option("--share-gpus", help="Also GPUs that others' processes use.")
    ] = False,
    hung_after: Annotated[
        str, typer.Option(help="Stop and retry a job without progress for so long; or never.")
    ] = "30m",
    print_only: Annotated[
        bool, typer.Option("--print", help="Print the systemd unit, and change nothing.")
    ] = False,
) -> None:
    """Install a worker as a systemd user service: it starts with the machine and after a crash.

    Stopping the service leaves running jobs alone; the next worker adopts them.

    Example: setgf worker install --slots 2
    """
    from setgf.home import find_home
    from setgf.worker import install as units

    gpu_indices(gpus)
    read_hung_after(hung_after)
    home = find_home()
    options = [
        *(("--slots", str(slots)) if slots is not None else ()),
        *(("--gpus", gpus) if gpus is not None else ()),
        *(("--share-gpus",) if share_gpus else ()),
        *(("--hung-after", hung_after) if hung_after != "30m" else ()),
    ]
    if print_only:
        say(units.unit_text(home, options).rstrip())
        return
    path = units.install(home, options)
    say(f"The worker is installed and runs: {path}")
    say("Look at it with `setgf worker status`; remove it with `setgf worker uninstall`.")
    if not units.lingers():
        note("It ends when you log out, until you have said once: loginctl enable-linger")


def uninstall() -> None:
    """Stop the worker's systemd service and remove it; running jobs go on.

    Example: setgf worker uninstall
    """
    from setgf.worker import install as units

    path = units.uninstall()
    say(f"The service is stopped and removed: {path}")
