"""Flow control, and retries on the newest version"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0017'
down_revision = '0016'
branch_labels = None
depends_on = None

KINDS = (
    'match_event', 'start_run', 'answer_wait', 'ask_approvers', 'remind_approvers',
    'escalate_wait', 'send_form', 'fail_run', 'retry_run', 'wake_parent', 'retry_latest',
    'report_failure', 'admit_run', 'next_run', 'end_debounce',
)

WAITS = ('delay', 'decision', 'callback', 'form', 'child', 'retry', 'slot')
UNFINISHED = "status IN ('RUNNING', 'PAUSED', 'WAITING_FOR_CHILD')"


def upgrade() -> None:
    _words('job', 'kind', KINDS)
    _words('wait', 'kind', WAITS)
    op.add_column('run', sa.Column('slot_key', sa.Text(), nullable=True))
    op.add_column('run', sa.Column('slot', sa.Text(), nullable=True))
    op.create_check_constraint(op.f('ck_run_slot'), 'run', "slot IN ('WAITING', 'HELD')")
    op.create_index(
        'ix_run_slot', 'run', ['slot_key', 'slot', 'started_at', 'id'],
        postgresql_where=sa.text(f'slot IS NOT NULL AND {UNFINISHED}'),
    )
    op.add_column('run', sa.Column('rate_key', sa.Text(), nullable=True))
    op.create_index(
        'ix_run_rate_key', 'run', ['rate_key', 'started_at'],
        postgresql_where=sa.text('rate_key IS NOT NULL'),
    )
    op.create_table(
        'collected_events',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workflow_id', sa.Text(), nullable=False),
        sa.Column('key', sa.Text(), nullable=False),
        sa.Column('event_id', sa.Text(), nullable=False),
        sa.Column('event_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('replaced_id', sa.Text(), nullable=True),
        sa.Column('events', sa.Integer(), server_default='1', nullable=False),
        sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('latest_at', sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['workflow_id'], ['workflow.id'], name=op.f('fk_collected_events_workflow_id')),
        sa.ForeignKeyConstraint(['event_id'], ['event.id'], name=op.f('fk_collected_events_event_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_collected_events')),
        sa.UniqueConstraint('workflow_id', 'key', name=op.f('uq_collected_events_workflow_id_key')),
    )
    op.create_index(op.f('ix_collected_events_event_id'), 'collected_events', ['event_id'])


def _words(table: str, column: str, words: tuple[str, ...]) -> None:
    op.drop_constraint(op.f(f'ck_{table}_{column}'), table)
    listed = ', '.join(f"'{word}'" for word in words)
    op.create_check_constraint(op.f(f'ck_{table}_{column}'), table, f'{column} IN ({listed})')
