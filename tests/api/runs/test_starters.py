"""Who counts as having started a run: whoever sent what it was started by."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import Job, Run
from automations.dispatch.jobs.registry import Handlers
from tests.api.conftest import Api
from tests.api.tables.tables import rows_of
from tests.doubles import ports


def identity(api: Api, role: str) -> str:
    keys = api.call("GET", "/api/api-keys").json()
    return next(f"key:{key['id']}" for key in keys if key["name"] == role.lower())


def starters(api: Api) -> list[Any]:
    """Of the one run that what has happened starts."""
    handlers = Handlers(ports(), ports())  # type: ignore[arg-type]  # no Airflow here
    with unit_of_work() as session:
        jobs = session.scalars(select(Job).where(Job.kind == "match_event")).all()
    for job in jobs:
        handlers.handle(job)
    with unit_of_work() as session:
        return list(session.scalars(select(Run)).one().starters)


def listening(api: Api, kind: str) -> None:
    api.workflow(trigger={"type": "event", "triggerType": kind})


def test_whoever_added_the_row(api: Api) -> None:
    listening(api, "ROW_ADDED")
    place = rows_of(api)
    assert api.call("POST", place, {"data": {"name": "Acme"}}, role="MEMBER").status_code == 201
    assert starters(api) == [identity(api, "MEMBER")]


def test_whoever_sent_the_form(api: Api) -> None:
    form = api.form()
    api.workflow(trigger={"type": "form_submission", "formId": form})
    body = {"formId": form, "data": {"email": "ada@b.example"}}
    assert api.call("POST", "/api/submissions", body, role="MEMBER").status_code == 201
    assert starters(api) == [identity(api, "MEMBER")]


def test_whoever_sent_changed_or_approved_the_submission(api: Api) -> None:
    listening(api, "FORM_APPROVED")
    body = {"formId": api.form(), "data": {"email": "ada@b.example"}}
    sent = api.call("POST", "/api/submissions", body, role="MEMBER").json()["id"]
    change = {"data": {"email": "eve@b.example"}}
    assert api.call("PATCH", f"/api/submissions/{sent}", change, role="ADMIN").is_success
    assert api.call("POST", f"/api/submissions/{sent}/approve").is_success
    assert starters(api) == [identity(api, role) for role in ("MEMBER", "ADMIN", "OWNER")]


@pytest.mark.parametrize("replayed", [False, True])
def test_whoever_sent_the_event_or_had_it_matched_again(api: Api, replayed: bool) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "shop.paid"}
    headers = {"Content-Type": "application/cloudevents+json"}
    sent = api.call("POST", "/api/events", event, role="MEMBER", headers=headers).json()["id"]
    wanted = [identity(api, "MEMBER")]
    if replayed:
        with unit_of_work() as session:
            (job,) = session.scalars(select(Job).where(Job.kind == "match_event")).all()
        Handlers(ports(), ports()).handle(job)  # type: ignore[arg-type]  # no Airflow here
        listening(api, "shop.paid")
        assert api.call("POST", f"/api/events/{sent}/replay", role="ADMIN").status_code == 202
        wanted.append(identity(api, "ADMIN"))
    else:
        listening(api, "shop.paid")
    assert starters(api) == wanted
