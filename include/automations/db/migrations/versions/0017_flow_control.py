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
    'report_failure',
)


def upgrade() -> None:
    op.drop_constraint(op.f('ck_job_kind'), 'job')
    listed = ', '.join(f"'{kind}'" for kind in KINDS)
    op.create_check_constraint(op.f('ck_job_kind'), 'job', f'kind IN ({listed})')
