"""Public forms, and forms that a step sends."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import Form, Submission
from automations.ports import FormRequest
from automations.services.waits.form_requests import SentForms, form_token
from tests.api.conftest import Api
from tests.api.forms.browsing import Page

REQUIRED = {"required": True}


def field(kind: str, label: str, **more: Any) -> dict[str, Any]:
    key = label.lower()
    return {"id": key, "key": key, "type": kind, "label": label, **more}


def public(api: Api, *sections: dict[str, Any]) -> Page:
    body = {"title": "Trip", "public": True, "schema": {"sections": sections}}
    created = api.call("POST", "/api/forms", body)
    assert created.status_code == 201, created.text
    return Page(api.http, f"/api/forms/{created.json()['id']}/public")


def submissions() -> list[dict[str, Any]]:
    """What was sent, the oldest first."""
    with unit_of_work() as session:
        sent = session.scalars(select(Submission).order_by(Submission.created_at))
        return [request.data for request in sent]


PREFILL = {"email": "known@b.example"}


def sent_form(api: Api, form: str, prefill: Mapping[str, Any] = PREFILL) -> str:
    """Where somebody fills in a form that a run has sent."""
    run = api.call("POST", f"/api/workflows/{api.workflow()['id']}/execute").json()["runId"]
    with unit_of_work() as session:
        workspace = session.scalars(select(Form.workspace_id)).one()
    SentForms().send(
        FormRequest(
            workspace_id=workspace,
            run_id=run,
            form_id=form,
            recipients=("ada@b.example",),
            subject="Please",
            message="<b>Please</b>",
            prefill=prefill,
            wait_for=None,
            expires_in=timedelta(days=1),
            remind_every=None,
            key="k",
        )
    )
    return f"/api/forms/requests/{form_token('k', 'ada@b.example')}"
