"""Replays and retries of runs"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('run', sa.Column('replay_of_run_id', sa.Text(), nullable=True))
    op.create_foreign_key(
        op.f('fk_run_replay_of_run_id'), 'run', 'run', ['replay_of_run_id'], ['id']
    )
    op.drop_constraint(op.f('ck_job_kind'), 'job')
    kinds = (
        'match_event', 'start_run', 'answer_wait', 'ask_approvers', 'remind_approvers',
        'escalate_wait', 'send_form', 'fail_run', 'retry_run',
    )
    listed = ', '.join(f"'{kind}'" for kind in kinds)
    op.create_check_constraint(op.f('ck_job_kind'), 'job', f'kind IN ({listed})')
