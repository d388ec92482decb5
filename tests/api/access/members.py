"""Members, over HTTP."""

from __future__ import annotations

from typing import Any

from tests.api.conftest import Api

ADA = {"name": "Ada", "email": "ada@b.example", "role": "MEMBER"}


def add(api: Api, by: str = "OWNER", **more: Any) -> dict[str, Any]:
    answer = api.call("POST", "/api/members", {**ADA, **more}, role=by)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made
