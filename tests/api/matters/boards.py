"""Boards and the matters on them, over HTTP."""

from __future__ import annotations

from typing import Any

from tests.api.conftest import Api
from tests.db.workspace import BOARD

BOARDS = "/api/matter-templates"


MATTERS = "/api/matters"


def board(api: Api, **more: Any) -> dict[str, Any]:
    answer = api.call("POST", BOARDS, {**BOARD, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def matter(api: Api, template: str | None = None, **more: Any) -> dict[str, Any]:
    body = {"templateId": template or board(api)["id"], "title": "Acme", **more}
    answer = api.call("POST", MATTERS, body, role="MEMBER")
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made
