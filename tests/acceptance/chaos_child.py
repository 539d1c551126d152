"""The stub child, with the exit code of the real one when its run folder can't be written."""

from __future__ import annotations

import sys

from setgf.errors import RunFolderError
from setgf.worker.shim import EXIT_DISK_FULL
from tests.worker import stub_child


def main() -> int:
    """Train without torch; returns the exit code."""
    try:
        return stub_child.main()
    except RunFolderError:
        return EXIT_DISK_FULL


if __name__ == "__main__":
    sys.exit(main())
