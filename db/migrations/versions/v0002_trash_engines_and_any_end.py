"""Runs go to the trash, attempts name their engine, jobs wait for any end; wide integers."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

WIDE = {
    "artifacts": ("size",),
    "attempts": ("pid_start", "points_offset", "events_offset"),
    "checkpoints": ("size",),
    "jobs": ("seed",),
    "runs": ("seed", "parameters"),
    "workers": ("pid_start",),
}


def upgrade() -> None:
    """Add the columns; on PostgreSQL widen what can pass two thousand million."""
    op.add_column("runs", sa.Column("trashed_at", sa.Double(), nullable=True))
    op.add_column(
        "attempts", sa.Column("engine", sa.String(), server_default="local", nullable=False)
    )
    op.add_column("attempts", sa.Column("engine_ref", sa.String(), nullable=True))
    op.execute(
        "ALTER TABLE job_dependencies ADD COLUMN kind VARCHAR DEFAULT 'ok' NOT NULL "
        "CONSTRAINT ck_job_dependencies_kind CHECK (kind IN ('ok', 'any'))"
    )
    if op.get_bind().dialect.name == "postgresql":
        for table, names in WIDE.items():
            for name in names:
                op.execute(f"ALTER TABLE {table} ALTER COLUMN {name} TYPE BIGINT")
