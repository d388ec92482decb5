"""Who carries a job, so that it comes back as soon as they are gone"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0021'
down_revision = '0020'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('job', sa.Column('holder', sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column('job', 'holder')
