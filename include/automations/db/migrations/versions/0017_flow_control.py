"""Flow control, and retries on the newest version"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0017'
down_revision = '0013'
branch_labels = None
depends_on = None

KINDS = (
    'match_event', 'start_run', 'answer_wait', 'ask_approvers', 'remind_approvers',
    'escalate_wait', 'send_form', 'fail_run', 'retry_run', 'wake_parent', 'retry_latest',
    'report_failure', 'admit_run', 'next_run',
)

WAITS = ('delay', 'decision', 'callback', 'form', 'child', 'slot')
UNFINISHED = "status IN ('RUNNING', 'PAUSED', 'WAITING_FOR_CHILD')"


def upgrade() -> None:
    _words('job', 'kind', KINDS)
    _words('wait', 'kind', WAITS)
    op.add_column('run', sa.Column('slot_key', sa.Text(), nullable=True))
    op.add_column('run', sa.Column('slot', sa.Text(), nullable=True))
    op.create_check_constraint(op.f('ck_run_slot'), 'run', "slot IN ('WAITING', 'HELD')")
    op.create_index(
        'ix_run_slot', 'run', ['slot_key', 'started_at', 'id'],
        postgresql_where=sa.text(f'slot IS NOT NULL AND {UNFINISHED}'),
    )


def _words(table: str, column: str, words: tuple[str, ...]) -> None:
    op.drop_constraint(op.f(f'ck_{table}_{column}'), table)
    listed = ', '.join(f"'{word}'" for word in words)
    op.create_check_constraint(op.f(f'ck_{table}_{column}'), table, f'{column} IN ({listed})')
