"""What a workspace has beside its automations and runs: keys, services, evidence, pipelines."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import insert

from automations.db.session import unit_of_work
from automations.db.tables import (
    ApiKey,
    AuditLog,
    DataTable,
    EvidenceSnapshot,
    Integration,
    PipelineConnection,
    PipelineRun,
    Run,
    SecurityEvent,
    StepLog,
)
from automations.definitions.pipelines import shape_of
from automations.domain.statuses import Severity
from automations.domain.tables.columns import TableShape
from automations.ports import EvidenceRequest
from automations.services.access import api_keys
from automations.services.audit import security_events
from automations.services.evidence.evidence import WorkspaceEvidence
from automations.services.integrations import integrations, secrets
from automations.services.pipelines import connections, syncs
from automations.services.tables import tables
from automations.services.workflows import workflows
from tests.doubles import ports

if TYPE_CHECKING:
    from tests.console.sample import Sample

TOKEN = "a-token-that-nobody-sees"
MAIL_SERVER = {"host": "mail.b.example", "port": 587, "fromEmail": "robot@b.example"}


def add(made: Sample) -> None:
    """Give a workspace one of each."""
    here, owner = made.workspace, made.people["OWNER"]
    secrets.put(here, "REGISTRY_KEY", TOKEN)
    made.things["integration"] = integrations.create(
        here,
        name="Company mail",
        kind="EMAIL_PROVIDER",
        config=dict(MAIL_SERVER),
        credentials={"username": "robot", "password": TOKEN},
        enabled=True,
        site_email_provider=False,
    ).id
    made.things["key"] = api_keys.create(
        owner,
        name="Nightly export",
        role="MEMBER",
        scopes=["runs:read", "tables:read"],
        expires_at=datetime.now(UTC) + timedelta(days=90),
        member_id=None,
    )[1].id
    security_events.note(
        "auth.failed", Severity.HIGH, workspace_id=here, reason="unknown API key", prefix="sk_abc"
    )
    for source, title in (("ORG_MEMBERS", "Who has access"), ("AUDIT_LOGS", "All that was done")):
        request = EvidenceRequest(here, made.runs["completed"], title, source, title)
        made.things[source] = WorkspaceEvidence().capture(request).snapshot_id
    _connect(made)


def _connect(made: Sample) -> None:
    shape = {"name": "Suppliers", "columns": [{"key": "id", "type": "number"}, {"key": "name"}]}
    shape["columns"][1]["type"] = "text"  # type: ignore[index]
    made.things["table"] = tables.create(made.workspace, TableShape.model_validate(shape)).id
    mapping = {"tableId": made.things["table"], "keyColumns": ["id"]}
    common = {"tables": [mapping]}
    push = {"name": "Supplier register", "connectorType": "push", **common}
    pushed = connections.create(made.workspace, shape_of(push)).id
    records = [{"id": 1, "name": "ACME"}, {"id": 2, "name": "Bolt"}, {"name": "no id"}]
    made.things["push"] = pushed
    made.things["sync"] = syncs.push(made.workspace, pushed, records).id
    config = {
        "url": "https://erp.example/suppliers",
        "auth": {"type": "bearer", "secret": "{{secret.ERP_TOKEN}}"},
    }
    read = {"name": "ERP", "connectorType": "http", "config": config, "interval": "PT1H", **common}
    made.things["http"] = connections.create(made.workspace, shape_of(read)).id


def say(text: str) -> None:
    """Have a text stand wherever people, programs and services have written."""
    with unit_of_work() as session:
        for key in session.query(ApiKey):
            key.name = text
        for service in session.query(Integration):
            service.name, service.config = text, {**service.config, "fromName": text, text: text}
        for event in session.query(SecurityEvent):
            event.type = event.actor = event.ip = text
            event.details = {text: text}
        for snapshot in session.query(EvidenceSnapshot):
            snapshot.title, snapshot.query = text, {text: text}
        for line in session.query(AuditLog):
            line.actor = line.action = text
        for table in session.query(DataTable):
            table.name = text
        for connection in session.query(PipelineConnection):
            connection.config = {text: text}
            connection.name = f"{connection.connector_type} {text}"
        for sync in session.query(PipelineRun):
            sync.error, sync.errors = text, [{"record": 0, "errors": {text: [text]}}]


def pages(there: Sample) -> list[str]:
    """Their pages that every reader has."""
    return [
        "/console/figures",
        "/console/figures?period=year",
        f"/console/workflows/{there.workflow}/figures?period=day",
        "/console/evidence",
        "/console/evidence?source=ORG_MEMBERS",
        "/console/evidence/verify",
        f"/console/evidence/{there.things['ORG_MEMBERS']}",
        "/console/pipelines",
        f"/console/pipelines/{there.things['push']}",
        f"/console/pipelines/{there.things['http']}",
    ]


def admin_pages(there: Sample) -> list[str]:
    """Those that administrators have."""
    kinds = ("EMAIL_PROVIDER", "DOCUMENT_ENGINE", "WEBHOOK", "SLACK", "AI_PROVIDER")
    return [
        "/console/secrets",
        "/console/secrets?name=ERP_TOKEN",
        "/console/integrations",
        *(f"/console/integrations/new?type={kind}" for kind in kinds),
        f"/console/integrations/{there.things['integration']}",
        "/console/api-keys",
        "/console/pipelines/new",
        "/console/pipelines/new?type=http",
        "/console/pipelines/new?type=push",
        f"/console/pipelines/{there.things['http']}/edit",
        f"/console/pipelines/{there.things['push']}/edit",
        "/console/security-events",
        "/console/security-events?severity=HIGH&since=day",
        "/console/audit",
        "/console/mail",
        f"/console/evidence/{there.things['AUDIT_LOGS']}",
    ]


def shown(there: Sample) -> dict[str, str]:
    """The pages that are worth a picture, by name."""
    return {
        "figures": "/console/figures?period=month",
        "figures-empty": "/console/figures?period=day&until=2020-02-29",
        "workflow-figures": f"/console/workflows/{there.workflow}/figures",
        "secrets": "/console/secrets",
        "integrations": "/console/integrations",
        "integration": f"/console/integrations/{there.things['integration']}",
        "integration-new": "/console/integrations/new?type=AI_PROVIDER",
        "integration-any": "/console/integrations/new?type=WEBHOOK",
        "api-keys": "/console/api-keys",
        "security-events": "/console/security-events",
        "evidence": "/console/evidence/verify",
        "evidence-snapshot": f"/console/evidence/{there.things['ORG_MEMBERS']}",
        "pipelines": "/console/pipelines",
        "pipeline": f"/console/pipelines/{there.things['push']}",
        "pipeline-http": f"/console/pipelines/{there.things['http']}",
        "pipeline-new": "/console/pipelines/new",
        "pipeline-edit": f"/console/pipelines/{there.things['http']}/edit",
        "mail": "/console/mail",
    }


def add_history(made: Sample) -> None:
    """Add what a month has brought: runs on most days, of which some failed and some cost."""
    chance = random.Random(7)
    now = datetime.now(UTC)
    added, lines = [], []
    for number in range(900):
        began = now - timedelta(hours=chance.triangular(1, 720, 200))
        taken = timedelta(seconds=chance.lognormvariate(3, 1.6))
        status = chance.choices(("COMPLETED", "FAILED", "CANCELLED"), (90, 8, 2))[0]
        run_id = f"past-{number}"
        tokens = chance.randrange(500, 9_000) if number % 3 == 0 else 0
        added.append(
            {
                "id": run_id,
                "workspace_id": made.workspace,
                "workflow_id": made.workflow if number % 4 else made.digest,
                "version": 1,
                "status": status,
                "trigger_type": "manual",
                "started_at": began,
                "completed_at": began + taken,
                "model_tokens": tokens,
                "model_cost": Decimal(tokens) / 100_000,
            }
        )
        if status == "FAILED":
            node, name, kind = chance.choice(
                (
                    ("register", "Look the company up", "http_request"),
                    ("hello", "Send the questionnaire", "email"),
                    ("note", "Note that it is harmless", "notification"),
                )
            )
            lines.append(
                {
                    "run_id": run_id,
                    "step_id": node,
                    "step_type": kind,
                    "step_name": name,
                    "status": "failed",
                    "duration_ms": 900,
                    "timestamp": began + taken,
                    "output": "HTTP 503 Service Unavailable",
                }
            )
    with unit_of_work() as session:
        session.execute(insert(Run), added)
        session.execute(insert(StepLog), lines)
    step = {**workflows.get(made.workspace, made.workflow).definition["steps"][0]}
    step["config"] = {**step["config"], "auth": {"type": "bearer", "secret": "REGISTRY_KEY"}}
    steps = [step, *workflows.get(made.workspace, made.workflow).definition["steps"][1:]]
    workflows.update(made.people["OWNER"], made.workflow, {"steps": steps}, ports())
    changes = {"site_email_provider": True}
    integrations.update(made.workspace, made.things["integration"], changes)
