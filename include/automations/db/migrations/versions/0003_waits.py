"""Callbacks, forms sent to people, reminders"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def _kinds(table: str, *kinds: str) -> None:
    op.drop_constraint(op.f(f'ck_{table}_kind'), table)
    listed = ', '.join(f"'{kind}'" for kind in kinds)
    op.create_check_constraint(op.f(f'ck_{table}_kind'), table, f'kind IN ({listed})')


def upgrade() -> None:
    _kinds('wait', 'delay', 'decision', 'callback', 'form', 'child')
    _kinds(
        'job', 'match_event', 'start_run', 'answer_wait', 'ask_approvers',
        'remind_approvers', 'escalate_wait', 'send_form', 'fail_run',
    )
    op.add_column('wait', sa.Column('key', sa.Text(), nullable=True))
    op.add_column(
        'form', sa.Column('public', sa.Boolean(), server_default='false', nullable=False)
    )
    op.create_table(
        'callback',
        sa.Column('token_hash', sa.Text(), nullable=False),
        sa.Column('run_id', sa.Text(), nullable=False),
        sa.Column('key', sa.Text(), nullable=False),
        sa.Column('called_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('data', postgresql.JSONB(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.ForeignKeyConstraint(['run_id'], ['run.id'], name=op.f('fk_callback_run_id')),
        sa.PrimaryKeyConstraint('token_hash', name=op.f('pk_callback')),
        sa.UniqueConstraint('key', name=op.f('uq_callback_key')),
    )
    op.create_index(op.f('ix_callback_run_id'), 'callback', ['run_id'])
    op.create_table(
        'form_request',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('form_id', sa.Text(), nullable=False),
        sa.Column('run_id', sa.Text(), nullable=False),
        sa.Column('key', sa.Text(), nullable=False),
        sa.Column('recipient', sa.Text(), nullable=False),
        sa.Column('subject', sa.Text(), nullable=False),
        sa.Column('message', sa.Text(), nullable=False),
        sa.Column('prefill', postgresql.JSONB(), nullable=False),
        sa.Column('wait_for', sa.Text(), nullable=True),
        sa.Column('remind_seconds', sa.Float(), nullable=True),
        sa.Column('token_hash', sa.Text(), nullable=False),
        sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('submission_id', sa.Text(), nullable=True),
        sa.Column('submitted_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_form_request_workspace_id')),
        sa.ForeignKeyConstraint(['form_id'], ['form.id'], name=op.f('fk_form_request_form_id')),
        sa.ForeignKeyConstraint(['run_id'], ['run.id'], name=op.f('fk_form_request_run_id')),
        sa.ForeignKeyConstraint(['submission_id'], ['submission.id'], name=op.f('fk_form_request_submission_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_form_request')),
        sa.UniqueConstraint('key', 'recipient', name=op.f('uq_form_request_key_recipient')),
        sa.UniqueConstraint('token_hash', name=op.f('uq_form_request_token_hash')),
    )
    op.create_index(op.f('ix_form_request_workspace_id'), 'form_request', ['workspace_id'])
    op.create_index(op.f('ix_form_request_run_id'), 'form_request', ['run_id'])
