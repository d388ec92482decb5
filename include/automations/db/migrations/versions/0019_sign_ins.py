"""Passwords of members and their sessions in the console"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0019'
down_revision = '0018'
branch_labels = None
depends_on = None

ACTORS = ('api_key', 'recipient', 'airflow', 'anonymous', 'system')


def upgrade() -> None:
    op.create_table(
        'member_password',
        sa.Column('member_id', sa.Text(), nullable=False),
        sa.Column('password_hash', sa.Text(), nullable=True),
        sa.Column('changed_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('invite_hash', sa.Text(), nullable=True),
        sa.Column('invite_expires_at', sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['member_id'], ['member.id'], name=op.f('fk_member_password_member_id'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('member_id', name=op.f('pk_member_password')),
        sa.UniqueConstraint('invite_hash', name=op.f('uq_member_password_invite_hash')),
    )
    op.create_table(
        'sign_in',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('member_id', sa.Text(), nullable=False),
        sa.Column('token_hash', sa.Text(), nullable=False),
        sa.Column('ip', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('last_used_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['member_id'], ['member.id'], name=op.f('fk_sign_in_member_id'), ondelete='CASCADE'),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_sign_in_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_sign_in')),
        sa.UniqueConstraint('token_hash', name=op.f('uq_sign_in_token_hash')),
    )
    op.create_index(op.f('ix_sign_in_member_id'), 'sign_in', ['member_id'])
    op.add_column('workflow', sa.Column('created_by_member_id', sa.Text(), nullable=True))
    op.create_foreign_key(
        op.f('fk_workflow_created_by_member_id'), 'workflow', 'member', ['created_by_member_id'], ['id'], ondelete='SET NULL'
    )
    _allow((*ACTORS, 'member'))


def downgrade() -> None:
    op.execute("UPDATE audit_log SET actor_type = 'anonymous' WHERE actor_type = 'member'")
    _allow(ACTORS)
    op.drop_constraint(op.f('fk_workflow_created_by_member_id'), 'workflow', type_='foreignkey')
    op.drop_column('workflow', 'created_by_member_id')
    op.drop_table('sign_in')
    op.drop_table('member_password')


def _allow(actors: tuple[str, ...]) -> None:
    listed = ', '.join(f"'{actor}'" for actor in actors)
    op.drop_constraint(op.f('ck_audit_log_actor_type'), 'audit_log', type_='check')
    op.create_check_constraint(op.f('ck_audit_log_actor_type'), 'audit_log', f'actor_type IN ({listed})')
