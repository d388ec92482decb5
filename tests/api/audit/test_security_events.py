"""Refusals are noted, without tokens, and a flood of them stays small."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, update

from automations.db.security_events import FLOOD, MAX_PER_MINUTE
from automations.db.session import unit_of_work
from automations.db.tables import RateLimit, SecurityEvent
from tests.api.audit.audit import events
from tests.api.conftest import Api


def test_a_role_that_is_too_low_is_noted_with_who_it_was(api: Api) -> None:
    headers = {"X-Request-Id": "request-1"}
    api.call("POST", "/api/workflows", {}, role="VIEWER", headers=headers)
    (event,) = events(api)
    assert (event["type"], event["severity"]) == ("auth.forbidden", "WARNING")
    assert (event["actor"], event["ip"], event["requestId"]) == (
        "viewer",
        "testclient",
        "request-1",
    )
    assert event["details"]["path"] == "/api/workflows"
    assert event["count"] == 1


def test_an_unknown_key_is_noted_for_the_default_workspace_alone(api: Api) -> None:
    api.http.get("/api/workflows", headers={"Authorization": "Bearer sk_secretsecret"})
    api.http.get("/api/workflows")
    security_events = events(api)
    assert [event["type"] for event in security_events] == ["auth.failed"] * 2
    assert "secretsecret" not in str(security_events)
    assert events(api, "STRANGER") == []


def test_a_revoked_key_is_noted_in_its_own_workspace_by_name(api: Api) -> None:
    made = api.call("POST", "/api/api-keys", {"name": "Old"}, role="STRANGER").json()
    api.call("DELETE", f"/api/api-keys/{made['id']}", role="STRANGER")
    api.http.get("/api/workflows", headers={"Authorization": f"Bearer {made['token']}"})
    (event,) = events(api, "STRANGER")
    assert (event["type"], event["actor"]) == ("auth.failed", "Old")
    assert events(api) == []


@pytest.mark.parametrize("json", [True, False])
def test_an_unknown_link_is_noted_and_not_what_was_tried(api: Api, json: bool) -> None:
    headers = {"Accept": "application/json"} if json else {}
    api.http.get("/api/workflows/callback/guessed-token", headers=headers)
    (event,) = events(api, type="token.unknown")
    assert event["details"]["path"] == "/api/workflows/callback/{token}"
    assert "guessed" not in str(event)


def test_a_rate_limit_is_noted(api: Api) -> None:
    for _ in range(21):
        answer = api.http.get("/api/workflows/callback/one-token")
    assert answer.status_code == 429
    with unit_of_work() as session:
        found = session.scalars(select(SecurityEvent.type).distinct()).all()
    # The limit of a link is above the bound of the events: all that is stored came before it.
    assert set(found) == {"token.unknown", FLOOD}


def test_a_flood_is_stored_in_part_and_counted_in_full(api: Api) -> None:
    for _ in range(MAX_PER_MINUTE + 30):
        api.http.get("/api/workflows")
    with unit_of_work() as session:
        assert session.scalar(select(func.count()).select_from(SecurityEvent)) == (
            MAX_PER_MINUTE + 1
        )
    (flood,) = events(api, type=FLOOD)
    assert (flood["count"], flood["severity"]) == (30, "HIGH")
    with unit_of_work() as session:
        session.execute(update(RateLimit).values(ends_at=func.now()))
    api.http.get("/api/workflows")
    assert len(events(api, type="auth.failed")) == MAX_PER_MINUTE + 1


def test_events_are_filtered_and_paged(api: Api) -> None:
    for _ in range(3):
        api.call("POST", "/api/workflows", {}, role="VIEWER")
    api.http.get("/api/workflows")
    assert len(events(api, type="auth.forbidden")) == 3
    assert len(events(api, actor="viewer")) == 3
    assert events(api, severity="HIGH") == []
    assert events(api, ip="192.0.2.1") == []
    first = api.call("GET", "/api/security-events", params={"limit": 3}).json()
    cursor = first["pagination"]["nextCursor"]
    rest = api.call("GET", "/api/security-events", params={"limit": 3, "cursor": cursor}).json()
    ids = [event["id"] for event in first["securityEvents"] + rest["securityEvents"]]
    assert len(set(ids)) == 4
    assert rest["pagination"]["nextCursor"] is None


def test_an_instant_may_have_any_offset(api: Api) -> None:
    api.http.get("/api/workflows")
    assert len(events(api, since="0142-07-03T04:21:52+20:25")) == 1
