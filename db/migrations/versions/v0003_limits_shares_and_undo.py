"""Limits, memory and shares of jobs, groups with a limit, peaks of memory, undo; new words."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

NEW_COLUMNS = {
    "groups": (
        sa.Column("parallelism", sa.Integer(), nullable=True),
        sa.Column("paused_at", sa.Double(), nullable=True),
    ),
    "jobs": (
        sa.Column("memory_mib", sa.Integer(), nullable=True),
        sa.Column("is_alone", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("time_limit", sa.Double(), nullable=True),
        sa.Column("aim", sa.String(), nullable=True),
        sa.Column("frozen_at", sa.Double(), nullable=True),
        sa.Column("running_seconds", sa.Double(), server_default="0", nullable=False),
        sa.Column("cleared_at", sa.Double(), nullable=True),
        sa.Column("owner", sa.String(), server_default="", nullable=False),
    ),
    "attempts": (
        sa.Column("peak_memory_mib", sa.Integer(), nullable=True),
        sa.Column("peak_gpu_mib", sa.Integer(), nullable=True),
        sa.Column("frozen_seconds", sa.Double(), server_default="0", nullable=False),
    ),
    "device_leases": (sa.Column("share", sa.Double(), server_default="1", nullable=False),),
}
OLD_FAILURES = (
    "'error', 'config', 'data', 'diverged', 'out_of_memory', 'disk_full', 'killed', 'lost'"
)
NEW_FAILURES = (
    "'error', 'config', 'data', 'diverged', 'out_of_memory', 'host_out_of_memory', 'time_limit', "
    "'hung', 'disk_full', 'killed', 'lost'"
)
OLD_VERBS = "'cancel', 'stop_worker'"
NEW_VERBS = "'cancel', 'pause', 'requeue', 'freeze', 'thaw', 'stop_worker'"


def upgrade() -> None:
    """Add tables and columns; let the word columns hold the new words."""
    for table, columns in NEW_COLUMNS.items():
        for column in columns:
            op.add_column(table, column)
    op.create_table(
        "memory_peaks",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("mib", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("measured_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_memory_peaks")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "actions",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("undone_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_actions")),
        sqlite_autoincrement=True,
    )
    if op.get_bind().dialect.name == "postgresql":
        _change_on_postgresql()
    else:
        _remake("attempts", f"failure_class IN ({OLD_FAILURES})", f"failure_class IN ({NEW_FAILURES})")
        _remake("commands", f"verb IN ({OLD_VERBS})", f"verb IN ({NEW_VERBS})")
        _remake("device_leases", "PRIMARY KEY (scope, device)", "PRIMARY KEY (scope, device, job_id)")


def _change_on_postgresql() -> None:
    for table, column, words in (
        ("attempts", "failure_class", NEW_FAILURES),
        ("commands", "verb", NEW_VERBS),
    ):
        name = f"ck_{table}_{column}"
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({column} IN ({words}))")
    op.execute("ALTER TABLE device_leases DROP CONSTRAINT pk_device_leases")
    op.execute(
        "ALTER TABLE device_leases ADD CONSTRAINT pk_device_leases "
        "PRIMARY KEY (scope, device, job_id)"
    )


def _remake(table: str, old: str, new: str) -> None:
    """Make a table anew with another constraint: SQLite changes none in place.

    No other table names these three, so nothing hangs on the old one when it goes.
    """
    bind = op.get_bind()
    made, *indexes = bind.exec_driver_sql(
        f"SELECT sql FROM sqlite_master WHERE tbl_name = '{table}' AND sql IS NOT NULL "
        "ORDER BY type DESC"
    ).scalars()
    if made.count(old) != 1:
        raise ValueError(f"`{table}` has not the constraint `{old}` of schema version 2: {made}")
    columns = ", ".join(
        f'"{row[1]}"' for row in bind.exec_driver_sql(f"PRAGMA table_info({table})")
    )
    bind.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {table}_old")
    for name in bind.exec_driver_sql(
        f"SELECT name FROM sqlite_master WHERE tbl_name = '{table}_old' AND type = 'index' "
        "AND sql IS NOT NULL"
    ).scalars().all():
        bind.exec_driver_sql(f"DROP INDEX {name}")
    bind.exec_driver_sql(made.replace(old, new))
    bind.exec_driver_sql(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {table}_old")
    bind.exec_driver_sql(f"DROP TABLE {table}_old")
    for index in indexes:
        bind.exec_driver_sql(index)
