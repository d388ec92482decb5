"""The pages that need no account: a mailed decision, a form, and what they say at last."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from automations.db.session import unit_of_work
from automations.db.tables import Approver
from automations.db.waits import waits
from automations.domain.statuses import WaitKind
from automations.services.runs import by_hand
from automations.tokens import hash_token

if TYPE_CHECKING:
    from tests.console.sample import Sample

BOSS = "boss@b.example"
QUESTION: dict[str, Any] = {
    "subject": "Approval needed: Ask compliance – KYC review",
    "body": "May we take on ACME GmbH?\nThey ask for 25 000 EUR.\n"
    "Their register entry is attached.",
    "data": {
        "company": "ACME GmbH",
        "amount": 25000,
        "politicallyExposed": False,
        "address": {"street": "Lange Straße 7", "city": "Berlin"},
        "directors": [
            {"name": "Ada Lovelace", "since": "2019-04-01"},
            {"name": "Grace Hopper", "since": "2021-09-15"},
        ],
        "tags": ["new", "large"],
    },
}
FORM: dict[str, Any] = {
    "sections": [
        {
            "id": "terms",
            "fields": [
                {
                    "id": "1",
                    "key": "limit",
                    "type": "currency",
                    "label": "Credit limit",
                    "help": "In euros, without VAT.",
                    "validation": {"required": True, "max": 50_000},
                },
                {
                    "id": "2",
                    "key": "risk",
                    "type": "radio",
                    "label": "Risk",
                    "options": [
                        {"label": "Low", "value": "low"},
                        {"label": "High", "value": "high"},
                    ],
                },
            ],
        }
    ]
}


def asked(made: Sample, form: dict[str, Any] | None = None) -> str:
    """Have a run ask somebody by mail; the address of their link."""
    run = by_hand.execute(made.people["OWNER"], made.workflow, {"company": "ACME GmbH"}).id
    token = f"a-link-of-{run}"
    question = {**QUESTION, "form": form}
    due_at = datetime.now(UTC) + timedelta(days=7)
    with unit_of_work() as session:
        wait = waits.open_wait(
            session,
            waits.NewWait(
                run_id=run,
                node_id="ask",
                generation=0,
                kind=WaitKind.DECISION,
                due_at=due_at,
                question=question,
                approvers=[BOSS],
            ),
        )
        session.execute(
            update(Approver).where(Approver.wait_id == wait.id).values(token_hash=hash_token(token))
        )
    return f"/api/workflows/callback/{token}"


def shown(made: Sample) -> dict[str, str]:
    """The pages that are worth a picture, by name."""
    form = f"/api/forms/{made.questionnaire}/public"
    return {
        "public-approval": asked(made),
        "public-approval-form": asked(made, FORM),
        "public-form": form,
        "public-sent": f"{form}/sent",
        "public-unknown": "/api/workflows/callback/nothing",
    }
