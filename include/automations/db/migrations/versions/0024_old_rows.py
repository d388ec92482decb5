"""When a count of tries is over, so that it can be deleted; newest submissions by index"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0024'
down_revision = '0023'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('rate_limit', sa.Column('ends_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False))
    op.create_index('ix_submission_workspace_id_created_at', 'submission', ['workspace_id', 'created_at'])
    op.drop_index('ix_submission_workspace_id', 'submission')


def downgrade() -> None:
    op.create_index('ix_submission_workspace_id', 'submission', ['workspace_id'])
    op.drop_index('ix_submission_workspace_id_created_at', 'submission')
    op.drop_column('rate_limit', 'ends_at')
