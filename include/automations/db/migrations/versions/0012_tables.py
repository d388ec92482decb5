"""Tables and their rows"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'data_table',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('description', sa.Text(), server_default='', nullable=False),
        sa.Column('category', sa.Text(), server_default='USER', nullable=False),
        sa.Column('columns', postgresql.JSONB(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("category IN ('SYSTEM', 'FORM', 'PIPELINE', 'USER', 'MATTER', 'INTEGRATION')", name=op.f('ck_data_table_category')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_data_table_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_data_table')),
    )
    op.create_index(op.f('ix_data_table_workspace_id'), 'data_table', ['workspace_id'])
    op.create_table(
        'data_row',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('table_id', sa.Text(), nullable=False),
        sa.Column('data', postgresql.JSONB(), nullable=False),
        sa.Column('key_hash', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.ForeignKeyConstraint(['table_id'], ['data_table.id'], name=op.f('fk_data_row_table_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_data_row')),
    )
    op.create_index('ix_data_row_table_id_created_at_id', 'data_row', ['table_id', 'created_at', 'id'])
    op.create_index('uq_data_row_table_id_key_hash', 'data_row', ['table_id', 'key_hash'], unique=True, postgresql_where=sa.text('key_hash IS NOT NULL'))
