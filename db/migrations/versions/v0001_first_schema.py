"""The first schema: queue, runs, metrics, files, presence, events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    op.create_table('events',
    sa.Column('id', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('at', sa.Double(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('job_id', sa.Integer(), nullable=True),
    sa.Column('run_id', sa.String(), nullable=True),
    sa.Column('attempt', sa.Integer(), nullable=True),
    sa.Column('from_state', sa.String(), nullable=True),
    sa.Column('to_state', sa.String(), nullable=True),
    sa.Column('why', sa.String(), nullable=False),
    sa.Column('actor', sa.String(), nullable=False),
    sa.CheckConstraint("kind IN ('job', 'run', 'worker', 'command')", name=op.f('ck_events_kind')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_events')),
    sqlite_autoincrement=True
    )
    op.create_index(op.f('ix_events_job_id'), 'events', ['job_id'], unique=False)
    op.create_index(op.f('ix_events_run_id'), 'events', ['run_id'], unique=False)
    op.create_table('groups',
    sa.Column('id', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('created_at', sa.Double(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_groups')),
    sqlite_autoincrement=True
    )
    op.create_index(op.f('ix_groups_name'), 'groups', ['name'], unique=True)
    op.create_table('settings',
    sa.Column('run_id', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('text', sa.String(), nullable=False),
    sa.Column('number', sa.Double(), nullable=True),
    sa.PrimaryKeyConstraint('run_id', 'name', name=op.f('pk_settings')),
    sqlite_with_rowid=False
    )
    op.create_index(op.f('ix_settings_name'), 'settings', ['name'], unique=False)
    op.create_table('tags',
    sa.Column('run_id', sa.String(), nullable=False),
    sa.Column('tag', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('run_id', 'tag', name=op.f('pk_tags')),
    sqlite_with_rowid=False
    )
    op.create_index(op.f('ix_tags_tag'), 'tags', ['tag'], unique=False)
    op.create_table('workers',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('host', sa.String(), nullable=False),
    sa.Column('boot_id', sa.String(), nullable=False),
    sa.Column('pid', sa.Integer(), nullable=False),
    sa.Column('pid_start', sa.Integer(), nullable=False),
    sa.Column('version', sa.String(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('started_at', sa.Double(), nullable=False),
    sa.Column('heartbeat_at', sa.Double(), nullable=False),
    sa.CheckConstraint("state IN ('alive', 'stopped')", name=op.f('ck_workers_state')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_workers'))
    )
    op.create_table('devices',
    sa.Column('worker_id', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('model', sa.String(), nullable=False),
    sa.Column('memory_mib', sa.Integer(), nullable=False),
    sa.Column('memory_used_mib', sa.Integer(), nullable=False),
    sa.Column('utilisation', sa.Double(), nullable=False),
    sa.CheckConstraint("kind IN ('cpu', 'gpu')", name=op.f('ck_devices_kind')),
    sa.ForeignKeyConstraint(['worker_id'], ['workers.id'], name=op.f('fk_devices_worker_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('worker_id', 'name', name=op.f('pk_devices'))
    )
    op.create_table('jobs',
    sa.Column('id', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('run_id', sa.String(), nullable=False),
    sa.Column('group_id', sa.Integer(), nullable=True),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.Column('priority', sa.Integer(), nullable=False),
    sa.Column('position', sa.Double(), nullable=False),
    sa.Column('not_before', sa.Double(), nullable=True),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('max_attempts', sa.Integer(), nullable=False),
    sa.Column('allowance', sa.Integer(), nullable=False),
    sa.Column('config', sa.JSON(), nullable=False),
    sa.Column('fingerprint', sa.String(), nullable=False),
    sa.Column('variant', sa.String(), nullable=False),
    sa.Column('dataset', sa.String(), nullable=False),
    sa.Column('data_name', sa.String(), nullable=False),
    sa.Column('model', sa.String(), nullable=False),
    sa.Column('seed', sa.Integer(), nullable=False),
    sa.Column('gpus', sa.Double(), nullable=False),
    sa.Column('max_epochs', sa.Integer(), nullable=False),
    sa.Column('command', sa.JSON(), nullable=False),
    sa.Column('created_at', sa.Double(), nullable=False),
    sa.Column('started_at', sa.Double(), nullable=True),
    sa.Column('finished_at', sa.Double(), nullable=True),
    sa.Column('worker_id', sa.String(), nullable=True),
    sa.Column('lease_until', sa.Double(), nullable=True),
    sa.Column('lease_boot_id', sa.String(), nullable=True),
    sa.Column('lease_boot_until', sa.Double(), nullable=True),
    sa.Column('error', sa.String(), nullable=True),
    sa.CheckConstraint("state IN ('held', 'queued', 'starting', 'running', 'stopping', 'paused', 'succeeded', 'failed', 'cancelled', 'lost')", name=op.f('ck_jobs_state')),
    sa.ForeignKeyConstraint(['group_id'], ['groups.id'], name=op.f('fk_jobs_group_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_jobs')),
    sa.UniqueConstraint('run_id', name=op.f('uq_jobs_run_id')),
    sqlite_autoincrement=True
    )
    op.create_index(op.f('ix_jobs_group_id'), 'jobs', ['group_id'], unique=False)
    op.create_index('ix_jobs_live', 'jobs', ['lease_until'], unique=False, sqlite_where=sa.text("state IN ('starting', 'running', 'stopping')"), postgresql_where=sa.text("state IN ('starting', 'running', 'stopping')"))
    op.create_index('ix_jobs_queued', 'jobs', [sa.literal_column('priority DESC'), 'position', 'id'], unique=False, sqlite_where=sa.text("state = 'queued'"), postgresql_where=sa.text("state = 'queued'"))
    op.create_table('samples',
    sa.Column('worker_id', sa.String(), nullable=False),
    sa.Column('device', sa.String(), nullable=False),
    sa.Column('at', sa.Double(), nullable=False),
    sa.Column('utilisation', sa.Double(), nullable=False),
    sa.Column('memory_used_mib', sa.Double(), nullable=False),
    sa.ForeignKeyConstraint(['worker_id'], ['workers.id'], name=op.f('fk_samples_worker_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('worker_id', 'device', 'at', name=op.f('pk_samples')),
    sqlite_with_rowid=False
    )
    op.create_table('attempts',
    sa.Column('run_id', sa.String(), nullable=False),
    sa.Column('number', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('job_id', sa.Integer(), nullable=True),
    sa.Column('worker_id', sa.String(), nullable=True),
    sa.Column('host', sa.String(), nullable=False),
    sa.Column('boot_id', sa.String(), nullable=False),
    sa.Column('pid', sa.Integer(), nullable=True),
    sa.Column('pid_start', sa.Integer(), nullable=True),
    sa.Column('devices', sa.JSON(), nullable=False),
    sa.Column('started_at', sa.Double(), nullable=False),
    sa.Column('ended_at', sa.Double(), nullable=True),
    sa.Column('outcome', sa.String(), nullable=True),
    sa.Column('exit_code', sa.Integer(), nullable=True),
    sa.Column('failure_class', sa.String(), nullable=True),
    sa.Column('error', sa.String(), nullable=True),
    sa.Column('resume_step', sa.Integer(), nullable=True),
    sa.Column('log_path', sa.String(), nullable=False),
    sa.Column('points_offset', sa.Integer(), nullable=False),
    sa.Column('events_offset', sa.Integer(), nullable=False),
    sa.CheckConstraint("failure_class IN ('error', 'config', 'data', 'diverged', 'out_of_memory', 'disk_full', 'killed', 'lost')", name=op.f('ck_attempts_failure_class')),
    sa.CheckConstraint("outcome IN ('succeeded', 'failed', 'cancelled', 'lost', 'paused')", name=op.f('ck_attempts_outcome')),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_attempts_job_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('run_id', 'number', name=op.f('pk_attempts'))
    )
    op.create_index(op.f('ix_attempts_job_id'), 'attempts', ['job_id'], unique=False)
    op.create_table('commands',
    sa.Column('id', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('job_id', sa.Integer(), nullable=True),
    sa.Column('worker_id', sa.String(), nullable=True),
    sa.Column('verb', sa.String(), nullable=False),
    sa.Column('arguments', sa.JSON(), nullable=False),
    sa.Column('actor', sa.String(), nullable=False),
    sa.Column('created_at', sa.Double(), nullable=False),
    sa.Column('handled_at', sa.Double(), nullable=True),
    sa.Column('result', sa.String(), nullable=True),
    sa.CheckConstraint("verb IN ('cancel', 'stop_worker')", name=op.f('ck_commands_verb')),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_commands_job_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_commands')),
    sqlite_autoincrement=True
    )
    op.create_index(op.f('ix_commands_job_id'), 'commands', ['job_id'], unique=False)
    op.create_index('ix_commands_pending', 'commands', ['id'], unique=False, sqlite_where=sa.text('handled_at IS NULL'), postgresql_where=sa.text('handled_at IS NULL'))
    op.create_table('device_leases',
    sa.Column('scope', sa.String(), nullable=False),
    sa.Column('device', sa.String(), nullable=False),
    sa.Column('worker_id', sa.String(), nullable=False),
    sa.Column('job_id', sa.Integer(), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('taken_at', sa.Double(), nullable=False),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_device_leases_job_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('scope', 'device', name=op.f('pk_device_leases'))
    )
    op.create_index(op.f('ix_device_leases_job_id'), 'device_leases', ['job_id'], unique=False)
    op.create_table('job_dependencies',
    sa.Column('job_id', sa.Integer(), nullable=False),
    sa.Column('depends_on', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['depends_on'], ['jobs.id'], name=op.f('fk_job_dependencies_depends_on'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_job_dependencies_job_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('job_id', 'depends_on', name=op.f('pk_job_dependencies')),
    sqlite_with_rowid=False
    )
    op.create_index(op.f('ix_job_dependencies_depends_on'), 'job_dependencies', ['depends_on'], unique=False)
    op.create_table('runs',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('job_id', sa.Integer(), nullable=True),
    sa.Column('group_id', sa.Integer(), nullable=True),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('dataset', sa.String(), nullable=False),
    sa.Column('data_name', sa.String(), nullable=False),
    sa.Column('model', sa.String(), nullable=False),
    sa.Column('seed', sa.Integer(), nullable=False),
    sa.Column('fingerprint', sa.String(), nullable=False),
    sa.Column('variant', sa.String(), nullable=False),
    sa.Column('config', sa.JSON(), nullable=False),
    sa.Column('command', sa.JSON(), nullable=False),
    sa.Column('note', sa.String(), nullable=False),
    sa.Column('archived', sa.Boolean(), nullable=False),
    sa.Column('epoch', sa.Integer(), nullable=False),
    sa.Column('max_epochs', sa.Integer(), nullable=False),
    sa.Column('step', sa.Integer(), nullable=False),
    sa.Column('best_epoch', sa.Integer(), nullable=True),
    sa.Column('best_valid', sa.Double(), nullable=True),
    sa.Column('monitor', sa.String(), nullable=False),
    sa.Column('code_commit', sa.String(), nullable=True),
    sa.Column('code_dirty', sa.Boolean(), nullable=False),
    sa.Column('code_diff', sa.String(), nullable=False),
    sa.Column('environment', sa.JSON(), nullable=False),
    sa.Column('data_fingerprint', sa.String(), nullable=True),
    sa.Column('parameters', sa.Integer(), nullable=True),
    sa.Column('host', sa.String(), nullable=True),
    sa.Column('device', sa.String(), nullable=True),
    sa.Column('folder', sa.String(), nullable=False),
    sa.Column('created_at', sa.Double(), nullable=False),
    sa.Column('started_at', sa.Double(), nullable=True),
    sa.Column('finished_at', sa.Double(), nullable=True),
    sa.Column('updated_at', sa.Double(), nullable=False),
    sa.Column('error', sa.String(), nullable=True),
    sa.CheckConstraint("state IN ('held', 'queued', 'starting', 'running', 'stopping', 'paused', 'succeeded', 'failed', 'cancelled', 'lost')", name=op.f('ck_runs_state')),
    sa.ForeignKeyConstraint(['group_id'], ['groups.id'], name=op.f('fk_runs_group_id'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_runs_job_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_runs'))
    )
    op.create_index(op.f('ix_runs_created_at'), 'runs', ['created_at'], unique=False)
    op.create_index(op.f('ix_runs_fingerprint'), 'runs', ['fingerprint'], unique=False)
    op.create_index(op.f('ix_runs_group_id'), 'runs', ['group_id'], unique=False)
    op.create_index(op.f('ix_runs_job_id'), 'runs', ['job_id'], unique=False)
    op.create_table('artifacts',
    sa.Column('run_id', sa.String(), nullable=False),
    sa.Column('attempt', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('path', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('size', sa.Integer(), nullable=False),
    sa.Column('sha256', sa.String(), nullable=False),
    sa.Column('created_at', sa.Double(), nullable=False),
    sa.ForeignKeyConstraint(['run_id'], ['runs.id'], name=op.f('fk_artifacts_run_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('run_id', 'attempt', 'path', name=op.f('pk_artifacts'))
    )
    op.create_table('checkpoints',
    sa.Column('run_id', sa.String(), nullable=False),
    sa.Column('attempt', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('path', sa.String(), nullable=False),
    sa.Column('role', sa.String(), nullable=False),
    sa.Column('epoch', sa.Integer(), nullable=False),
    sa.Column('step', sa.Integer(), nullable=False),
    sa.Column('size', sa.Integer(), nullable=False),
    sa.Column('sha256', sa.String(), nullable=False),
    sa.Column('created_at', sa.Double(), nullable=False),
    sa.CheckConstraint("role IN ('best', 'last')", name=op.f('ck_checkpoints_role')),
    sa.ForeignKeyConstraint(['run_id'], ['runs.id'], name=op.f('fk_checkpoints_run_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('run_id', 'attempt', 'path', name=op.f('pk_checkpoints'))
    )
    op.create_table('final_metrics',
    sa.Column('run_id', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('value', sa.Double(), nullable=True),
    sa.ForeignKeyConstraint(['run_id'], ['runs.id'], name=op.f('fk_final_metrics_run_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('run_id', 'name', name=op.f('pk_final_metrics')),
    sqlite_with_rowid=False
    )
    op.create_index(op.f('ix_final_metrics_name'), 'final_metrics', ['name'], unique=False)
    op.create_table('predictions',
    sa.Column('run_id', sa.String(), nullable=False),
    sa.Column('split', sa.String(), nullable=False),
    sa.Column('position', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('sample_id', sa.String(), nullable=False),
    sa.Column('label', sa.Double(), nullable=True),
    sa.Column('fusion', sa.Double(), nullable=True),
    sa.Column('text', sa.Double(), nullable=True),
    sa.Column('audio', sa.Double(), nullable=True),
    sa.Column('vision', sa.Double(), nullable=True),
    sa.ForeignKeyConstraint(['run_id'], ['runs.id'], name=op.f('fk_predictions_run_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('run_id', 'split', 'position', name=op.f('pk_predictions')),
    sqlite_with_rowid=False
    )
    op.create_table('series',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('run_id', sa.String(), nullable=False),
    sa.Column('split', sa.String(), nullable=False),
    sa.Column('branch', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('first_step', sa.Integer(), nullable=True),
    sa.Column('last', sa.Double(), nullable=True),
    sa.Column('last_step', sa.Integer(), nullable=True),
    sa.Column('last_epoch', sa.Integer(), nullable=True),
    sa.Column('last_time', sa.Double(), nullable=True),
    sa.Column('minimum', sa.Double(), nullable=True),
    sa.Column('minimum_step', sa.Integer(), nullable=True),
    sa.Column('maximum', sa.Double(), nullable=True),
    sa.Column('maximum_step', sa.Integer(), nullable=True),
    sa.Column('num_points', sa.Integer(), nullable=False),
    sa.Column('non_finite', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['run_id'], ['runs.id'], name=op.f('fk_series_run_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_series')),
    sa.UniqueConstraint('run_id', 'split', 'branch', 'name', name=op.f('uq_series_run_id_split_branch_name'))
    )
    op.create_table('points',
    sa.Column('series_id', sa.Integer(), nullable=False),
    sa.Column('attempt', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('step', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('epoch', sa.Integer(), nullable=False),
    sa.Column('value', sa.Double(), nullable=True),
    sa.Column('time', sa.Double(), nullable=False),
    sa.ForeignKeyConstraint(['series_id'], ['series.id'], name=op.f('fk_points_series_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('series_id', 'attempt', 'step', name=op.f('pk_points')),
    sqlite_with_rowid=False
    )
    op.create_table('pyramid',
    sa.Column('series_id', sa.Integer(), nullable=False),
    sa.Column('level', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('bucket', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('minimum', sa.Double(), nullable=True),
    sa.Column('minimum_step', sa.Integer(), nullable=True),
    sa.Column('maximum', sa.Double(), nullable=True),
    sa.Column('maximum_step', sa.Integer(), nullable=True),
    sa.Column('total', sa.Double(), nullable=False),
    sa.Column('num_points', sa.Integer(), nullable=False),
    sa.Column('non_finite', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['series_id'], ['series.id'], name=op.f('fk_pyramid_series_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('series_id', 'level', 'bucket', name=op.f('pk_pyramid')),
    sqlite_with_rowid=False
    )
