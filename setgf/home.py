"""Where everything lives: one folder, named by `SETGF_HOME`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

HOME_VARIABLE = "SETGF_HOME"
DATABASE_VARIABLE = "SETGF_DATABASE_URL"


@dataclass(frozen=True, slots=True)
class Home:
    """The folder that holds the run database, the feature stores and the run folders."""

    root: Path

    @property
    def data(self) -> Path:
        """Folder of the feature stores, one folder a store."""
        return self.root / "data"

    @property
    def runs(self) -> Path:
        """Folder of the run folders, one a run."""
        return self.root / "runs"

    @property
    def workers(self) -> Path:
        """Folder of worker logs and locks."""
        return self.root / "workers"

    @property
    def cache(self) -> Path:
        """Folder of what can be computed again."""
        return self.root / "cache"

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the run database: `SETGF_DATABASE_URL`, else a file in this folder."""
        return os.environ.get(DATABASE_VARIABLE) or f"sqlite:///{self.root / 'setgf.db'}"


def find_home() -> Home:
    """Return the home named by `SETGF_HOME`, else the platform's user data folder."""
    named = os.environ.get(HOME_VARIABLE)
    if named:
        return Home(Path(named).expanduser().absolute())
    from platformdirs import user_data_path  # loaded only when the variable is not set

    return Home(user_data_path("setgf", appauthor=False))
