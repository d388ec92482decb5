"""What is alike in many answers."""

from __future__ import annotations

from typing import Any

INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def errors(answer: Any) -> dict[str, list[str]]:
    body = answer.json()
    assert answer.status_code == 400, body
    assert body["success"] is False
    assert body["code"] == "VALIDATION_ERROR"
    assert body["requestId"] == answer.headers["x-request-id"]
    field_errors: dict[str, list[str]] = body["details"]["fieldErrors"]
    return field_errors
