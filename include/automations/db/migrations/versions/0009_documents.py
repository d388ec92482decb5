"""Document templates, documents and their deliveries"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'document_template',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('format', sa.Text(), nullable=False),
        sa.Column('content', sa.LargeBinary(), nullable=False),
        sa.Column('size', sa.Integer(), nullable=False),
        sa.Column('sha256', sa.Text(), nullable=False),
        sa.Column('placeholders', postgresql.JSONB(), nullable=False),
        sa.Column('version', sa.Integer(), server_default='1', nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.CheckConstraint("format IN ('docx', 'markdown')", name=op.f('ck_document_template_format')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_document_template_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_document_template')),
    )
    op.create_index('ix_document_template_workspace_id_created_at', 'document_template', ['workspace_id', 'created_at'])
    op.create_table(
        'document',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('run_id', sa.Text(), nullable=False),
        sa.Column('template_id', sa.Text(), nullable=False),
        sa.Column('template_version', sa.Integer(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('format', sa.Text(), nullable=False),
        sa.Column('content', sa.LargeBinary(), nullable=False),
        sa.Column('size', sa.Integer(), nullable=False),
        sa.Column('sha256', sa.Text(), nullable=False),
        sa.Column('engine', sa.Text(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.CheckConstraint("format IN ('docx', 'pdf')", name=op.f('ck_document_format')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_document_workspace_id')),
        sa.ForeignKeyConstraint(['run_id'], ['run.id'], name=op.f('fk_document_run_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_document')),
    )
    op.create_index('ix_document_workspace_id_created_at', 'document', ['workspace_id', 'created_at'])
    op.create_index(op.f('ix_document_run_id'), 'document', ['run_id'])
    op.create_table(
        'document_delivery',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('document_id', sa.Text(), nullable=False),
        sa.Column('run_id', sa.Text(), nullable=False),
        sa.Column('key', sa.Text(), nullable=False),
        sa.Column('address', sa.Text(), nullable=False),
        sa.Column('status', sa.Text(), nullable=False),
        sa.Column('message_id', sa.Text(), nullable=True),
        sa.Column('reason', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.CheckConstraint("status IN ('SENT', 'REJECTED')", name=op.f('ck_document_delivery_status')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_document_delivery_workspace_id')),
        sa.ForeignKeyConstraint(['document_id'], ['document.id'], name=op.f('fk_document_delivery_document_id')),
        sa.ForeignKeyConstraint(['run_id'], ['run.id'], name=op.f('fk_document_delivery_run_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_document_delivery')),
        sa.UniqueConstraint('key', name=op.f('uq_document_delivery_key')),
    )
    op.create_index('ix_document_delivery_document_id_created_at', 'document_delivery', ['document_id', 'created_at'])
