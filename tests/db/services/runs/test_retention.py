"""Retention: what is old goes, in pages, and what must stay stays."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from automations.db import counters
from automations.db.access import rate_limits
from automations.db.session import engine, unit_of_work
from automations.db.tables import Approver, AuditLog, Job, RowFile, Run
from automations.definitions.published import dag_id
from automations.dispatch.housekeeping import Housekeeper
from automations.domain.forms.schema import FormSchema
from automations.domain.tables.columns import TableShape
from automations.errors import OrchestratorUnavailable
from automations.ports import EvidenceRequest
from automations.services.evidence import evidence
from automations.services.forms import edits as form_edits
from automations.services.forms import forms
from automations.services.runs import reading, retention
from automations.services.tables import row_files, tables
from automations.services.workflows import edits
from tests.db.runs import begin, step
from tests.db.workspace import principal
from tests.environment import Environment

NOW = datetime.now(UTC)
BEFORE = NOW - timedelta(days=90)
OLD = 30_000

# Every second of the old runs was started by an event, every third one has waited for people.
SEED = """
INSERT INTO event (id, workspace_id, type, trigger_key, data, actors, status, created_at)
SELECT 'event' || n, :workspace, 'T', 'event:T', '{}', '[]', 'MATCHED', now() - interval '100 days'
FROM generate_series(1, :old, 2) n;
INSERT INTO run (id, workspace_id, workflow_id, version, trigger_type, trigger_data, input,
                 variables, starters, status, event_id, started_at, completed_at, dispatched_at)
SELECT 'c' || lpad(n::text, 24, '0'), :workspace, :workflow, 1, 'event',
       '{}', '{}', '{}', '[]', (ARRAY['COMPLETED', 'FAILED', 'CANCELLED'])[n % 3 + 1],
       CASE WHEN n % 2 = 1 THEN 'event' || n END,
       now() - interval '100 days', now() - interval '100 days', now() - interval '100 days'
FROM generate_series(1, :old) n;
INSERT INTO run_step (run_id, node_id, status, generation, attempt, started_at)
SELECT id, node, 'DONE', 0, 1, started_at FROM run, unnest(ARRAY['a', 'b']) node;
INSERT INTO step_log (run_id, step_id, step_type, step_name, status, duration_ms, timestamp, output)
SELECT run_id, node_id, 'email', node_id, 'success', 5, started_at, '{}' FROM run_step;
INSERT INTO wait (id, run_id, node_id, generation, kind, status, due_at)
SELECT 'wait' || id, id, 'a', 0, 'decision', 'ANSWERED', started_at FROM run
WHERE event_id IS NULL;
INSERT INTO approver (id, wait_id, address) SELECT 'of' || id, id, 'a@b.example' FROM wait;
INSERT INTO effect (key, result, created_at)
SELECT id || ':a:0', '{}', started_at FROM run;
"""


class Airflow:
    """Forgets DagRuns, but for those that are going."""

    def __init__(self) -> None:
        self.forgotten: list[tuple[str, str]] = []
        self.going: set[str] = set()
        self.away = False

    def forget(self, dag: str, run_id: str) -> bool:
        if self.away:
            raise OrchestratorUnavailable("Airflow cannot be reached.")
        if run_id in self.going:
            return False
        self.forgotten.append((dag, run_id))
        return True


@pytest.fixture
def airflow() -> Airflow:
    return Airflow()


@pytest.fixture
def young(database: str) -> Run:
    """A run that ended a moment ago; its automation has nothing else."""
    run = begin(step("a", "email", 0, {"to": "a@b.example", "subject": "S", "body": "B"}))
    sql("UPDATE run SET status = 'COMPLETED', completed_at = now()")
    return run


def sql(statements: str, **values: Any) -> None:
    with unit_of_work() as session:
        for statement in filter(str.strip, statements.split(";\n")):
            session.execute(text(statement), values)


def seed(run: Run, old: int = OLD) -> None:
    sql(SEED, workspace=run.workspace_id, workflow=run.workflow_id, old=old)
    with engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def rows(table: str) -> int:
    with unit_of_work() as session:
        return int(session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


def prune(airflow: Airflow | None = None, **more: Any) -> dict[str, int]:
    return dict(retention.prune(BEFORE, airflow, **more))  # type: ignore[arg-type]  # enough of it


def old(run: Run, run_id: str, **more: Any) -> str:
    """A run that ended long ago."""
    values = {
        "id": run_id,
        "workspace_id": run.workspace_id,
        "workflow_id": run.workflow_id,
        "version": 1,
        "trigger_type": "manual",
        "status": "COMPLETED",
        "started_at": NOW - timedelta(days=100),
        "completed_at": NOW - timedelta(days=100),
        **more,
    }
    with unit_of_work() as session:
        session.add(Run(**values))
    return run_id


def left() -> set[str]:
    with unit_of_work() as session:
        return set(session.scalars(text("SELECT id FROM run")))


@pytest.mark.slow
def test_tens_of_thousands_of_old_runs_go_with_all_that_is_theirs(
    young: Run, airflow: Airflow
) -> None:
    seed(young)
    with unit_of_work() as session:
        counted = counters.totals(session)
    expected = {
        "run": OLD, "run_step": 2 * OLD, "step_log": 2 * OLD, "event": OLD // 2,
        "wait": OLD // 2, "approver": OLD // 2,
    }  # fmt: skip
    foreseen = retention.would_prune(BEFORE)
    assert rows("run") == OLD + 1, "nothing is deleted by looking"
    deleted = prune(airflow)
    assert {name: deleted[name] for name in expected} == expected
    assert {name: foreseen[name] for name in expected} == expected
    assert deleted["effect"] == OLD
    assert left() == {young.id}
    # What is the young run's own is there.
    assert [rows(table) for table in ("wait", "approver", "effect", "event")] == [1, 1, 1, 0]
    assert rows("run_step") == rows("step_log") == 2
    assert len(airflow.forgotten) == OLD
    assert airflow.forgotten[0][0] == dag_id(young.workflow_id)
    with unit_of_work() as session:
        assert set(counters.totals(session)) == set(counted), "counters never go back"
        entry = session.query(AuditLog).one()
    assert (entry.action, entry.details["runs"]) == ("runs.prune", OLD)
    assert not any(prune(airflow).values())


def test_what_is_in_flight_stays_however_old(young: Run, airflow: Airflow) -> None:
    long_ago = {"started_at": NOW - timedelta(days=400), "completed_at": None}
    for number, status in enumerate(("RUNNING", "PAUSED", "WAITING_FOR_CHILD")):
        old(young, f"c{number}", status=status, **long_ago)
    going = old(young, "c9", dispatched_at=NOW, parent_run_id="c2")
    airflow.going.add(going)
    sql("INSERT INTO effect (key, result, created_at) VALUES ('c0:a:0', '{}', '2020-01-01')")
    prune(airflow)
    assert left() == {young.id, "c0", "c1", "c2", going}
    assert rows("effect") == 1
    airflow.going.clear()
    prune(airflow)
    assert left() == {young.id, "c0", "c1", "c2"}


def test_a_run_that_somebody_still_waits_for_stays_until_they_are_woken(young: Run) -> None:
    child = old(young, "c1")
    with unit_of_work() as session:
        session.add(Job(kind="wake_parent", subject_id=child))
    prune()
    assert child in left()
    sql("DELETE FROM job")
    prune()
    assert child not in left()


def test_children_go_on_without_their_parent(young: Run) -> None:
    old(young, "c1")
    old(young, "c2", parent_run_id="c1", replay_of_run_id="c1", status="RUNNING", completed_at=None)
    prune()
    assert left() == {young.id, "c2"}
    detail = reading.detail(young.workspace_id, young.workflow_id, "c2")
    assert detail.run.replay_of_run_id == "c1"


def test_evidence_and_documents_outlive_the_run_that_made_them(young: Run) -> None:
    old(young, "c1")
    evidence.WorkspaceEvidence().capture(
        EvidenceRequest(
            workspace_id=young.workspace_id,
            run_id="c1",
            key="c1:a:0",
            source="ORG_MEMBERS",
            title="People",
        )
    )
    sql(
        "INSERT INTO document (id, workspace_id, run_id, template_id, template_version, name,"
        " format, content, size, sha256, engine)"
        " VALUES ('d', :workspace, 'c1', 't', 1, 'N', 'pdf', '', 0, '', 'x')",
        workspace=young.workspace_id,
    )
    prune(extras=["audit"])
    assert left() == {young.id}
    assert rows("document") == rows("evidence_snapshot") == 1
    assert all(found.broken is None for _, found in evidence.verify_all())


def test_events_stay_that_are_pending_or_have_a_run_left(young: Run) -> None:
    for name, status in (("pending", "PENDING"), ("used", "MATCHED"), ("done", "SKIPPED")):
        sql(
            "INSERT INTO event"
            " (id, workspace_id, type, trigger_key, data, actors, status, created_at)"
            " VALUES (:id, :workspace, 'T', 'event:T', '{}', '[]', :status, '2020-01-01')",
            id=name,
            status=status,
            workspace=young.workspace_id,
        )
    sql("UPDATE run SET event_id = 'used'")
    assert retention.would_prune(BEFORE)["event"] == 1
    assert prune()["event"] == 1
    with unit_of_work() as session:
        assert set(session.scalars(text("SELECT id FROM event"))) == {"pending", "used"}


def test_events_that_are_being_collected_stay(young: Run) -> None:
    sql(
        "INSERT INTO event (id, workspace_id, type, trigger_key, data, actors, status, created_at)"
        " VALUES ('e', :workspace, 'T', 'event:T', '{}', '[]', 'MATCHED', '2020-01-01');\n"
        "INSERT INTO debounced_events (id, workflow_id, key, event_id, event_at, due_at)"
        " VALUES ('c', :workflow, 'k', 'e', now(), now())",
        workspace=young.workspace_id,
        workflow=young.workflow_id,
    )
    assert retention.would_prune(BEFORE)["event"] == 0
    assert prune().get("event", 0) == 0


def test_syncs_go_but_for_the_last_of_each_pipeline(young: Run) -> None:
    sql(
        "INSERT INTO pipeline_connection (id, workspace_id, name, connector_type, config, tables)"
        " SELECT name, :workspace, name, 'push', '{}', '[]' FROM unnest(ARRAY['p', 'q']) name;\n"
        "INSERT INTO pipeline_run (id, workspace_id, connection_id, status, started_by, tables,"
        " errors, started_at, completed_at) SELECT name || n, :workspace, name, 'COMPLETED',"
        " 'push', '[]', '[]', date '2020-01-01' + n, date '2020-01-01' + n"
        " FROM unnest(ARRAY['p', 'q']) name, generate_series(1, 3) n",
        workspace=young.workspace_id,
    )
    assert retention.would_prune(BEFORE)["pipeline_run"] == 4
    assert prune()["pipeline_run"] == 4
    with unit_of_work() as session:
        assert set(session.scalars(text("SELECT id FROM pipeline_run"))) == {"p3", "q3"}


def test_the_ids_of_runs_that_airflow_made_have_colons_and_are_understood(young: Run) -> None:
    kept, gone = (f"scheduled__2020-01-0{n}T00:00:00+00:00" for n in (1, 2))
    old(young, kept, status="RUNNING", completed_at=None)
    old(young, gone)
    for run_id in (kept, gone):
        sql(
            "INSERT INTO effect (key, result, created_at) VALUES (:key, '{}', '2020-01-01')",
            key=f"{run_id}:a:0[3]/b",
        )
    assert prune()["effect"] == 1
    with unit_of_work() as session:
        assert session.scalars(text("SELECT key FROM effect")).one().startswith(kept)


def test_reminders_of_what_is_gone_go_too(young: Run) -> None:
    old(young, "c1")
    sql(
        "INSERT INTO wait (id, run_id, node_id, generation, kind, status, due_at)"
        " VALUES ('w', 'c1', 'a', 0, 'decision', 'CANCELLED', now())"
    )
    with unit_of_work() as session:
        session.add(Approver(id="p", wait_id="w", address="a@b.example"))
        session.add(Job(kind="remind_approver", subject_id="p"))
        session.add(Job(kind="escalate_wait", subject_id="w"))
        session.add(Job(kind="send_form", subject_id="other"))
        session.add(Job(kind="send_form", subject_id="dead", dead_at=BEFORE - timedelta(days=1)))
    assert prune()["job"] == 1
    with unit_of_work() as session:
        assert session.query(Job).one().subject_id == "other"


def test_the_logs_of_audit_and_security_go_only_when_told(young: Run) -> None:
    sql(
        "INSERT INTO audit_log (workspace_id, at, actor_type, actor, action, resource_type,"
        " resource_id, details)"
        " VALUES (:workspace, '2020-01-01', 'system', 's', 'a.b', 'run', 'x', '{}')",
        workspace=young.workspace_id,
    )
    sql(
        "INSERT INTO security_event (id, at, type, severity, actor, details)"
        " VALUES ('s', '2020-01-01', 'auth.failed', 'INFO', 'a', '{}')"
    )
    prune()
    assert rows("audit_log") == rows("security_event") == 1
    assert retention.would_prune(BEFORE, ["audit"])["audit_log"] == 1
    deleted = prune(extras=["audit"])
    assert (deleted["audit_log"], deleted["security_event"]) == (1, 1)
    assert rows("audit_log") == rows("security_event") == 0


def test_what_must_stay_stands_in_the_way_of_no_page(
    young: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automations.db.retention.BATCH_SIZE", 2)
    sql(
        "INSERT INTO event (id, workspace_id, type, trigger_key, data, actors, status, created_at)"
        " SELECT 'e' || n, :workspace, 'T', 'event:T', '{}', '[]',"
        " (ARRAY['PENDING', 'MATCHED', 'SKIPPED'])[n % 3 + 1], '2020-01-01'"
        " FROM generate_series(1, 9) n",
        workspace=young.workspace_id,
    )
    assert prune()["event"] == 6
    with unit_of_work() as session:
        assert set(session.scalars(text("SELECT id FROM event"))) == {"e3", "e6", "e9"}


def test_expired_idempotency_keys_go(young: Run) -> None:
    for number, hours in enumerate((1, 30)):
        sql(
            "INSERT INTO idempotency_key (workspace_id, key, request_sha256, claim, created_at)"
            " VALUES (:workspace, :key, '', '', now() - make_interval(hours => :hours))",
            workspace=young.workspace_id,
            key=str(number),
            hours=hours,
        )
    assert prune()["idempotency_key"] == 1
    assert rows("idempotency_key") == 1


def test_while_airflow_is_away_nothing_is_deleted(young: Run, airflow: Airflow) -> None:
    seed(young, 10)
    airflow.away = True
    with pytest.raises(OrchestratorUnavailable):
        prune(airflow)
    assert rows("run") == 11
    # Without Airflow's runs it does not matter.
    assert prune()["run"] == 10


@pytest.mark.slow
def test_it_may_be_stopped_between_pages_and_done_again(young: Run) -> None:
    seed(young, 1_200)
    turns = iter([True, True])
    assert prune(going=lambda: next(turns, False))["run"] == 1_000
    assert prune()["run"] == 200


class TestHousekeeper:
    @pytest.fixture
    def kept(self, young: Run, environment: Environment) -> Run:
        environment.set(AUTOMATIONS_RETENTION="90d")
        return young

    def run_due(self, airflow: Airflow) -> None:
        Housekeeper(airflow).run_due(threading.Event())  # type: ignore[arg-type]  # enough of it

    def test_prunes_once_a_day_when_told_how_long_to_keep(
        self, kept: Run, airflow: Airflow
    ) -> None:
        old(kept, "c1")
        self.run_due(airflow)
        assert left() == {kept.id}
        old(kept, "c2")
        self.run_due(airflow)
        assert left() == {kept.id, "c2"}
        sql("UPDATE watermark SET value = '2020-01-01T00:00:00+00:00' WHERE name = 'retention'")
        self.run_due(airflow)
        assert left() == {kept.id}

    def test_tries_again_when_airflow_was_away(self, kept: Run, airflow: Airflow) -> None:
        old(kept, "c1", dispatched_at=NOW)
        airflow.away = True
        self.run_due(airflow)
        assert "c1" in left()
        airflow.away = False
        self.run_due(airflow)
        assert left() == {kept.id}

    def test_keeps_everything_when_not_told_otherwise(self, young: Run, airflow: Airflow) -> None:
        old(young, "c1")
        self.run_due(airflow)
        assert "c1" in left()

    def test_deletes_what_was_counted_of_tries_when_their_time_is_over(
        self, young: Run, airflow: Airflow
    ) -> None:
        with unit_of_work() as session:
            for place in range(3):
                rate_limits.hit(session, f"sign-in:{place}", limit=1, seconds=60)
        sql("UPDATE rate_limit SET ends_at = now() - interval '1 s' WHERE key <> 'sign-in:0'")
        self.run_due(airflow)
        with unit_of_work() as session:
            assert list(session.scalars(text("SELECT key FROM rate_limit"))) == ["sign-in:0"]
            assert rate_limits.hit(session, "sign-in:0", limit=1, seconds=60) is not None

    def test_deletes_sessions_that_have_ended_whether_their_members_come_back_or_not(
        self, young: Run, airflow: Airflow
    ) -> None:
        sql("""
            INSERT INTO member (id, workspace_id, email, name, role)
            VALUES ('ada', :workspace, 'ada@b.example', 'Ada', 'VIEWER');
            INSERT INTO sign_in (id, workspace_id, member_id, token_hash, last_used_at, expires_at)
            VALUES ('expired', :workspace, 'ada', '1', now(), now() - interval '1 minute'),
                   ('unused', :workspace, 'ada', '2', now() - interval '25 hours',
                    now() + interval '1 day'),
                   ('lasting', :workspace, 'ada', '3', now() - interval '23 hours',
                    now() + interval '1 day')
            """, workspace=young.workspace_id)  # fmt: skip
        self.run_due(airflow)
        with unit_of_work() as session:
            assert list(session.scalars(text("SELECT id FROM sign_in"))) == ["lasting"]


def test_submissions_and_documents_go_only_when_told(young: Run) -> None:
    sql(
        "INSERT INTO form (id, workspace_id, title, version, schema)"
        " VALUES ('f', :workspace, 'F', 1, '{}')",
        workspace=young.workspace_id,
    )
    for name, at in (("old", "2020-01-01"), ("asked", "2020-01-01"), ("new", "now")):
        sql(
            "INSERT INTO submission (id, workspace_id, form_id, form_version, data, submitters,"
            " created_at) VALUES (:name, :workspace, 'f', 1, '{}', '[]', CAST(:at AS timestamptz))",
            name=name,
            at=at,
            workspace=young.workspace_id,
        )
    sql(
        "INSERT INTO form_request (id, workspace_id, form_id, run_id, key, recipient, subject,"
        " message, prefill, token_hash, expires_at, submission_id)"
        " VALUES ('r', :workspace, 'f', :run, 'k', 'a', 's', 'm', '{}', 't', now(), 'asked')",
        workspace=young.workspace_id,
        run=young.id,
    )
    for name, run, submission in (
        ("upload", None, "old"),
        ("orphan", "gone", None),
        ("kept", young.id, None),
    ):
        sql(
            "INSERT INTO document (id, workspace_id, run_id, submission_id, name, format, content,"
            " size, sha256, created_at)"
            " VALUES (:name, :workspace, :run, :submission, 'n', 'pdf', '', 0, 's', '2020-01-01')",
            name=name,
            workspace=young.workspace_id,
            run=run,
            submission=submission,
        )
    prune()
    assert (rows("submission"), rows("document")) == (3, 3)
    foreseen = retention.would_prune(BEFORE, ["submissions", "documents"])
    assert (foreseen["submission"], foreseen["document"]) == (1, 1)
    deleted = prune(extras=["submissions", "documents"])
    assert (deleted["submission"], deleted["document"]) == (1, 1)
    with unit_of_work() as session:
        assert set(session.scalars(text("SELECT id FROM submission"))) == {"asked", "new"}
        assert list(session.scalars(text("SELECT id FROM document"))) == ["kept"]


def test_edits_that_nobody_has_gone_on_with_go(young: Run, airflow: Airflow) -> None:
    by = principal(young.workspace_id)
    later = replace(by, key_id="another", member_id=None)
    for editor in (by, later):
        edits.apply(editor, young.workflow_id, 1, 0, "", lambda draft: {**draft, "name": "New"})
    sql(
        "UPDATE workflow_edit SET changed_at = now() - interval '91 days' WHERE editor_id <> :kept",
        kept=later.editor,
    )
    assert retention.would_prune(BEFORE)["workflow_edit"] == 1
    assert prune(airflow)["workflow_edit"] == 1
    assert (rows("workflow_edit"), rows("workflow_edit_state")) == (1, 2)


def test_edits_of_forms_that_nobody_has_gone_on_with_go(young: Run, airflow: Airflow) -> None:
    by = principal(young.workspace_id)
    schema = FormSchema.model_validate({"sections": []})
    form = forms.create(by.workspace_id, title="Form", description="", form=schema).id
    for editor in (by, replace(by, key_id="another")):
        form_edits.apply(editor, form, 1, 0, "", lambda draft: {**draft, "title": "New"})
    sql(
        "UPDATE form_edit SET changed_at = now() - interval '91 days' WHERE editor_id = :old",
        old="another",
    )
    assert retention.would_prune(BEFORE)["form_edit"] == 1
    assert prune(airflow)["form_edit"] == 1
    assert rows("form_edit") == 1


def test_files_whose_rows_nobody_has_added_go(young: Run, airflow: Airflow) -> None:
    by = principal(young.workspace_id)
    shape = TableShape.model_validate({"name": "T", "columns": [{"key": "a", "type": "text"}]})
    table = tables.create(by.workspace_id, shape).id
    row_files.keep(by, table, "old.csv", b"a\n1\n")
    sql("UPDATE row_file SET kept_at = now() - interval '91 days'")
    with unit_of_work() as session:
        made = dict.fromkeys(("editor_id", "name"), "new")
        session.add(RowFile(table_id=table, content=b"a\n2\n", **made))
    assert retention.would_prune(BEFORE)["row_file"] == 1
    assert prune(airflow)["row_file"] == 1
    assert rows("row_file") == 1
