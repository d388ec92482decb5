"""Ready jobs are found by kind, so that those which must wait are in nobody's way"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0022'
down_revision = '0021'
branch_labels = None
depends_on = None


def upgrade() -> None:
    _index('kind', 'available_at', 'id')


def downgrade() -> None:
    _index('available_at', 'id')


def _index(*columns: str) -> None:
    op.drop_index('ix_job_ready', table_name='job')
    op.create_index(
        'ix_job_ready', 'job', list(columns), postgresql_where=sa.text('dead_at IS NULL')
    )
