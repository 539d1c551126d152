"""Run every benchmark, or those named."""

import importlib
import pkgutil
import sys

from tests import benchmarks
from tests.benchmarks.table import heading


def main() -> None:
    known = [m.name for m in pkgutil.iter_modules(benchmarks.__path__) if m.name != "__main__"]
    parts = (
        "table",
        "trackers_adapter",
        "listing",
        "terminal",
        "dashboard_data",
        "peer_data",
        "train_worker",
    )
    runnable = [name for name in known if name not in parts]
    wanted = sys.argv[1:] or runnable
    unknown = [name for name in wanted if name not in runnable]
    if unknown:
        sys.exit(f"No benchmark {', '.join(unknown)}. Known: {', '.join(runnable)}.")
    for name in wanted:
        module = importlib.import_module(f"tests.benchmarks.{name}")
        heading(name, module.__doc__ or "")
        module.main()


if __name__ == "__main__":
    main()
