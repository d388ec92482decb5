"""Shows in Airflow's UI that an automation's DAG has no limit of active runs.

Airflow needs a number, and its UI would show it: "4 of 1000000".
"""

from __future__ import annotations

import re
from typing import Any

from automations_airflow.dags.dag_builder import UNLIMITED
from automations_airflow.own_dags import is_own

_DETAILS = re.compile(r"/api/v2/dags/([^/]+)/details")
_FIELD = b'"max_active_runs":'
_LIMIT = _FIELD + str(UNLIMITED).encode()
_NO_LIMIT = _FIELD + b"1e99999"
"""A number to JSON, and *Infinity* to JavaScript; as long as the other, for ``Content-Length``."""
assert len(_NO_LIMIT) == len(_LIMIT)


class NoRunLimit:
    """Shows it to browsers; clients with a token read the number by which the scheduler goes."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_without_limit(message: Any) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": message.get("body", b"").replace(_LIMIT, _NO_LIMIT)}
            await send(message)

        await self._app(scope, receive, send_without_limit if _is_for_us(scope) else send)


def _is_for_us(scope: Any) -> bool:
    if scope["type"] != "http":
        return False
    asked = _DETAILS.search(scope["path"])
    has_token = any(name == b"authorization" for name, _ in scope["headers"])
    return asked is not None and is_own(asked[1]) and not has_token
