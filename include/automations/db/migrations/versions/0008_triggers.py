"""Webhook URLs, raw deliveries, and since when schedules are in force"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('event', sa.Column('raw', sa.LargeBinary(), nullable=True))
    op.add_column('workflow', sa.Column('webhook_token', sa.Text(), nullable=True))
    op.create_unique_constraint(
        op.f('uq_workflow_webhook_token'), 'workflow', ['webhook_token']
    )
    op.add_column(
        'workflow_version',
        sa.Column('scheduled_since', sa.DateTime(timezone=True), nullable=True),
    )
