"""Where events come from, and how deep chains of runs are"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('event', sa.Column('source', sa.Text(), nullable=True))
    op.add_column('event', sa.Column('external_id', sa.Text(), nullable=True))
    op.create_unique_constraint(
        op.f('uq_event_workspace_id_source_external_id'),
        'event',
        ['workspace_id', 'source', 'external_id'],
    )
    op.add_column('run', sa.Column('depth', sa.Integer(), server_default='0', nullable=False))
