"""Secrets and integrations"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'secret',
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('ciphertext', sa.Text(), nullable=False),
        sa.Column('fingerprint', sa.Text(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_secret_workspace_id')),
        sa.PrimaryKeyConstraint('workspace_id', 'name', name=op.f('pk_secret')),
    )
    op.create_table(
        'integration',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('type', sa.Text(), nullable=False),
        sa.Column('config', postgresql.JSONB(), nullable=False),
        sa.Column('ciphertext', sa.Text(), nullable=True),
        sa.Column('fingerprint', sa.Text(), nullable=True),
        sa.Column('enabled', sa.Boolean(), server_default=sa.text('true'), nullable=False),
        sa.Column('is_site_email_provider', sa.Boolean(), server_default=sa.text('false'), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.CheckConstraint("type IN ('EMAIL_PROVIDER', 'DOCUMENT_ENGINE', 'WEBHOOK', 'SLACK', 'AI_PROVIDER')", name=op.f('ck_integration_type')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_integration_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_integration')),
        sa.UniqueConstraint('workspace_id', 'name', name=op.f('uq_integration_workspace_id_name')),
    )
    op.create_index('uq_integration_site_email_provider', 'integration', ['workspace_id'], unique=True, postgresql_where=sa.text('is_site_email_provider'))
