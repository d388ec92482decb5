"""Tables whose rows are the submissions of a form"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0026'
down_revision = '0025'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('data_table', sa.Column('form_id', sa.Text(), nullable=True))
    op.add_column('data_table', sa.Column('form_columns', postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False))
    op.create_foreign_key(op.f('fk_data_table_form_id'), 'data_table', 'form', ['form_id'], ['id'])
    op.create_index(
        'uq_data_table_form_id', 'data_table', ['form_id'],
        unique=True, postgresql_where=sa.text('form_id IS NOT NULL AND deleted_at IS NULL'),
    )


def downgrade() -> None:
    op.drop_index('uq_data_table_form_id', table_name='data_table')
    op.drop_constraint(op.f('fk_data_table_form_id'), 'data_table')
    op.drop_column('data_table', 'form_columns')
    op.drop_column('data_table', 'form_id')
