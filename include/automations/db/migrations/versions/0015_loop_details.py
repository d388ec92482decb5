"""What loops log, which child runs are awaited, retries in loops, and what models have cost"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None

KIND = 'ck_wait_kind'
BEFORE = "kind IN ('delay', 'decision', 'callback', 'form', 'child')"
AFTER = "kind IN ('delay', 'decision', 'callback', 'form', 'child', 'retry')"


def upgrade() -> None:
    op.add_column('step_log', sa.Column('iteration', postgresql.JSONB(), nullable=True))
    op.add_column('run', sa.Column('awaited', sa.Boolean(), server_default='false', nullable=False))
    op.execute("""
        UPDATE run SET awaited = true FROM wait
        WHERE wait.kind = 'child' AND wait.status = 'OPEN' AND run.id = wait.question ->> 'runId'
    """)
    op.add_column('run', sa.Column('model_cost', sa.Numeric(), server_default='0', nullable=False))
    op.add_column('run', sa.Column('model_tokens', sa.BigInteger(), server_default='0', nullable=False))
    op.drop_constraint(op.f(KIND), 'wait')
    op.create_check_constraint(op.f(KIND), 'wait', AFTER)


def downgrade() -> None:
    op.execute("DELETE FROM wait WHERE kind = 'retry'")
    op.drop_constraint(op.f(KIND), 'wait')
    op.create_check_constraint(op.f(KIND), 'wait', BEFORE)
    op.drop_column('run', 'model_tokens')
    op.drop_column('run', 'model_cost')
    op.drop_column('run', 'awaited')
    op.drop_column('step_log', 'iteration')
