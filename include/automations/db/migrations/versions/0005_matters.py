"""Members, notifications, matters, and the decisions on submissions"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def _now(name: str) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False)


def _people() -> None:
    op.create_table(
        'member',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('email', sa.Text(), nullable=False),
        sa.Column('role', sa.Text(), nullable=False),
        _now('created_at'),
        sa.CheckConstraint("role IN ('OWNER', 'ADMIN', 'MEMBER', 'VIEWER')", name=op.f('ck_member_role')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_member_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_member')),
        sa.UniqueConstraint('workspace_id', 'email', name=op.f('uq_member_workspace_id_email')),
    )
    op.create_table(
        'notification',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('user_id', sa.Text(), nullable=False),
        sa.Column('type', sa.Text(), nullable=False),
        sa.Column('title', sa.Text(), nullable=False),
        sa.Column('message', sa.Text(), server_default='', nullable=False),
        sa.Column('link', sa.Text(), nullable=True),
        sa.Column('read_at', sa.DateTime(timezone=True), nullable=True),
        _now('created_at'),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_notification_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_notification')),
    )
    op.create_index('ix_notification_user_id_created_at', 'notification', ['user_id', sa.text('created_at DESC'), 'id'])
    op.add_column('api_key', sa.Column('member_id', sa.Text(), nullable=True))
    op.create_foreign_key(op.f('fk_api_key_member_id'), 'api_key', 'member', ['member_id'], ['id'], ondelete='SET NULL')
    op.create_index(op.f('ix_api_key_member_id'), 'api_key', ['member_id'])
    op.add_column('workflow', sa.Column('created_by_key_id', sa.Text(), nullable=True))
    op.create_foreign_key(op.f('fk_workflow_created_by_key_id'), 'workflow', 'api_key', ['created_by_key_id'], ['id'])


def _matters() -> None:
    op.create_table(
        'matter_template',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('description', sa.Text(), server_default='', nullable=False),
        sa.Column('board_type', sa.Text(), nullable=False),
        sa.Column('steps', postgresql.JSONB(), nullable=False),
        _now('created_at'),
        _now('updated_at'),
        sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("board_type IN ('PROCESS', 'PIPELINE', 'KANBAN')", name=op.f('ck_matter_template_board_type')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_matter_template_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_matter_template')),
    )
    op.create_index(op.f('ix_matter_template_workspace_id'), 'matter_template', ['workspace_id'])
    op.create_table(
        'matter',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('template_id', sa.Text(), nullable=False),
        sa.Column('number', sa.Integer(), nullable=False),
        sa.Column('title', sa.Text(), nullable=False),
        sa.Column('status', sa.Text(), server_default='ACTIVE', nullable=False),
        sa.Column('priority', sa.Text(), nullable=False),
        sa.Column('tags', postgresql.JSONB(), nullable=False),
        sa.Column('assignee_id', sa.Text(), nullable=True),
        sa.Column('properties', postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column('current_step_id', sa.Text(), nullable=True),
        sa.Column('created_by', sa.Text(), nullable=False),
        _now('created_at'),
        _now('updated_at'),
        sa.Column('completed_at', sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('ACTIVE', 'COMPLETED', 'CANCELLED')", name=op.f('ck_matter_status')),
        sa.CheckConstraint("priority IN ('LOW', 'MEDIUM', 'HIGH', 'URGENT')", name=op.f('ck_matter_priority')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_matter_workspace_id')),
        sa.ForeignKeyConstraint(['template_id'], ['matter_template.id'], name=op.f('fk_matter_template_id')),
        sa.ForeignKeyConstraint(['assignee_id'], ['member.id'], name=op.f('fk_matter_assignee_id'), ondelete='SET NULL'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_matter')),
        sa.UniqueConstraint('workspace_id', 'number', name=op.f('uq_matter_workspace_id_number')),
    )
    op.create_index(op.f('ix_matter_template_id'), 'matter', ['template_id'])
    op.create_index(op.f('ix_matter_assignee_id'), 'matter', ['assignee_id'])
    op.create_table(
        'matter_step',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('matter_id', sa.Text(), nullable=False),
        sa.Column('template_step_id', sa.Text(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('type', sa.Text(), nullable=False),
        sa.Column('order', sa.Integer(), nullable=False),
        sa.Column('status', sa.Text(), server_default='PENDING', nullable=False),
        sa.Column('decided_by', sa.Text(), nullable=True),
        sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('PENDING', 'COMPLETED', 'REJECTED')", name=op.f('ck_matter_step_status')),
        sa.ForeignKeyConstraint(['matter_id'], ['matter.id'], name=op.f('fk_matter_step_matter_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_matter_step')),
    )
    op.create_index('ix_matter_step_matter_id_order', 'matter_step', ['matter_id', 'order'])
    op.create_table(
        'matter_counter',
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('last', sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_matter_counter_workspace_id')),
        sa.PrimaryKeyConstraint('workspace_id', name=op.f('pk_matter_counter')),
    )


def _forms() -> None:
    op.add_column('form', sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        'form_version',
        sa.Column('form_id', sa.Text(), nullable=False),
        sa.Column('version', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('title', sa.Text(), nullable=False),
        sa.Column('description', sa.Text(), nullable=False),
        sa.Column('schema', postgresql.JSONB(), nullable=False),
        _now('created_at'),
        sa.ForeignKeyConstraint(['form_id'], ['form.id'], name=op.f('fk_form_version_form_id')),
        sa.PrimaryKeyConstraint('form_id', 'version', name=op.f('pk_form_version')),
    )
    op.execute(
        'INSERT INTO form_version (form_id, version, title, description, schema) '
        'SELECT id, version, title, description, schema FROM form'
    )
    op.add_column('submission', sa.Column('decided_by', sa.Text(), nullable=True))
    op.add_column('submission', sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        'submission_snapshot',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('submission_id', sa.Text(), nullable=False),
        sa.Column('number', sa.Integer(), nullable=False),
        sa.Column('form_version', sa.Integer(), nullable=False),
        sa.Column('data', postgresql.JSONB(), nullable=False),
        sa.Column('changed_by', sa.Text(), nullable=False),
        _now('created_at'),
        sa.ForeignKeyConstraint(['submission_id'], ['submission.id'], name=op.f('fk_submission_snapshot_submission_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_submission_snapshot')),
        sa.UniqueConstraint('submission_id', 'number', name=op.f('uq_submission_snapshot_submission_id_number')),
    )


def upgrade() -> None:
    _people()
    _matters()
    _forms()
