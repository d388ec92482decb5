"""The body of an error: the platform's envelope, or RFC 9457 for clients that accept that."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

PROBLEM = "application/problem+json"


def error_body(
    accept: str,
    status: int,
    error: str,
    code: str,
    request_id: str,
    details: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], str]:
    """The body of an answer that says what is wrong, and its media type."""
    if PROBLEM in accept.lower():
        problem = {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": error,
            "code": code,
            "requestId": request_id,
            **(details or {}),
        }
        return problem, PROBLEM
    body = {
        "success": False,
        "error": error,
        "code": code,
        "details": dict(details or {}),
        "requestId": request_id,
    }
    return body, "application/json"
