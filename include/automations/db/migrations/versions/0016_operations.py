"""What metrics count, the traces that runs belong to, and ids that outlive their runs"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None

# The upper bounds are those of automations.domain.metrics.BOUNDS.
FUNCTIONS = """
CREATE FUNCTION tally_runs_started() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tally (kind, label, outcome, bucket, n, seconds)
    SELECT 'run_started', trigger_type, '', 0, count(*), 0 FROM added GROUP BY trigger_type;
    RETURN NULL;
END $$;

CREATE FUNCTION tally_run_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tally (kind, label, outcome, bucket, n, seconds)
    VALUES ('run_ended', NEW.trigger_type, NEW.status, 0, 1, 0);
    RETURN NULL;
END $$;

CREATE FUNCTION tally_steps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tally (kind, label, outcome, bucket, n, seconds)
    SELECT 'step', step_type, status,
           -- An attempt of exactly a bound's length is within it.
           width_bucket(duration_ms - 1,
                        ARRAY[10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000]),
           count(*), sum(duration_ms) / 1000.0
    FROM added GROUP BY 1, 2, 3, 4;
    RETURN NULL;
END $$;

CREATE FUNCTION tally_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tally (kind, label, outcome, bucket, n, seconds)
    SELECT 'event', split_part(trigger_key, ':', 1), '', 0, count(*), 0 FROM added GROUP BY 2;
    RETURN NULL;
END $$;

CREATE TRIGGER tally_runs_started AFTER INSERT ON run
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION tally_runs_started();
CREATE TRIGGER tally_run_ended AFTER UPDATE OF status ON run FOR EACH ROW
    WHEN (NEW.status IN ('COMPLETED', 'FAILED', 'CANCELLED') AND OLD.status <> NEW.status)
    EXECUTE FUNCTION tally_run_ended();
CREATE TRIGGER tally_steps AFTER INSERT ON step_log
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION tally_steps();
CREATE TRIGGER tally_events AFTER INSERT ON event
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION tally_events();
"""
TALLIED = {
    'tally_runs_started': 'run',
    'tally_run_ended': 'run',
    'tally_steps': 'step_log',
    'tally_events': 'event',
}
# The ids stay, as history, when retention deletes the runs that they name.
HISTORY = [
    ('run', 'replay_of_run_id'),
    ('run', 'parent_run_id'),
    ('document', 'run_id'),
    ('document_delivery', 'run_id'),
    ('evidence_snapshot', 'run_id'),
]


def upgrade() -> None:
    op.create_table(
        'tally',
        sa.Column('kind', sa.Text(), nullable=False),
        sa.Column('label', sa.Text(), nullable=False),
        sa.Column('outcome', sa.Text(), nullable=False),
        sa.Column('bucket', sa.Integer(), nullable=False),
        sa.Column('n', sa.BigInteger(), nullable=False),
        sa.Column('seconds', sa.Double(), nullable=False),
    )
    op.execute(FUNCTIONS)
    # What there is already counts, too.
    op.execute(
        "INSERT INTO tally SELECT 'run_started', trigger_type, '', 0, count(*), 0 FROM run GROUP BY trigger_type"
    )
    op.execute(
        "INSERT INTO tally SELECT 'run_ended', trigger_type, status, 0, count(*), 0 FROM run"
        " WHERE status IN ('COMPLETED', 'FAILED', 'CANCELLED') GROUP BY trigger_type, status"
    )
    op.add_column('run', sa.Column('traceparent', sa.Text(), nullable=True))
    op.add_column('event', sa.Column('traceparent', sa.Text(), nullable=True))
    for table, column in HISTORY:
        op.drop_constraint(op.f(f'fk_{table}_{column}'), table, type_='foreignkey')


def downgrade() -> None:
    for table, column in HISTORY:
        op.create_foreign_key(op.f(f'fk_{table}_{column}'), table, 'run', [column], ['id'])
    op.drop_column('event', 'traceparent')
    op.drop_column('run', 'traceparent')
    for name, table in TALLIED.items():
        op.execute(f'DROP TRIGGER {name} ON {table}')
        op.execute(f'DROP FUNCTION {name}()')
    op.drop_table('tally')
