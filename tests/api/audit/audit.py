"""What is noted, over HTTP."""

from __future__ import annotations

from typing import Any

from tests.api.conftest import Api


def logs(api: Api, **query: Any) -> list[dict[str, Any]]:
    answer = api.call("GET", "/api/audit-logs", params={"limit": 100, **query})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["auditLogs"]
    return found


def events(api: Api, role: str = "OWNER", **query: Any) -> list[dict[str, Any]]:
    answer = api.call("GET", "/api/security-events", role=role, params={"limit": 100, **query})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["securityEvents"]
    return found
