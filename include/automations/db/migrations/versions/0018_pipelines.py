"""Pipelines: connections and their runs"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0018'
down_revision = '0017'
branch_labels = None
depends_on = None

KINDS = (
    'match_event', 'start_run', 'answer_wait', 'ask_approvers', 'remind_approvers',
    'escalate_wait', 'send_form', 'fail_run', 'retry_run', 'wake_parent', 'retry_latest',
    'report_failure', 'admit_run', 'next_run', 'end_debounce', 'sync_pipeline',
    'schedule_pipeline',
)


def upgrade() -> None:
    op.create_table(
        'pipeline_connection',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('connector_type', sa.Text(), nullable=False),
        sa.Column('config', postgresql.JSONB(), nullable=False),
        sa.Column('tables', postgresql.JSONB(), nullable=False),
        sa.Column('interval', sa.Text(), nullable=True),
        sa.Column('enabled', sa.Boolean(), server_default=sa.text('true'), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.CheckConstraint("connector_type IN ('push', 'http')", name=op.f('ck_pipeline_connection_connector_type')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_pipeline_connection_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_pipeline_connection')),
        sa.UniqueConstraint('workspace_id', 'name', name=op.f('uq_pipeline_connection_workspace_id_name')),
    )
    op.create_table(
        'pipeline_run',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('connection_id', sa.Text(), nullable=False),
        sa.Column('status', sa.Text(), server_default='RUNNING', nullable=False),
        sa.Column('way', sa.Text(), nullable=False),
        sa.Column('key', sa.Text(), nullable=True),
        sa.Column('pages', sa.Integer(), server_default='0', nullable=False),
        sa.Column('fence', sa.Integer(), server_default='0', nullable=False),
        sa.Column('cursor', sa.Text(), nullable=True),
        sa.Column('records', sa.Integer(), server_default='0', nullable=False),
        sa.Column('tables', postgresql.JSONB(), nullable=False),
        sa.Column('errors', postgresql.JSONB(), nullable=False),
        sa.Column('error', sa.Text(), nullable=True),
        sa.Column('started_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('completed_at', sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('RUNNING', 'COMPLETED', 'FAILED', 'STOPPED')", name=op.f('ck_pipeline_run_status')),
        sa.CheckConstraint("way IN ('push', 'pull', 'schedule', 'airflow')", name=op.f('ck_pipeline_run_way')),
        sa.ForeignKeyConstraint(['connection_id'], ['pipeline_connection.id'], name=op.f('fk_pipeline_run_connection_id'), ondelete='CASCADE'),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_pipeline_run_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_pipeline_run')),
    )
    op.create_index('ix_pipeline_run_connection_id_started_at_id', 'pipeline_run', ['connection_id', 'started_at', 'id'])
    op.create_index('uq_pipeline_run_connection_id_key', 'pipeline_run', ['connection_id', 'key'], unique=True, postgresql_where=sa.text("status = 'RUNNING'"))
    op.create_index('ix_data_row_unhashed', 'data_row', ['table_id'], postgresql_where=sa.text('key_hash IS NULL'))
    op.drop_constraint(op.f('ck_job_kind'), 'job')
    listed = ', '.join(f"'{kind}'" for kind in KINDS)
    op.create_check_constraint(op.f('ck_job_kind'), 'job', f'kind IN ({listed})')
