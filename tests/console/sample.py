"""A workspace with something of everything, as pages show it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from automations.db.runs import runs
from automations.db.session import unit_of_work
from automations.db.tables import (
    Event,
    Member,
    Notification,
    Run,
    RunStep,
    StepLog,
    Submission,
    Wait,
    WorkflowVersion,
)
from automations.db.waits import waits
from automations.db.waits.waits import NewWait
from automations.domain.forms.schema import FormSchema
from automations.domain.principals import Principal
from automations.domain.statuses import RunStatus, StepStatus, WaitKind
from automations.services.access import members, sign_ins
from automations.services.access.bootstrap import ensure_workspace
from automations.services.forms import forms, submissions
from automations.services.runs import by_hand
from automations.services.workflows import workflows
from tests.console import records, sample_forms, things
from tests.doubles import ports

PASSWORD = "correct horse battery"
ROLES = ("OWNER", "ADMIN", "MEMBER", "VIEWER")

KYC: dict[str, Any] = {
    "name": "KYC review",
    "description": "Checks a new client, asks compliance when it matters, and opens the matter.",
    "status": "ACTIVE",
    "trigger": {
        "type": "manual",
        "inputSchema": {
            "type": "object",
            "required": ["company"],
            "properties": {
                "company": {"type": "string", "title": "Company"},
                "country": {"type": "string", "enum": ["PL", "DE", "FR"], "title": "Country"},
                "amount": {"type": "number", "description": "In euro."},
                "politicallyExposed": {"type": "boolean", "title": "Politically exposed"},
            },
        },
    },
    "steps": [
        {
            "id": "register",
            "name": "Look the company up",
            "type": "http_request",
            "retry": {"maxAttempts": 3},
            "timeout": "PT30S",
            "config": {"method": "GET", "url": "https://registry.example/{{input.company}}"},
        },
        {
            "id": "risky",
            "name": "Is it risky?",
            "type": "condition",
            "config": {
                "match": "any",
                "rules": [
                    {"field": "{{input.amount}}", "operator": "gt", "value": 10000},
                    {"field": "{{input.politicallyExposed}}", "operator": "equals", "value": True},
                ],
                "then": [
                    {
                        "id": "ask",
                        "name": "Ask compliance",
                        "type": "approval",
                        "config": {
                            "approvers": ["compliance@b.example"],
                            "message": "May we take on {{input.company}}?",
                            "data": {"company": "{{input.company}}", "amount": "{{input.amount}}"},
                        },
                    }
                ],
                "else": [
                    {
                        "id": "note",
                        "name": "Note that it is harmless",
                        "type": "notification",
                        "config": {"title": "Harmless", "message": "{{input.company}}"},
                    }
                ],
            },
        },
        {
            "id": "each",
            "name": "Each director",
            "type": "loop",
            "config": {
                "collection": "{{steps.register.body.directors}}",
                "steps": [
                    {
                        "id": "hello",
                        "name": "Send the questionnaire",
                        "type": "email",
                        "onError": "continue",
                        "config": {"to": "{{loop.item.email}}", "subject": "Hi", "body": "Please."},
                    }
                ],
            },
        },
        {
            "id": "later",
            "name": "Wait for a week",
            "type": "delay",
            "config": {"duration": "P7D"},
        },
    ],
}
DIGEST: dict[str, Any] = {
    "name": "Monthly evidence",
    "status": "ACTIVE",
    "trigger": {"type": "schedule", "cron": "0 9 * * 1-5", "timezone": "Europe/Warsaw"},
    "steps": [
        {
            "id": "mail",
            "name": "Mail the digest",
            "type": "email",
            "config": {"to": "board@b.example", "subject": "Digest", "body": "…"},
        }
    ],
}


@dataclass
class Sample:
    """What there is, by name."""

    workspace: str
    people: dict[str, Principal] = field(default_factory=dict)
    emails: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    workflow: str = ""
    digest: str = ""
    runs: dict[str, str] = field(default_factory=dict)
    event: str = ""
    submission: str = ""
    things: dict[str, str] = field(default_factory=dict)
    form: str = ""
    questionnaire: str = ""
    answered: str = ""
    template: str = ""
    documents: dict[str, str] = field(default_factory=dict)
    table: str = ""
    rows: list[str] = field(default_factory=list)
    board: str = ""
    matters: list[str] = field(default_factory=list)


def make(kyc: dict[str, Any] | None = None) -> Sample:
    """Make a workspace with members of all roles, automations, and runs of all statuses."""
    made = Sample(ensure_workspace())
    first = Principal(made.workspace, "OWNER", "setup", key_id="setup")
    for role in ROLES:
        email = f"{role.lower()}@b.example"
        member = members.create(first, name=f"{role.title()} Lovelace", email=email, role=role)
        with unit_of_work() as session:
            row = session.get_one(Member, member.id)
            made.tokens[role] = sign_ins.open_session(session, row).token
        made.emails[role] = email
        made.people[role] = Principal(made.workspace, role, email, member_id=member.id)
    # One of them has a password: to hash it takes long.
    token, _ = sign_ins.invite(first, str(made.people["VIEWER"].member_id))
    made.tokens["VIEWER"] = sign_ins.accept(token, PASSWORD, "192.0.2.1").token
    owner = made.people["OWNER"]
    made.workflow = workflows.create(owner, kyc or KYC, ports()).id
    made.digest = workflows.create(owner, DIGEST, ports()).id
    workflows.update(owner, made.workflow, {"description": "Checks a new client."}, ports())
    made.runs = {
        name: by_hand.execute(owner, made.workflow, {"company": name}).id
        for name in ("completed", "failed", "waiting", "asked", "running")
    }
    schema = FormSchema.model_validate(
        {"sections": [{"id": "s", "fields": [{"id": "1", "key": "note", "type": "text"}]}]}
    )
    form = forms.create(made.workspace, title="Signup", description="", form=schema)
    made.form = form.id
    made.submission = submissions.submit(made.workspace, form.id, {"note": "I would like to."}).id
    sample_forms.fill(made)
    made.table, made.rows = records.table(made.people["OWNER"])
    made.board, made.matters = records.board(made.people["OWNER"])
    _settle(made)
    _tell(made)
    things.add(made)
    return made


def _settle(made: Sample) -> None:
    now = datetime.now(UTC)
    _step(made.runs["completed"], "register", StepStatus.DONE, now - timedelta(minutes=9), 8)
    _step(made.runs["completed"], "risky", StepStatus.DONE, now - timedelta(minutes=8), 1)
    _step(made.runs["completed"], "ask", StepStatus.SKIPPED, now - timedelta(minutes=8), 1)
    _step(made.runs["failed"], "register", StepStatus.FAILED, now - timedelta(minutes=3), 30)
    for name in ("waiting", "asked", "running"):
        _step(made.runs[name], "register", StepStatus.DONE, now - timedelta(minutes=2), 4)
    _step(made.runs["asked"], "ask", StepStatus.WAITING, now - timedelta(minutes=1), None)
    _step(made.runs["waiting"], "later", StepStatus.WAITING, now - timedelta(minutes=1), None)
    with unit_of_work() as session:
        runs.end_run(session, made.runs["completed"], RunStatus.COMPLETED, None)
        runs.end_run(
            session, made.runs["failed"], RunStatus.FAILED, "Look the company up: HTTP 503 from it."
        )
        question = {
            "subject": "Approval needed: Ask compliance – KYC review",
            "body": "May we take on ACME GmbH?\nThey ask for 25 000 EUR.\n"
            "Their register entry is attached.",
            "data": {"company": "ACME GmbH", "amount": 25000, "directors": ["Ada", "Grace"]},
        }
        asked = waits.open_wait(
            session,
            NewWait(
                run_id=made.runs["asked"],
                node_id="ask",
                generation=0,
                kind=WaitKind.DECISION,
                due_at=now + timedelta(days=7),
                question=question,
            ),
        )
        asked.created_at = now - timedelta(seconds=58)
        waits.open_wait(
            session,
            NewWait(
                run_id=made.runs["waiting"],
                node_id="later",
                generation=0,
                kind=WaitKind.DELAY,
                due_at=now + timedelta(days=7),
            ),
        )
        for name in made.runs.values():
            run = session.get_one(Run, name)
            run.started_at = run.started_at - timedelta(minutes=10)


_TOLD: dict[str, Any] = {
    "register": {"method": "GET", "url": "https://registry.example/acme"},
    "ask": {"approvers": ["compliance@b.example"], "message": "May we take on ACME GmbH?"},
    "later": {"duration": "P7D"},
}
"""What steps were told in runs, with the runs' own values."""


def _step(
    run_id: str, node_id: str, status: StepStatus, began: datetime, seconds: int | None
) -> None:
    ended = None if seconds is None else began + timedelta(seconds=seconds)
    with unit_of_work() as session:
        session.add(
            RunStep(
                run_id=run_id,
                node_id=node_id,
                status=status,
                generation=0,
                attempt=1,
                input=_TOLD.get(node_id, {}),
                output={"status": 200, "body": {"directors": [{"email": "ada@b.example"}]}},
                started_at=began,
                ended_at=ended,
            )
        )
        if ended is not None:
            failed = status == StepStatus.FAILED
            session.add(
                StepLog(
                    run_id=run_id,
                    step_id=node_id,
                    step_type="http_request",
                    step_name=node_id,
                    status="failed" if failed else "success",
                    duration_ms=(seconds or 0) * 1000,
                    timestamp=ended,
                    output="HTTP 503 Service Unavailable" if failed else "200 OK",
                )
            )


def _tell(made: Sample) -> None:
    with unit_of_work() as session:
        event = Event(
            workspace_id=made.workspace,
            type="FORM_SUBMITTED",
            trigger_key="form_submission:none",
            data={"submissionId": "s1"},
            status="SKIPPED",
            reason="No ACTIVE automation listens to it; 'KYC review' is started by hand.",
            source="forms",
            matched_at=datetime.now(UTC),
        )
        session.add(event)
        for person in made.people.values():
            session.add(
                Notification(
                    workspace_id=made.workspace,
                    user_id=person.member_id,
                    type="AUTOMATION",
                    title="KYC review",
                    message="ACME GmbH waits for you.",
                )
            )
        session.flush()
        made.event = event.id


def say(made: Sample, text: str) -> None:
    """Have a text stand in everything that others than authors write."""
    with unit_of_work() as session:
        for run in session.query(Run):
            run.input, run.variables = {text: text}, {text: [text]}
            run.error, run.started_by = text, text
        for step in session.query(RunStep):
            step.input, step.output = {text: text}, {text: {text: text}}
        for line in session.query(StepLog):
            line.output = line.step_name = text
        for wait in session.query(Wait).filter(Wait.kind == WaitKind.DECISION):
            wait.question = {"subject": text, "body": text, "data": {text: [text]}}
        for event in session.query(Event):
            event.type = event.source = event.reason = text
            event.data = {text: text}
        for sent in session.query(Submission):
            sent.data = {text: text}
        for told in session.query(Notification):
            told.title = told.message = told.link = text
        for version in session.query(WorkflowVersion):
            version.created_by = text
        sample_forms.say(session, text)
    things.say(text)
    records.say(text)


def pages(there: Sample) -> list[str]:
    """The addresses of all pages that a reader has."""
    workflow = f"/console/workflows/{there.workflow}"
    of_runs = [f"/console/runs/{run_id}" for run_id in there.runs.values()]
    return [
        "/console/start",
        "/console/workflows",
        "/console/workflows?q=kyc&status=ACTIVE&trigger=manual",
        "/console/workflows?q=nothing",
        workflow,
        f"{workflow}/versions",
        f"{workflow}/versions/1",
        f"{workflow}/versions/2",
        f"{workflow}/definition",
        f"/console/workflows/{there.digest}",
        *things.pages(there),
        "/console/runs",
        f"/console/runs?workflow={there.workflow}&status=FAILED&since=day&trigger=manual",
        *of_runs,
        f"{of_runs[0]}/steps/register",
        f"{of_runs[0]}/steps/hello",
        "/console/approvals",
        f"/console/approvals/{there.runs['asked']}",
        "/console/events",
        f"/console/events/{there.event}",
        "/console/notifications",
        "/console/submissions",
        *sample_forms.pages(there),
        "/console/members",
        *records.pages(there.table, there.rows, there.board, there.matters),
    ]


def editor_pages(there: Sample) -> list[str]:
    """Those that only who may change automations has."""
    builder = f"/console/workflows/{there.workflow}/edit"
    steps = ("register", "risky", "ask", "note", "each", "hello", "later")
    return [
        *things.admin_pages(there),
        "/console/workflows/new",
        builder,
        *(f"{builder}?at=step.{step}" for step in steps),
        *(f"{builder}?at={name}" for name in ("trigger", "settings", "yaml", "sample", "trial")),
        f"{builder}?at=add.risky/then/1",
        f"{builder}?at=step.gone",
        *sample_forms.editor_pages(there),
        *records.editor_pages(there.table, there.rows, there.board),
    ]
