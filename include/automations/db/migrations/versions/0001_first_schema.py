"""The first schema"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None

# Both ledgers are written by triggers, so that whatever commits is counted, and whatever is undone
# is not. Rows are only added, so that no transaction waits for the count of another one.
COUNT_FUNCTIONS = """
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

# A trigger for a statement costs many rows once; a change of status has no such form, because
# PostgreSQL gives no table of rows to a trigger that is limited to a column.
COUNT_TRIGGERS = """
CREATE TRIGGER run_count_added AFTER INSERT ON run
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_runs_added();
CREATE TRIGGER run_count_removed AFTER DELETE ON run
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION count_runs_removed();
CREATE TRIGGER run_count_moved AFTER UPDATE OF status ON run
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION count_run_moved();
"""

# The upper bounds are those of automations.db.counters.BOUNDS.
COUNTER_FUNCTIONS = """
CREATE FUNCTION counter_runs_started() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO counter (kind, label, outcome, bucket, n, seconds)
    SELECT 'run_started', trigger_type, '', 0, count(*), 0 FROM added GROUP BY trigger_type;
    RETURN NULL;
END $$;

CREATE FUNCTION counter_run_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO counter (kind, label, outcome, bucket, n, seconds)
    VALUES ('run_ended', NEW.trigger_type, NEW.status, 0, 1, 0);
    RETURN NULL;
END $$;

CREATE FUNCTION counter_steps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO counter (kind, label, outcome, bucket, n, seconds)
    SELECT 'step', step_type, status,
           -- An attempt of exactly a bound's length is within it.
           width_bucket(duration_ms - 1,
                        ARRAY[10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000]),
           count(*), sum(duration_ms) / 1000.0
    FROM added WHERE status NOT IN ('marked', 'cleared') GROUP BY 1, 2, 3, 4;
    RETURN NULL;
END $$;

CREATE FUNCTION counter_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO counter (kind, label, outcome, bucket, n, seconds)
    SELECT 'event', split_part(trigger_key, ':', 1), '', 0, count(*), 0 FROM added GROUP BY 2;
    RETURN NULL;
END $$;
"""

COUNTER_TRIGGERS = """
CREATE TRIGGER counter_runs_started AFTER INSERT ON run
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION counter_runs_started();
CREATE TRIGGER counter_run_ended AFTER UPDATE OF status ON run FOR EACH ROW
    WHEN (NEW.status IN ('COMPLETED', 'FAILED', 'CANCELLED') AND OLD.status <> NEW.status)
    EXECUTE FUNCTION counter_run_ended();
CREATE TRIGGER counter_steps AFTER INSERT ON step_log
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION counter_steps();
CREATE TRIGGER counter_events AFTER INSERT ON event
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION counter_events();
"""


def upgrade() -> None:
    _people()
    _automations()
    _events()
    _runs()
    _forms()
    _documents()
    _tables()
    _matters()
    _records()
    _counts()
    for statements in (COUNT_FUNCTIONS, COUNT_TRIGGERS, COUNTER_FUNCTIONS, COUNTER_TRIGGERS):
        op.execute(statements)


def downgrade() -> None:
    raise NotImplementedError('There is nothing before the first schema: drop the database instead.')


def _people() -> None:
    op.create_table(
        'workspace',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('slug', sa.Text(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_workspace')),
        sa.UniqueConstraint('slug', name=op.f('uq_workspace_slug')),
    )
    op.create_table(
        'member',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('email', sa.Text(), nullable=False),
        sa.Column('role', sa.Text(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.CheckConstraint("role IN ('OWNER', 'ADMIN', 'MEMBER', 'VIEWER')", name=op.f('ck_member_role')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_member_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_member')),
        sa.UniqueConstraint('workspace_id', 'email', name=op.f('uq_member_workspace_id_email')),
    )
    op.create_table(
        'member_password',
        sa.Column('member_id', sa.Text(), nullable=False),
        sa.Column('password_hash', sa.Text(), nullable=True),
        sa.Column('changed_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('networks', postgresql.JSON(), nullable=False),
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
    op.create_table(
        'api_key',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('member_id', sa.Text(), nullable=True),
        sa.Column('created_by', sa.Text(), nullable=True),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('role', sa.Text(), nullable=False),
        sa.Column('prefix', sa.Text(), nullable=False),
        sa.Column('scopes', postgresql.JSON(), nullable=True),
        sa.Column('token_hash', sa.Text(), nullable=False),
        sa.Column('previous_token_hash', sa.Text(), nullable=True),
        sa.Column('previous_expires_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('last_used_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("role IN ('OWNER', 'ADMIN', 'MEMBER', 'VIEWER')", name=op.f('ck_api_key_role')),
        sa.ForeignKeyConstraint(['member_id'], ['member.id'], name=op.f('fk_api_key_member_id'), ondelete='SET NULL'),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_api_key_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_api_key')),
        sa.UniqueConstraint('previous_token_hash', name=op.f('uq_api_key_previous_token_hash')),
        sa.UniqueConstraint('token_hash', name=op.f('uq_api_key_token_hash')),
    )
    op.create_index(op.f('ix_api_key_member_id'), 'api_key', ['member_id'])
    op.create_index(op.f('ix_api_key_workspace_id'), 'api_key', ['workspace_id'])
    op.create_table(
        'idempotency_key',
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('key', sa.Text(), nullable=False),
        sa.Column('request_sha256', sa.Text(), nullable=False),
        sa.Column('claim', sa.Text(), nullable=False),
        sa.Column('status', sa.Integer(), nullable=True),
        sa.Column('answer', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_idempotency_key_workspace_id')),
        sa.PrimaryKeyConstraint('workspace_id', 'key', name=op.f('pk_idempotency_key')),
    )
    op.create_index(op.f('ix_idempotency_key_created_at'), 'idempotency_key', ['created_at'])
    op.create_table(
        'rate_limit',
        sa.Column('key', sa.Text(), nullable=False),
        sa.Column('hits', sa.Integer(), nullable=False),
        sa.Column('ends_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.PrimaryKeyConstraint('key', name=op.f('pk_rate_limit')),
        prefixes=['UNLOGGED'],
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
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_notification_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_notification')),
    )
    op.create_index('ix_notification_user_id_created_at', 'notification', ['user_id', sa.literal_column('created_at DESC'), 'id'])
    op.create_table(
        'secret',
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('ciphertext', sa.Text(), nullable=False),
        sa.Column('fingerprint', sa.Text(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_secret_workspace_id')),
        sa.PrimaryKeyConstraint('workspace_id', 'name', name=op.f('pk_secret')),
    )
    op.create_table(
        'integration',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('type', sa.Text(), nullable=False),
        sa.Column('config', postgresql.JSON(), nullable=False),
        sa.Column('ciphertext', sa.Text(), nullable=True),
        sa.Column('fingerprint', sa.Text(), nullable=True),
        sa.Column('enabled', sa.Boolean(), server_default=sa.text('true'), nullable=False),
        sa.Column('is_site_email_provider', sa.Boolean(), server_default=sa.text('false'), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.CheckConstraint("type IN ('EMAIL_PROVIDER', 'DOCUMENT_ENGINE', 'WEBHOOK', 'SLACK', 'AI_PROVIDER')", name=op.f('ck_integration_type')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_integration_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_integration')),
        sa.UniqueConstraint('workspace_id', 'name', name=op.f('uq_integration_workspace_id_name')),
    )
    op.create_index('uq_integration_site_email_provider', 'integration', ['workspace_id'], unique=True, postgresql_where=sa.text('is_site_email_provider'))


def _automations() -> None:
    op.create_table(
        'workflow',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('number', sa.BigInteger(), sa.Identity(always=True, minvalue=0), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('key', sa.Text(), nullable=True),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('status', sa.Text(), nullable=False),
        sa.Column('version', sa.Integer(), nullable=False),
        sa.Column('republished', sa.BigInteger(), server_default='0', nullable=False),
        sa.Column('held_up', sa.Text(), nullable=True),
        sa.Column('held_up_by', sa.Text(), nullable=True),
        sa.Column('held_up_since', sa.DateTime(timezone=True), nullable=True),
        sa.Column('recovered_from', sa.DateTime(timezone=True), nullable=True),
        sa.Column('trigger_key', sa.Text(), nullable=True),
        sa.Column('webhook_salt', sa.Text(), nullable=True),
        sa.Column('webhook_hash', sa.Text(), nullable=True),
        sa.Column('created_by', sa.Text(), nullable=True),
        sa.Column('created_by_key_id', sa.Text(), nullable=True),
        sa.Column('created_by_member_id', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("held_up IN ('paused', 'deleted')", name=op.f('ck_workflow_held_up')),
        sa.CheckConstraint("status IN ('DRAFT', 'ACTIVE', 'PAUSED', 'ARCHIVED')", name=op.f('ck_workflow_status')),
        sa.ForeignKeyConstraint(['created_by_key_id'], ['api_key.id'], name=op.f('fk_workflow_created_by_key_id')),
        sa.ForeignKeyConstraint(['created_by_member_id'], ['member.id'], name=op.f('fk_workflow_created_by_member_id'), ondelete='SET NULL'),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_workflow_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_workflow')),
        sa.UniqueConstraint('number', name=op.f('uq_workflow_number')),
        sa.UniqueConstraint('webhook_hash', name=op.f('uq_workflow_webhook_hash')),
    )
    op.create_index('ix_workflow_held_up', 'workflow', ['id'], postgresql_where=sa.text('held_up IS NOT NULL'))
    op.create_index('ix_workflow_republished', 'workflow', ['republished'])
    op.create_index('ix_workflow_trigger_key', 'workflow', ['workspace_id', 'trigger_key'])
    op.create_index('ix_workflow_workspace_id_created_at', 'workflow', ['workspace_id', 'created_at'])
    op.create_index('uq_workflow_key', 'workflow', ['workspace_id', 'key'], unique=True, postgresql_where=sa.text('deleted_at IS NULL AND key IS NOT NULL'))
    op.create_table(
        'workflow_version',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workflow_id', sa.Text(), nullable=False),
        sa.Column('version', sa.Integer(), nullable=False),
        sa.Column('revision', sa.BigInteger(), nullable=False),
        sa.Column('status', sa.Text(), nullable=False),
        sa.Column('definition', postgresql.JSON(), nullable=False),
        sa.Column('scheduled_since', sa.DateTime(timezone=True), nullable=True),
        sa.Column('created_by', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.CheckConstraint("status IN ('DRAFT', 'ACTIVE', 'PAUSED', 'ARCHIVED')", name=op.f('ck_workflow_version_status')),
        sa.ForeignKeyConstraint(['workflow_id'], ['workflow.id'], name=op.f('fk_workflow_version_workflow_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_workflow_version')),
        sa.UniqueConstraint('revision', name=op.f('uq_workflow_version_revision')),
        sa.UniqueConstraint('workflow_id', 'version', name=op.f('uq_workflow_version_workflow_id_version')),
    )
    op.create_index('ix_workflow_version_workflow_id_revision', 'workflow_version', ['workflow_id', 'revision'])
    op.create_table(
        'workflow_edit',
        sa.Column('workflow_id', sa.Text(), nullable=False),
        sa.Column('editor_id', sa.Text(), nullable=False),
        sa.Column('base_version', sa.Integer(), nullable=False),
        sa.Column('place', sa.Integer(), nullable=False),
        sa.Column('last', sa.Integer(), nullable=False),
        sa.Column('changes', sa.Integer(), nullable=False),
        sa.Column('sample', postgresql.JSON(), nullable=False),
        sa.Column('changed_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.ForeignKeyConstraint(['workflow_id'], ['workflow.id'], name=op.f('fk_workflow_edit_workflow_id')),
        sa.PrimaryKeyConstraint('workflow_id', 'editor_id', name=op.f('pk_workflow_edit')),
    )
    op.create_table(
        'workflow_edit_state',
        sa.Column('workflow_id', sa.Text(), nullable=False),
        sa.Column('editor_id', sa.Text(), nullable=False),
        sa.Column('number', sa.Integer(), nullable=False),
        sa.Column('typed_into', sa.Text(), nullable=False),
        sa.Column('definition', postgresql.JSON(), nullable=False),
        sa.ForeignKeyConstraint(['workflow_id', 'editor_id'], ['workflow_edit.workflow_id', 'workflow_edit.editor_id'], name=op.f('fk_workflow_edit_state_workflow_id'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('workflow_id', 'editor_id', 'number', name=op.f('pk_workflow_edit_state')),
    )


def _events() -> None:
    op.create_table(
        'event',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('type', sa.Text(), nullable=False),
        sa.Column('trigger_key', sa.Text(), nullable=False),
        sa.Column('data', postgresql.JSON(), nullable=False),
        sa.Column('actors', postgresql.JSON(), nullable=False),
        sa.Column('cause_run_id', sa.Text(), nullable=True),
        sa.Column('source', sa.Text(), nullable=True),
        sa.Column('external_id', sa.Text(), nullable=True),
        sa.Column('signature', sa.Text(), nullable=True),
        sa.Column('raw', sa.LargeBinary(), nullable=True),
        sa.Column('traceparent', sa.Text(), nullable=True),
        sa.Column('status', sa.Text(), server_default='PENDING', nullable=False),
        sa.Column('reason', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('matched_at', sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('PENDING', 'MATCHED', 'SKIPPED')", name=op.f('ck_event_status')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_event_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_event')),
        sa.UniqueConstraint('workspace_id', 'source', 'external_id', name=op.f('uq_event_workspace_id_source_external_id')),
    )
    op.create_index('ix_event_workspace_id_created_at', 'event', ['workspace_id', 'created_at'])
    op.create_index('uq_event_signature', 'event', ['workspace_id', 'source', 'signature'], unique=True, postgresql_where=sa.text('signature IS NOT NULL'))
    op.create_table(
        'debounced_events',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workflow_id', sa.Text(), nullable=False),
        sa.Column('key', sa.Text(), nullable=False),
        sa.Column('event_id', sa.Text(), nullable=False),
        sa.Column('event_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('replaced_id', sa.Text(), nullable=True),
        sa.Column('events', sa.Integer(), server_default='1', nullable=False),
        sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('latest_at', sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['event_id'], ['event.id'], name=op.f('fk_debounced_events_event_id')),
        sa.ForeignKeyConstraint(['workflow_id'], ['workflow.id'], name=op.f('fk_debounced_events_workflow_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_debounced_events')),
        sa.UniqueConstraint('workflow_id', 'key', name=op.f('uq_debounced_events_workflow_id_key')),
    )
    op.create_index(op.f('ix_debounced_events_event_id'), 'debounced_events', ['event_id'])
    op.create_table(
        'job',
        sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column('kind', sa.Text(), nullable=False),
        sa.Column('subject_id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=True),
        sa.Column('lane', sa.Text(), nullable=True),
        sa.Column('urgent', sa.Boolean(), server_default=sa.text('false'), nullable=False),
        sa.Column('claims', sa.Integer(), server_default='0', nullable=False),
        sa.Column('holder', sa.Integer(), nullable=True),
        sa.Column('failures', sa.Integer(), server_default='0', nullable=False),
        sa.Column('available_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('error', sa.Text(), nullable=True),
        sa.Column('dead_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.CheckConstraint("kind IN ('match_event', 'start_run', 'start_child', 'express_run', 'show_run', 'answer_wait', 'ask_approver', 'remind_approver', 'escalate_wait', 'send_form', 'fail_run', 'retry_run', 'wake_parent', 'sync_pipeline', 'schedule_pipeline', 'retry_latest', 'report_failure', 'admit_run', 'next_run', 'end_debounce', 'name_override', 'end_runs', 'call_dag', 'end_dag_run')", name=op.f('ck_job_kind')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_job')),
        sa.UniqueConstraint('kind', 'subject_id', name=op.f('uq_job_kind_subject_id')),
    )
    op.create_index('ix_job_due', 'job', ['kind', 'available_at', 'id'], unique=False, postgresql_where=sa.text('lane IS NULL AND dead_at IS NULL'))
    op.create_index('ix_job_line', 'job', ['kind', 'urgent', 'workspace_id', 'lane', 'available_at', 'id'], unique=False, postgresql_where=sa.text('lane IS NOT NULL'))
    op.create_table(
        'watermark',
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('value', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('name', name=op.f('pk_watermark')),
    )
    op.create_table(
        'effect',
        sa.Column('key', sa.Text(), nullable=False),
        sa.Column('result', postgresql.JSON(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.PrimaryKeyConstraint('key', name=op.f('pk_effect')),
    )


def _runs() -> None:
    op.create_table(
        'run',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('workflow_id', sa.Text(), nullable=False),
        sa.Column('version', sa.Integer(), nullable=False),
        sa.Column('status', sa.Text(), server_default='RUNNING', nullable=False),
        sa.Column('trigger_type', sa.Text(), nullable=False),
        sa.Column('trigger_data', postgresql.JSON(), nullable=False),
        sa.Column('input', postgresql.JSON(), nullable=False),
        sa.Column('variables', postgresql.JSON(), nullable=False),
        sa.Column('event_id', sa.Text(), nullable=True),
        sa.Column('depth', sa.Integer(), server_default='0', nullable=False),
        sa.Column('parent_run_id', sa.Text(), nullable=True),
        sa.Column('awaited', sa.Boolean(), server_default=sa.text('false'), nullable=False),
        sa.Column('replay_of_run_id', sa.Text(), nullable=True),
        sa.Column('traceparent', sa.Text(), nullable=True),
        sa.Column('slot_key', sa.Text(), nullable=True),
        sa.Column('rate_key', sa.Text(), nullable=True),
        sa.Column('slot', sa.Text(), nullable=True),
        sa.Column('generation', sa.Integer(), server_default='0', nullable=False),
        sa.Column('reviving', sa.Boolean(), server_default=sa.text('false'), nullable=False),
        sa.Column('model_cost', sa.Numeric(), server_default='0', nullable=False),
        sa.Column('model_tokens', sa.BigInteger(), server_default='0', nullable=False),
        sa.Column('express', sa.Boolean(), server_default=sa.text('false'), nullable=False),
        sa.Column('dispatched_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('dag_run_id', sa.Text(), nullable=True),
        sa.Column('started_by', sa.Text(), nullable=True),
        sa.Column('starters', postgresql.JSON(), nullable=False),
        sa.Column('started_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('completed_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('error', sa.Text(), nullable=True),
        sa.CheckConstraint("slot IN ('WAITING', 'HELD')", name=op.f('ck_run_slot')),
        sa.CheckConstraint("status IN ('RUNNING', 'COMPLETED', 'FAILED', 'PAUSED', 'CANCELLED', 'WAITING_FOR_CHILD')", name=op.f('ck_run_status')),
        sa.ForeignKeyConstraint(['event_id'], ['event.id'], name=op.f('fk_run_event_id')),
        sa.ForeignKeyConstraint(['workflow_id'], ['workflow.id'], name=op.f('fk_run_workflow_id')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_run_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_run')),
        sa.UniqueConstraint('event_id', 'workflow_id', name=op.f('uq_run_event_id_workflow_id')),
    )
    op.create_index('ix_run_in_airflow', 'run', ['dispatched_at'], unique=False, postgresql_where=sa.text("status IN ('RUNNING') AND dispatched_at IS NOT NULL"))
    op.create_index(op.f('ix_run_parent_run_id'), 'run', ['parent_run_id'])
    op.create_index('ix_run_rate_key', 'run', ['rate_key', 'started_at'], unique=False, postgresql_where=sa.text('rate_key IS NOT NULL'))
    op.create_index('ix_run_slot', 'run', ['slot_key', 'slot', 'started_at', 'id'], unique=False, postgresql_where=sa.text("slot IS NOT NULL AND status IN ('RUNNING', 'PAUSED', 'WAITING_FOR_CHILD')"))
    op.create_index('ix_run_unfinished', 'run', ['started_at'], unique=False, postgresql_where=sa.text("status IN ('RUNNING', 'PAUSED', 'WAITING_FOR_CHILD')"))
    op.create_index('ix_run_completed_at', 'run', ['completed_at'])
    op.create_index('ix_run_workflow_id_started_at', 'run', ['workflow_id', sa.literal_column('started_at DESC'), 'id'])
    op.create_index('ix_run_workspace_id_started_at', 'run', ['workspace_id', sa.literal_column('started_at DESC'), 'id'])
    op.create_table(
        'run_step',
        sa.Column('run_id', sa.Text(), nullable=False),
        sa.Column('node_id', sa.Text(), nullable=False),
        sa.Column('status', sa.Text(), nullable=False),
        sa.Column('generation', sa.Integer(), nullable=False),
        sa.Column('attempt', sa.Integer(), nullable=False),
        sa.Column('deaths', sa.Integer(), server_default='0', nullable=False),
        sa.Column('unseen_deaths', sa.Integer(), server_default='0', nullable=False),
        sa.Column('retries', sa.Integer(), server_default='0', nullable=False),
        sa.Column('input', postgresql.JSON(), nullable=True),
        sa.Column('output', postgresql.JSON(), nullable=True),
        sa.Column('verdict', postgresql.JSON(), nullable=True),
        sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('retry_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('log_lines', postgresql.JSON(astext_type=sa.Text()), nullable=True),
        sa.CheckConstraint("status IN ('RUNNING', 'WAITING', 'DONE', 'FAILED', 'SKIPPED')", name=op.f('ck_run_step_status')),
        sa.ForeignKeyConstraint(['run_id'], ['run.id'], name=op.f('fk_run_step_run_id')),
        sa.PrimaryKeyConstraint('run_id', 'node_id', name=op.f('pk_run_step')),
    )
    op.create_table(
        'handover',
        sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column('run_id', sa.Text(), nullable=False),
        sa.Column('marks', postgresql.JSON(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.ForeignKeyConstraint(['run_id'], ['run.id'], name=op.f('fk_handover_run_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_handover')),
    )
    op.create_index(op.f('ix_handover_run_id'), 'handover', ['run_id'])
    op.create_table(
        'dag_call',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('run_id', sa.Text(), nullable=False),
        sa.Column('dag_id', sa.Text(), nullable=False),
        sa.Column('conf', postgresql.JSON(), nullable=False),
        sa.Column('awaited', sa.Boolean(), nullable=False),
        sa.Column('status', sa.Text(), server_default='REQUESTED', nullable=False),
        sa.Column('takers', sa.Integer(), server_default='0', nullable=False),
        sa.Column('outputs', postgresql.JSON(), nullable=True),
        sa.Column('error', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('REQUESTED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED', 'REFUSED')", name=op.f('ck_dag_call_status')),
        sa.ForeignKeyConstraint(['run_id'], ['run.id'], name=op.f('fk_dag_call_run_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_dag_call')),
    )
    op.create_index('ix_dag_call_run_id', 'dag_call', ['run_id'])
    op.create_table(
        'step_log',
        sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column('run_id', sa.Text(), nullable=False),
        sa.Column('step_id', sa.Text(), nullable=False),
        sa.Column('step_type', sa.Text(), nullable=False),
        sa.Column('step_name', sa.Text(), nullable=False),
        sa.Column('status', sa.Text(), nullable=False),
        sa.Column('duration_ms', sa.Integer(), nullable=False),
        sa.Column('timestamp', sa.DateTime(timezone=True), nullable=False),
        sa.Column('output', sa.Text(), nullable=False),
        sa.Column('iteration', postgresql.JSON(), nullable=True),
        sa.CheckConstraint("status IN ('success', 'failed', 'retrying', 'marked', 'cleared')", name=op.f('ck_step_log_status')),
        sa.ForeignKeyConstraint(['run_id'], ['run.id'], name=op.f('fk_step_log_run_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_step_log')),
    )
    op.create_index('ix_step_log_run_id_id', 'step_log', ['run_id', 'id'])
    op.create_table(
        'wait',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('run_id', sa.Text(), nullable=False),
        sa.Column('node_id', sa.Text(), nullable=False),
        sa.Column('generation', sa.Integer(), nullable=False),
        sa.Column('kind', sa.Text(), nullable=False),
        sa.Column('status', sa.Text(), server_default='OPEN', nullable=False),
        sa.Column('question', postgresql.JSON(), nullable=True),
        sa.Column('key', sa.Text(), nullable=True),
        sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('decision', sa.Text(), nullable=True),
        sa.Column('decided_by', sa.Text(), nullable=True),
        sa.Column('override', sa.Boolean(), server_default=sa.text('false'), nullable=False),
        sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('data', postgresql.JSON(), nullable=True),
        sa.Column('reason', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('number', sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.CheckConstraint("decision IN ('approved', 'rejected', 'resumed', 'elapsed', 'expired')", name=op.f('ck_wait_decision')),
        sa.CheckConstraint("kind IN ('delay', 'decision', 'callback', 'form', 'child', 'retry', 'slot')", name=op.f('ck_wait_kind')),
        sa.CheckConstraint("status IN ('OPEN', 'ANSWERED', 'CANCELLED')", name=op.f('ck_wait_status')),
        sa.ForeignKeyConstraint(['run_id'], ['run.id'], name=op.f('fk_wait_run_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_wait')),
    )
    op.create_index('ix_wait_due', 'wait', ['due_at'], unique=False, postgresql_where=sa.text("status IN ('OPEN')"))
    op.create_index('ix_wait_run_id_number', 'wait', ['run_id', 'number'])
    op.create_index('uq_wait_open_node', 'wait', ['run_id', 'node_id'], unique=True, postgresql_where=sa.text("status IN ('OPEN')"))
    op.create_table(
        'approver',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('wait_id', sa.Text(), nullable=False),
        sa.Column('address', sa.Text(), nullable=False),
        sa.Column('token_hash', sa.Text(), nullable=True),
        sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('undelivered', sa.Text(), nullable=True),
        sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('decision', sa.Text(), nullable=True),
        sa.Column('reason', sa.Text(), nullable=True),
        sa.CheckConstraint("decision IN ('approved', 'rejected', 'resumed', 'elapsed', 'expired')", name=op.f('ck_approver_decision')),
        sa.ForeignKeyConstraint(['wait_id'], ['wait.id'], name=op.f('fk_approver_wait_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_approver')),
        sa.UniqueConstraint('token_hash', name=op.f('uq_approver_token_hash')),
        sa.UniqueConstraint('wait_id', 'address', name=op.f('uq_approver_wait_id_address')),
    )
    op.create_table(
        'callback',
        sa.Column('token_hash', sa.Text(), nullable=False),
        sa.Column('run_id', sa.Text(), nullable=False),
        sa.Column('key', sa.Text(), nullable=False),
        sa.Column('called_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('data', postgresql.JSON(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.ForeignKeyConstraint(['run_id'], ['run.id'], name=op.f('fk_callback_run_id')),
        sa.PrimaryKeyConstraint('token_hash', name=op.f('pk_callback')),
        sa.UniqueConstraint('key', name=op.f('uq_callback_key')),
    )
    op.create_index(op.f('ix_callback_run_id'), 'callback', ['run_id'])
    op.create_table(
        'loop_cursor',
        sa.Column('run_id', sa.Text(), nullable=False),
        sa.Column('node_id', sa.Text(), nullable=False),
        sa.Column('generation', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('path', sa.Text(), nullable=False),
        sa.Column('open', postgresql.JSON(), nullable=False),
        sa.Column('waiting', sa.Text(), nullable=True),
        sa.Column('items', postgresql.JSON(), nullable=True),
        sa.ForeignKeyConstraint(['run_id'], ['run.id'], name=op.f('fk_loop_cursor_run_id'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('run_id', 'node_id', 'generation', 'path', name=op.f('pk_loop_cursor')),
    )
    op.create_table(
        'loop_result',
        sa.Column('run_id', sa.Text(), nullable=False),
        sa.Column('node_id', sa.Text(), nullable=False),
        sa.Column('generation', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('path', sa.Text(), nullable=False),
        sa.Column('index', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('entries', postgresql.JSON(), nullable=False),
        sa.ForeignKeyConstraint(['run_id'], ['run.id'], name=op.f('fk_loop_result_run_id'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('run_id', 'node_id', 'generation', 'path', 'index', name=op.f('pk_loop_result')),
    )


def _forms() -> None:
    op.create_table(
        'form',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('title', sa.Text(), nullable=False),
        sa.Column('description', sa.Text(), server_default='', nullable=False),
        sa.Column('schema', postgresql.JSON(), nullable=False),
        sa.Column('version', sa.Integer(), server_default='1', nullable=False),
        sa.Column('public', sa.Boolean(), server_default='false', nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_form_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_form')),
    )
    op.create_index(op.f('ix_form_workspace_id'), 'form', ['workspace_id'])
    op.create_table(
        'form_version',
        sa.Column('form_id', sa.Text(), nullable=False),
        sa.Column('version', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('title', sa.Text(), nullable=False),
        sa.Column('description', sa.Text(), nullable=False),
        sa.Column('schema', postgresql.JSON(), nullable=False),
        sa.Column('created_by', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.ForeignKeyConstraint(['form_id'], ['form.id'], name=op.f('fk_form_version_form_id')),
        sa.PrimaryKeyConstraint('form_id', 'version', name=op.f('pk_form_version')),
    )
    op.create_table(
        'form_edit',
        sa.Column('form_id', sa.Text(), nullable=False),
        sa.Column('editor_id', sa.Text(), nullable=False),
        sa.Column('base_version', sa.Integer(), nullable=False),
        sa.Column('states', postgresql.JSON(), nullable=False),
        sa.Column('place', sa.Integer(), nullable=False),
        sa.Column('typed_into', sa.Text(), nullable=False),
        sa.Column('changes', sa.Integer(), nullable=False),
        sa.Column('changed_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.ForeignKeyConstraint(['form_id'], ['form.id'], name=op.f('fk_form_edit_form_id')),
        sa.PrimaryKeyConstraint('form_id', 'editor_id', name=op.f('pk_form_edit')),
    )
    op.create_table(
        'submission',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('form_id', sa.Text(), nullable=False),
        sa.Column('form_version', sa.Integer(), nullable=False),
        sa.Column('data', postgresql.JSON(), nullable=False),
        sa.Column('status', sa.Text(), server_default='PENDING', nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('submitters', postgresql.JSON(), nullable=False),
        sa.Column('decided_by', sa.Text(), nullable=True),
        sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('PENDING', 'APPROVED', 'REJECTED')", name=op.f('ck_submission_status')),
        sa.ForeignKeyConstraint(['form_id'], ['form.id'], name=op.f('fk_submission_form_id')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_submission_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_submission')),
    )
    op.create_index('ix_submission_form_id_created_at', 'submission', ['form_id', 'created_at'])
    op.create_index('ix_submission_workspace_id_created_at', 'submission', ['workspace_id', 'created_at'])
    op.create_table(
        'submission_snapshot',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('submission_id', sa.Text(), nullable=False),
        sa.Column('number', sa.Integer(), nullable=False),
        sa.Column('form_version', sa.Integer(), nullable=False),
        sa.Column('data', postgresql.JSON(), nullable=False),
        sa.Column('changed_by', sa.Text(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.ForeignKeyConstraint(['submission_id'], ['submission.id'], name=op.f('fk_submission_snapshot_submission_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_submission_snapshot')),
        sa.UniqueConstraint('submission_id', 'number', name=op.f('uq_submission_snapshot_submission_id_number')),
    )
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
        sa.Column('prefill', postgresql.JSON(), nullable=False),
        sa.Column('wait_for', sa.Text(), nullable=True),
        sa.Column('remind_seconds', sa.Double(), nullable=True),
        sa.Column('token_hash', sa.Text(), nullable=False),
        sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('undelivered', sa.Text(), nullable=True),
        sa.Column('submission_id', sa.Text(), nullable=True),
        sa.Column('submitted_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.ForeignKeyConstraint(['form_id'], ['form.id'], name=op.f('fk_form_request_form_id')),
        sa.ForeignKeyConstraint(['run_id'], ['run.id'], name=op.f('fk_form_request_run_id')),
        sa.ForeignKeyConstraint(['submission_id'], ['submission.id'], name=op.f('fk_form_request_submission_id')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_form_request_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_form_request')),
        sa.UniqueConstraint('key', 'recipient', name=op.f('uq_form_request_key_recipient')),
        sa.UniqueConstraint('token_hash', name=op.f('uq_form_request_token_hash')),
    )
    op.create_index(op.f('ix_form_request_run_id'), 'form_request', ['run_id'])
    op.create_index(op.f('ix_form_request_workspace_id'), 'form_request', ['workspace_id'])


def _documents() -> None:
    op.create_table(
        'document_template',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('format', sa.Text(), nullable=False),
        sa.Column('content', sa.LargeBinary(), nullable=False),
        sa.Column('size', sa.Integer(), nullable=False),
        sa.Column('sha256', sa.Text(), nullable=False),
        sa.Column('placeholders', postgresql.JSON(), nullable=False),
        sa.Column('version', sa.Integer(), server_default='1', nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.CheckConstraint("format IN ('docx', 'markdown')", name=op.f('ck_document_template_format')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_document_template_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_document_template')),
    )
    op.create_index('ix_document_template_workspace_id_created_at', 'document_template', ['workspace_id', 'created_at'])
    op.create_table(
        'document',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('run_id', sa.Text(), nullable=True),
        sa.Column('submission_id', sa.Text(), nullable=True),
        sa.Column('template_id', sa.Text(), nullable=True),
        sa.Column('template_version', sa.Integer(), nullable=True),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('format', sa.Text(), nullable=False),
        sa.Column('content', sa.LargeBinary(), nullable=False),
        sa.Column('size', sa.Integer(), nullable=False),
        sa.Column('sha256', sa.Text(), nullable=False),
        sa.Column('engine', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.CheckConstraint("format IN ('pdf', 'docx', 'xlsx', 'pptx', 'odt', 'ods', 'png', 'jpg', 'jpeg', 'gif', 'webp', 'tiff', 'txt', 'csv')", name=op.f('ck_document_format')),
        sa.ForeignKeyConstraint(['submission_id'], ['submission.id'], name=op.f('fk_document_submission_id')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_document_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_document')),
    )
    op.create_index(op.f('ix_document_run_id'), 'document', ['run_id'])
    op.create_index(op.f('ix_document_submission_id'), 'document', ['submission_id'])
    op.create_index('ix_document_workspace_id_created_at', 'document', ['workspace_id', 'created_at'])
    op.create_table(
        'document_delivery',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('document_id', sa.Text(), nullable=False),
        sa.Column('run_id', sa.Text(), nullable=False),
        sa.Column('key', sa.Text(), nullable=False),
        sa.Column('address', sa.Text(), nullable=False),
        sa.Column('status', sa.Text(), nullable=False),
        sa.Column('message_id', sa.Text(), nullable=True),
        sa.Column('reason', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.CheckConstraint("status IN ('SENT', 'REJECTED')", name=op.f('ck_document_delivery_status')),
        sa.ForeignKeyConstraint(['document_id'], ['document.id'], name=op.f('fk_document_delivery_document_id')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_document_delivery_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_document_delivery')),
        sa.UniqueConstraint('key', name=op.f('uq_document_delivery_key')),
    )
    op.create_index('ix_document_delivery_document_id_created_at', 'document_delivery', ['document_id', 'created_at'])


def _tables() -> None:
    op.create_table(
        'data_table',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('description', sa.Text(), server_default='', nullable=False),
        sa.Column('category', sa.Text(), server_default='USER', nullable=False),
        sa.Column('columns', postgresql.JSON(), nullable=False),
        sa.Column('form_id', sa.Text(), nullable=True),
        sa.Column('form_columns', postgresql.JSON(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('deleted_at', sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("category IN ('SYSTEM', 'FORM', 'PIPELINE', 'USER', 'MATTER', 'INTEGRATION')", name=op.f('ck_data_table_category')),
        sa.ForeignKeyConstraint(['form_id'], ['form.id'], name=op.f('fk_data_table_form_id')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_data_table_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_data_table')),
    )
    op.create_index(op.f('ix_data_table_workspace_id'), 'data_table', ['workspace_id'])
    op.create_index('uq_data_table_form_id', 'data_table', ['form_id'], unique=True, postgresql_where=sa.text('form_id IS NOT NULL AND deleted_at IS NULL'))
    op.create_table(
        'data_row',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('table_id', sa.Text(), nullable=False),
        sa.Column('data', postgresql.JSONB(), nullable=False),
        sa.Column('key_hash', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.ForeignKeyConstraint(['table_id'], ['data_table.id'], name=op.f('fk_data_row_table_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_data_row')),
    )
    op.create_index('ix_data_row_table_id_created_at_id', 'data_row', ['table_id', 'created_at', 'id'])
    op.create_index('ix_data_row_unhashed', 'data_row', ['table_id'], unique=False, postgresql_where=sa.text('key_hash IS NULL'))
    op.create_index('uq_data_row_table_id_key_hash', 'data_row', ['table_id', 'key_hash'], unique=True, postgresql_where=sa.text('key_hash IS NOT NULL'))
    op.create_table(
        'row_file',
        sa.Column('table_id', sa.Text(), nullable=False),
        sa.Column('editor_id', sa.Text(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('content', sa.LargeBinary(), nullable=False),
        sa.Column('kept_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.ForeignKeyConstraint(['table_id'], ['data_table.id'], name=op.f('fk_row_file_table_id')),
        sa.PrimaryKeyConstraint('table_id', 'editor_id', name=op.f('pk_row_file')),
    )
    op.create_table(
        'pipeline_connection',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('connector_type', sa.Text(), nullable=False),
        sa.Column('config', postgresql.JSON(), nullable=False),
        sa.Column('tables', postgresql.JSON(), nullable=False),
        sa.Column('interval', sa.Text(), nullable=True),
        sa.Column('enabled', sa.Boolean(), server_default=sa.text('true'), nullable=False),
        sa.Column('webhook_salt', sa.Text(), nullable=True),
        sa.Column('webhook_hash', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.CheckConstraint("connector_type IN ('push', 'http')", name=op.f('ck_pipeline_connection_connector_type')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_pipeline_connection_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_pipeline_connection')),
        sa.UniqueConstraint('webhook_hash', name=op.f('uq_pipeline_connection_webhook_hash')),
        sa.UniqueConstraint('workspace_id', 'name', name=op.f('uq_pipeline_connection_workspace_id_name')),
    )
    op.create_table(
        'pipeline_run',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('connection_id', sa.Text(), nullable=False),
        sa.Column('status', sa.Text(), server_default='RUNNING', nullable=False),
        sa.Column('started_by', sa.Text(), nullable=False),
        sa.Column('key', sa.Text(), nullable=True),
        sa.Column('delivery_id', sa.Text(), nullable=True),
        sa.Column('rerun_requested', sa.Boolean(), server_default=sa.text('false'), nullable=False),
        sa.Column('pages', sa.Integer(), server_default='0', nullable=False),
        sa.Column('fence', sa.Integer(), server_default='0', nullable=False),
        sa.Column('cursor', sa.Text(), nullable=True),
        sa.Column('records', sa.Integer(), server_default='0', nullable=False),
        sa.Column('tables', postgresql.JSON(), nullable=False),
        sa.Column('errors', postgresql.JSON(), nullable=False),
        sa.Column('error', sa.Text(), nullable=True),
        sa.Column('started_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('completed_at', sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("started_by IN ('push', 'pull', 'schedule', 'airflow', 'webhook')", name=op.f('ck_pipeline_run_started_by')),
        sa.CheckConstraint("status IN ('RUNNING', 'COMPLETED', 'FAILED', 'STOPPED')", name=op.f('ck_pipeline_run_status')),
        sa.ForeignKeyConstraint(['connection_id'], ['pipeline_connection.id'], name=op.f('fk_pipeline_run_connection_id'), ondelete='CASCADE'),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_pipeline_run_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_pipeline_run')),
    )
    op.create_index('ix_pipeline_run_connection_id_started_at_id', 'pipeline_run', ['connection_id', 'started_at', 'id'])
    op.create_index('uq_pipeline_run_connection_id_delivery_id', 'pipeline_run', ['connection_id', 'delivery_id'], unique=True, postgresql_where=sa.text('delivery_id IS NOT NULL'))
    op.create_index('uq_pipeline_run_connection_id_key', 'pipeline_run', ['connection_id', 'key'], unique=True, postgresql_where=sa.text("status IN ('RUNNING')"))


def _matters() -> None:
    op.create_table(
        'matter_template',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('name', sa.Text(), nullable=False),
        sa.Column('description', sa.Text(), server_default='', nullable=False),
        sa.Column('board_type', sa.Text(), nullable=False),
        sa.Column('steps', postgresql.JSON(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
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
        sa.Column('tags', postgresql.JSON(), nullable=False),
        sa.Column('assignee_id', sa.Text(), nullable=True),
        sa.Column('properties', postgresql.JSON(), nullable=False),
        sa.Column('current_step_id', sa.Text(), nullable=True),
        sa.Column('created_by', sa.Text(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('completed_at', sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("priority IN ('LOW', 'MEDIUM', 'HIGH', 'URGENT')", name=op.f('ck_matter_priority')),
        sa.CheckConstraint("status IN ('ACTIVE', 'COMPLETED', 'CANCELLED')", name=op.f('ck_matter_status')),
        sa.ForeignKeyConstraint(['assignee_id'], ['member.id'], name=op.f('fk_matter_assignee_id'), ondelete='SET NULL'),
        sa.ForeignKeyConstraint(['template_id'], ['matter_template.id'], name=op.f('fk_matter_template_id')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_matter_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_matter')),
        sa.UniqueConstraint('workspace_id', 'number', name=op.f('uq_matter_workspace_id_number')),
    )
    op.create_index(op.f('ix_matter_assignee_id'), 'matter', ['assignee_id'])
    op.create_index(op.f('ix_matter_template_id'), 'matter', ['template_id'])
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


def _records() -> None:
    op.create_table(
        'audit_log',
        sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('actor_type', sa.Text(), nullable=False),
        sa.Column('actor', sa.Text(), nullable=False),
        sa.Column('actor_id', sa.Text(), nullable=True),
        sa.Column('action', sa.Text(), nullable=False),
        sa.Column('resource_type', sa.Text(), nullable=False),
        sa.Column('resource_id', sa.Text(), nullable=False),
        sa.Column('ip', sa.Text(), nullable=True),
        sa.Column('request_id', sa.Text(), nullable=True),
        sa.Column('details', postgresql.JSON(), nullable=False),
        sa.CheckConstraint("actor_type IN ('api_key', 'recipient', 'airflow', 'anonymous', 'system', 'member')", name=op.f('ck_audit_log_actor_type')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_audit_log_workspace_id')),
        sa.PrimaryKeyConstraint('id', 'at', name=op.f('pk_audit_log')),
        postgresql_partition_by='RANGE (at)',
    )
    op.create_index('ix_audit_log_workspace_id_at', 'audit_log', ['workspace_id', sa.literal_column('at DESC'), sa.literal_column('id DESC')])
    op.create_table(
        'security_event',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=True),
        sa.Column('at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
        sa.Column('type', sa.Text(), nullable=False),
        sa.Column('severity', sa.Text(), nullable=False),
        sa.Column('actor', sa.Text(), nullable=False),
        sa.Column('ip', sa.Text(), nullable=True),
        sa.Column('request_id', sa.Text(), nullable=True),
        sa.Column('details', postgresql.JSON(), nullable=False),
        sa.Column('count', sa.Integer(), server_default='1', nullable=False),
        sa.Column('flood_key', sa.Text(), nullable=True),
        sa.CheckConstraint("severity IN ('INFO', 'WARNING', 'HIGH')", name=op.f('ck_security_event_severity')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_security_event_workspace_id')),
        sa.PrimaryKeyConstraint('id', 'at', name=op.f('pk_security_event')),
        postgresql_partition_by='RANGE (at)',
    )
    op.create_index('ix_security_event_flood_key', 'security_event', ['flood_key'], unique=False, postgresql_where=sa.text('flood_key IS NOT NULL'))
    op.create_index('ix_security_event_workspace_id_at', 'security_event', ['workspace_id', sa.literal_column('at DESC'), sa.literal_column('id DESC')])
    # The other parts are of a month each, and made when they are needed.
    for table in ('audit_log', 'security_event'):
        op.execute(f'CREATE TABLE {table}_default PARTITION OF {table} DEFAULT')
    op.create_table(
        'evidence_snapshot',
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('number', sa.Integer(), nullable=False),
        sa.Column('source', sa.Text(), nullable=False),
        sa.Column('title', sa.Text(), nullable=False),
        sa.Column('query', postgresql.JSON(), nullable=False),
        sa.Column('row_count', sa.Integer(), nullable=False),
        sa.Column('content', sa.LargeBinary(), nullable=False),
        sa.Column('sha256', sa.Text(), nullable=False),
        sa.Column('previous_sha256', sa.Text(), nullable=True),
        sa.Column('chain_sha256', sa.Text(), nullable=False),
        sa.Column('run_id', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("source IN ('TABLE_ROWS', 'AUDIT_LOGS', 'SECURITY_EVENTS', 'ORG_MEMBERS')", name=op.f('ck_evidence_snapshot_source')),
        sa.ForeignKeyConstraint(['workspace_id'], ['workspace.id'], name=op.f('fk_evidence_snapshot_workspace_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_evidence_snapshot')),
        sa.UniqueConstraint('workspace_id', 'number', name=op.f('uq_evidence_snapshot_workspace_id_number')),
    )


def _counts() -> None:
    op.create_table(
        'run_count',
        sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column('workspace_id', sa.Text(), nullable=False),
        sa.Column('workflow_id', sa.Text(), nullable=False),
        sa.Column('status', sa.Text(), nullable=False),
        sa.Column('runs', sa.BigInteger(), nullable=False),
        sa.Column('summed', sa.Boolean(), server_default=sa.text('false'), nullable=False),
        sa.CheckConstraint("status IN ('RUNNING', 'COMPLETED', 'FAILED', 'PAUSED', 'CANCELLED', 'WAITING_FOR_CHILD')", name=op.f('ck_run_count_status')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_run_count')),
    )
    op.create_index('ix_run_count_added', 'run_count', ['id'], unique=False, postgresql_where=sa.text('NOT summed'))
    op.create_index('ix_run_count_workspace_id_workflow_id', 'run_count', ['workspace_id', 'workflow_id'])
    op.create_table(
        'counter',
        sa.Column('kind', sa.Text(), nullable=False),
        sa.Column('label', sa.Text(), nullable=False),
        sa.Column('outcome', sa.Text(), nullable=False),
        sa.Column('bucket', sa.Integer(), nullable=False),
        sa.Column('n', sa.BigInteger(), nullable=False),
        sa.Column('seconds', sa.Double(), nullable=False),
    )
