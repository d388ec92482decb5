"""Audit log, security events, evidence, idempotency keys, scopes and rotation of API keys"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None

NOW = sa.text('clock_timestamp()')


def upgrade() -> None:
    op.add_column('api_key', sa.Column('scopes', postgresql.JSONB(), nullable=True))
    op.add_column('api_key', sa.Column('previous_token_hash', sa.Text(), nullable=True))
    op.add_column('api_key', sa.Column('previous_expires_at', sa.DateTime(timezone=True), nullable=True))
    op.create_unique_constraint(op.f('uq_api_key_previous_token_hash'), 'api_key', ['previous_token_hash'])
    op.create_table(
        'audit_log',
        sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('at', sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column('actor_type', sa.Text(), nullable=False),
        sa.Column('actor', sa.Text(), nullable=False),
        sa.Column('actor_id', sa.Text(), nullable=True),
        sa.Column('action', sa.Text(), nullable=False),
        sa.Column('resource_type', sa.Text(), nullable=False),
        sa.Column('resource_id', sa.Text(), nullable=False),
        sa.Column('ip', sa.Text(), nullable=True),
        sa.Column('request_id', sa.Text(), nullable=True),
        sa.Column('details', postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.CheckConstraint("actor_type IN ('api_key', 'recipient', 'airflow', 'anonymous', 'system')", name=op.f('ck_audit_log_actor_type')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_audit_log_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_log')),
    )
    op.create_index('ix_audit_log_workspace_id_at', 'audit_log', ['workspace_id', sa.text('at DESC'), sa.text('id DESC')])
    op.create_table(
        'security_event',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=True),
        sa.Column('at', sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column('type', sa.Text(), nullable=False),
        sa.Column('severity', sa.Text(), nullable=False),
        sa.Column('actor', sa.Text(), nullable=False),
        sa.Column('ip', sa.Text(), nullable=True),
        sa.Column('request_id', sa.Text(), nullable=True),
        sa.Column('details', postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column('count', sa.Integer(), server_default='1', nullable=False),
        sa.Column('flood_key', sa.Text(), nullable=True),
        sa.CheckConstraint("severity IN ('INFO', 'WARNING', 'HIGH')", name=op.f('ck_security_event_severity')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_security_event_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_security_event')),
        sa.UniqueConstraint('flood_key', name=op.f('uq_security_event_flood_key')),
    )
    op.create_index('ix_security_event_workspace_id_at', 'security_event', ['workspace_id', sa.text('at DESC'), 'id'])
    op.create_table(
        'evidence_snapshot',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('number', sa.Integer(), nullable=False),
        sa.Column('source', sa.Text(), nullable=False),
        sa.Column('title', sa.Text(), nullable=False),
        sa.Column('query', postgresql.JSONB(), nullable=False),
        sa.Column('row_count', sa.Integer(), nullable=False),
        sa.Column('content', sa.LargeBinary(), nullable=False),
        sa.Column('sha256', sa.Text(), nullable=False),
        sa.Column('previous_sha256', sa.Text(), nullable=True),
        sa.Column('chain_sha256', sa.Text(), nullable=False),
        sa.Column('run_id', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("source IN ('TABLE_ROWS', 'AUDIT_LOGS', 'SECURITY_EVENTS', 'ORG_MEMBERS')", name=op.f('ck_evidence_snapshot_source')),
        sa.ForeignKeyConstraint(['run_id'], ['run.id'], name=op.f('fk_evidence_snapshot_run_id')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_evidence_snapshot_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_evidence_snapshot')),
        sa.UniqueConstraint('workspace_id', 'number', name=op.f('uq_evidence_snapshot_workspace_id_number')),
    )
    op.create_table(
        'idempotency_key',
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('key', sa.Text(), nullable=False),
        sa.Column('request_sha256', sa.Text(), nullable=False),
        sa.Column('claim', sa.Text(), nullable=False),
        sa.Column('status', sa.Integer(), nullable=True),
        sa.Column('answer', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_idempotency_key_workspace_id')),
        sa.PrimaryKeyConstraint('workspace_id', 'key', name=op.f('pk_idempotency_key')),
    )
    op.create_index(op.f('ix_idempotency_key_created_at'), 'idempotency_key', ['created_at'])
