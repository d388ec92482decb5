"""Decisions are on record with whoever decided, and spent links with whose they were."""

from __future__ import annotations

from tests.api.audit.audit import events, logs
from tests.api.conftest import Api
from tests.api.waits.approvals import ask


def test_a_decision_by_a_link_is_its_recipients(api: Api) -> None:
    asked = ask(api)
    api.http.post(asked.path, json={"decision": "approved", "data": {"n": "private"}})
    (line,) = logs(api, action="run.decide")
    assert (line["actor"]["type"], line["actor"]["name"]) == ("recipient", "boss@example.com")
    assert line["resource"] == {"type": "run", "id": asked.run}
    assert line["details"]["decision"] == "approved"
    assert "private" not in str(line)


def test_a_decision_by_a_key_is_its_holders(api: Api) -> None:
    asked = ask(api)
    path = f"/api/workflows/runs/{asked.run}/resume"
    refused = api.call("POST", path, {"decision": "rejected"}, role="MEMBER")
    assert (refused.status_code, refused.json()["code"]) == (403, "FORBIDDEN")
    assert api.call("POST", path, {"decision": "rejected"}, role="ADMIN").status_code == 200
    (line,) = logs(api, action="run.resume")
    assert (line["actor"]["name"], line["details"]["decision"]) == ("admin", "rejected")
    assert line["details"]["override"] is True


def test_a_link_that_is_used_again_is_noted_in_the_runs_workspace(api: Api) -> None:
    asked = ask(api)
    for _ in range(2):
        api.http.post(asked.path, json={"decision": "approved"})
    (event,) = events(api, type="token.spent")
    assert event["severity"] == "INFO"
    assert asked.token not in str(event)
    assert len(logs(api, action="run.decide")) == 1
