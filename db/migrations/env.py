"""Alembic's entry: migrates the connection that `db.migrations.upgrade` hands over."""

from __future__ import annotations

from typing import cast

from alembic import context
from sqlalchemy import Connection

from db.tables import metadata

context.configure(
    connection=cast(Connection, context.config.attributes["connection"]),
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
