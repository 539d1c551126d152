"""The schema's versions. The number is SQLite's `user_version` too: read without alembic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection

SCHEMA_VERSION = 4
"""Version this code reads and writes; revision ids are the same number with four digits."""


def upgrade(connection: Connection) -> None:
    """Bring the schema to `SCHEMA_VERSION` inside the transaction of `connection`."""
    from alembic import command  # loaded only to migrate
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, f"{SCHEMA_VERSION:04}")
