"""Documents that people upload with a form"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0027'
down_revision = '0026'
branch_labels = None
depends_on = None

_OF_RUNS = ('run_id', 'template_id', 'template_version', 'engine')
_FORMATS = "'pdf', 'docx', 'xlsx', 'pptx', 'odt', 'ods', 'png', 'jpg', 'jpeg', 'gif', 'webp', 'tiff', 'txt', 'csv'"


def upgrade() -> None:
    op.add_column('document', sa.Column('submission_id', sa.Text(), nullable=True))
    op.create_foreign_key(op.f('fk_document_submission_id'), 'document', 'submission', ['submission_id'], ['id'])
    op.create_index(op.f('ix_document_submission_id'), 'document', ['submission_id'])
    for column in _OF_RUNS:
        op.alter_column('document', column, nullable=True)
    op.drop_constraint(op.f('ck_document_format'), 'document')
    op.create_check_constraint(op.f('ck_document_format'), 'document', f'format IN ({_FORMATS})')


def downgrade() -> None:
    op.execute('DELETE FROM document_delivery WHERE document_id IN (SELECT id FROM document WHERE submission_id IS NOT NULL)')
    op.execute('DELETE FROM document WHERE submission_id IS NOT NULL')
    op.drop_constraint(op.f('ck_document_format'), 'document')
    op.create_check_constraint(op.f('ck_document_format'), 'document', "format IN ('docx', 'pdf')")
    for column in _OF_RUNS:
        op.alter_column('document', column, nullable=False)
    op.drop_column('document', 'submission_id')
