"""Evidence over HTTP: listed, read and verified, by role and workspace."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from sqlalchemy import update

from automations.db.session import unit_of_work
from automations.db.tables import EvidenceSnapshot
from tests.api.conftest import Api
from tests.api.evidence.evidence import capture


@pytest.mark.parametrize("role", ["OWNER", "ADMIN", "MEMBER", "VIEWER"])
@pytest.mark.parametrize("path", ["", "/verify", "/{id}"])
def test_everybody_of_the_workspace_may_read(api: Api, role: str, path: str) -> None:
    path = "/api/evidence" + path.replace("{id}", capture())
    assert api.call("GET", path, role=role).status_code == 200


@pytest.mark.parametrize("source", ["AUDIT_LOGS", "SECURITY_EVENTS"])
@pytest.mark.parametrize(
    ("role", "status"), [("OWNER", 200), ("ADMIN", 200), ("MEMBER", 403), ("VIEWER", 403)]
)
def test_evidence_of_what_administrators_read_is_theirs(
    api: Api, source: str, role: str, status: int
) -> None:
    assert api.call("GET", f"/api/evidence/{capture(source)}", role=role).status_code == status


def test_another_workspace_sees_nothing(api: Api) -> None:
    made = capture()
    assert api.call("GET", f"/api/evidence/{made}", role="STRANGER").status_code == 404
    assert api.call("GET", "/api/evidence", role="STRANGER").json()["evidence"] == []
    assert api.call("GET", "/api/evidence/verify", role="STRANGER").json()["count"] == 0


def test_the_content_is_the_text_that_the_hash_is_of(api: Api) -> None:
    member = {"name": "Zoë", "email": "zoe@b.example", "role": "VIEWER"}
    api.call("POST", "/api/members", member)
    found = api.call("GET", f"/api/evidence/{capture()}").json()
    assert hashlib.sha256(found["content"].encode()).hexdigest() == found["sha256"]
    assert json.loads(found["content"])[0]["name"] == "Zoë"
    assert (found["number"], found["rowCount"], found["previousSha256"]) == (1, 1, None)


def test_the_list_is_paged_filtered_and_without_contents(api: Api) -> None:
    for number in range(3):
        capture(title=f"T{number}")
    capture("AUDIT_LOGS", "logs")
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": 2, "source": "ORG_MEMBERS", **({"cursor": cursor} if cursor else {})}
        page = api.call("GET", "/api/evidence", params=query).json()
        found += page["evidence"]
        cursor = page["pagination"]["nextCursor"]
    assert [snapshot["title"] for snapshot in found] == ["T2", "T1", "T0"]
    assert all("content" not in snapshot for snapshot in found)


def test_verifying_names_the_first_broken_link(api: Api) -> None:
    ids = [capture(title=f"T{number}") for number in range(3)]
    whole = api.call("GET", "/api/evidence/verify", role="VIEWER").json()
    assert whole["valid"] is True
    assert whole["headSha256"] == api.call("GET", f"/api/evidence/{ids[2]}").json()["chainSha256"]
    with unit_of_work() as session:
        session.execute(
            update(EvidenceSnapshot).where(EvidenceSnapshot.id == ids[1]).values(content=b"[1]")
        )
    assert api.call("GET", "/api/evidence/verify", role="VIEWER").json() == {
        "valid": False,
        "count": 1,
        "headSha256": api.call("GET", f"/api/evidence/{ids[0]}").json()["chainSha256"],
        "firstBroken": {
            "number": 2,
            "id": ids[1],
            "reason": "has another content than the one that was captured",
        },
    }


@pytest.mark.parametrize("query", [{"source": "NOPE"}, {"cursor": "x"}, {"limit": 0}])
def test_a_wrong_parameter_is_refused(api: Api, query: dict[str, Any]) -> None:
    assert api.call("GET", "/api/evidence", params=query).status_code == 400
