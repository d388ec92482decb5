"""Keys by which files of definitions know automations"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0020'
down_revision = '0019'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('workflow', sa.Column('key', sa.Text(), nullable=True))
    op.create_index(
        'uq_workflow_key', 'workflow', ['workspace_id', 'key'], unique=True,
        postgresql_where=sa.text('deleted_at IS NULL AND key IS NOT NULL'),
    )


def downgrade() -> None:
    op.drop_index('uq_workflow_key', 'workflow')
    op.drop_column('workflow', 'key')
