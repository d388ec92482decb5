"""Webhooks of pipeline connections, and what they have delivered"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0025'
down_revision = '0024'
branch_labels = None
depends_on = None

WAYS = ('push', 'pull', 'schedule', 'airflow')


def upgrade() -> None:
    op.add_column('pipeline_connection', sa.Column('webhook_salt', sa.Text(), nullable=True))
    op.add_column('pipeline_connection', sa.Column('webhook_hash', sa.Text(), nullable=True))
    op.create_unique_constraint(op.f('uq_pipeline_connection_webhook_hash'), 'pipeline_connection', ['webhook_hash'])
    op.add_column('pipeline_run', sa.Column('delivery_id', sa.Text(), nullable=True))
    op.add_column('pipeline_run', sa.Column('again', sa.Boolean(), server_default=sa.text('false'), nullable=False))
    op.create_index(
        'uq_pipeline_run_connection_id_delivery_id', 'pipeline_run', ['connection_id', 'delivery_id'],
        unique=True, postgresql_where=sa.text('delivery_id IS NOT NULL'),
    )
    _ways(*WAYS, 'webhook')


def downgrade() -> None:
    op.execute("UPDATE pipeline_run SET way = CASE key WHEN 'pull' THEN 'pull' ELSE 'push' END WHERE way = 'webhook'")
    _ways(*WAYS)
    op.drop_index('uq_pipeline_run_connection_id_delivery_id', table_name='pipeline_run')
    op.drop_column('pipeline_run', 'again')
    op.drop_column('pipeline_run', 'delivery_id')
    op.drop_constraint(op.f('uq_pipeline_connection_webhook_hash'), 'pipeline_connection')
    op.drop_column('pipeline_connection', 'webhook_hash')
    op.drop_column('pipeline_connection', 'webhook_salt')


def _ways(*ways: str) -> None:
    op.drop_constraint(op.f('ck_pipeline_run_way'), 'pipeline_run')
    listed = ', '.join(f"'{way}'" for way in ways)
    op.create_check_constraint(op.f('ck_pipeline_run_way'), 'pipeline_run', f'way IN ({listed})')
