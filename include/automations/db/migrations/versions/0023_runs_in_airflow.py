"""How many runs Airflow has, and starts of children, which wait for no turn"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0023'
down_revision = '0022'
branch_labels = None
depends_on = None

KINDS = (
    'match_event', 'start_run', 'answer_wait', 'ask_approvers', 'remind_approvers',
    'escalate_wait', 'send_form', 'fail_run', 'retry_run', 'wake_parent', 'sync_pipeline',
    'schedule_pipeline', 'retry_latest', 'report_failure', 'admit_run', 'next_run', 'end_debounce',
)


def upgrade() -> None:
    _kinds(*KINDS, 'start_child')
    op.create_index(
        'ix_run_in_airflow', 'run', ['dispatched_at'],
        postgresql_where=sa.text("status = 'RUNNING' AND dispatched_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index('ix_run_in_airflow', table_name='run')
    op.execute("UPDATE job SET kind = 'start_run' WHERE kind = 'start_child'")
    _kinds(*KINDS)


def _kinds(*kinds: str) -> None:
    op.drop_constraint(op.f('ck_job_kind'), 'job')
    listed = ', '.join(f"'{kind}'" for kind in kinds)
    op.create_check_constraint(op.f('ck_job_kind'), 'job', f'kind IN ({listed})')
