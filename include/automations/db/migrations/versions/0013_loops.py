"""How far loops have come"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'loop_cursor',
        sa.Column('run_id', sa.Text(), nullable=False),
        sa.Column('node_id', sa.Text(), nullable=False),
        sa.Column('generation', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('path', sa.Text(), nullable=False),
        sa.Column('open', postgresql.JSONB(), nullable=False),
        sa.Column('waiting', sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(['run_id'], ['run.id'], name=op.f('fk_loop_cursor_run_id'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('run_id', 'node_id', 'generation', 'path', name=op.f('pk_loop_cursor')),
    )
    op.create_table(
        'loop_result',
        sa.Column('run_id', sa.Text(), nullable=False),
        sa.Column('node_id', sa.Text(), nullable=False),
        sa.Column('generation', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('path', sa.Text(), nullable=False),
        sa.Column('index', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('entries', postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(['run_id'], ['run.id'], name=op.f('fk_loop_result_run_id'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('run_id', 'node_id', 'generation', 'path', 'index', name=op.f('pk_loop_result')),
    )


def downgrade() -> None:
    op.drop_table('loop_result')
    op.drop_table('loop_cursor')
