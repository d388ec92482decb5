"""How many runs there are, kept while they change"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None

# Rows are only added, so that no run waits for another one's count; the reconciler sums them up.
FUNCTIONS = """
CREATE FUNCTION count_runs_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO run_count (workspace_id, workflow_id, status, runs)
    SELECT workspace_id, coalesce(workflow_id, ''), status, count(*) FROM added
    GROUP BY GROUPING SETS ((workspace_id, workflow_id, status), (workspace_id, status));
    RETURN NULL;
END $$;

CREATE FUNCTION count_runs_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO run_count (workspace_id, workflow_id, status, runs)
    SELECT workspace_id, coalesce(workflow_id, ''), status, -count(*) FROM removed
    GROUP BY GROUPING SETS ((workspace_id, workflow_id, status), (workspace_id, status));
    RETURN NULL;
END $$;

CREATE FUNCTION count_run_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO run_count (workspace_id, workflow_id, status, runs) VALUES
        (NEW.workspace_id, NEW.workflow_id, OLD.status, -1),
        (NEW.workspace_id, NEW.workflow_id, NEW.status, 1),
        (NEW.workspace_id, '', OLD.status, -1),
        (NEW.workspace_id, '', NEW.status, 1);
    RETURN NULL;
END $$;
"""

TRIGGERS = """
CREATE TRIGGER run_count_added AFTER INSERT ON run
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_runs_added();
CREATE TRIGGER run_count_removed AFTER DELETE ON run
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION count_runs_removed();
CREATE TRIGGER run_count_moved AFTER UPDATE OF status ON run
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION count_run_moved();
"""


def upgrade() -> None:
    op.create_table(
        'run_count',
        sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('workflow_id', sa.Text(), nullable=False),
        sa.Column('status', sa.Text(), nullable=False),
        sa.Column('runs', sa.BigInteger(), nullable=False),
        sa.Column('summed', sa.Boolean(), server_default=sa.text('false'), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_run_count')),
    )
    op.create_index('ix_run_count_workspace_id_workflow_id', 'run_count', ['workspace_id', 'workflow_id'])
    op.create_index(
        'ix_run_count_added', 'run_count', ['id'], postgresql_where=sa.text('NOT summed')
    )
    op.execute(FUNCTIONS)
    op.execute(TRIGGERS)
    op.execute(
        "INSERT INTO run_count (workspace_id, workflow_id, status, runs, summed)"
        " SELECT workspace_id, coalesce(workflow_id, ''), status, count(*), true FROM run"
        " GROUP BY GROUPING SETS ((workspace_id, workflow_id, status), (workspace_id, status))"
    )


def downgrade() -> None:
    for name in ('added', 'removed', 'moved'):
        op.execute(f"DROP TRIGGER run_count_{name} ON run")
    op.execute("DROP FUNCTION count_runs_added, count_runs_removed, count_run_moved")
    op.drop_table('run_count')
