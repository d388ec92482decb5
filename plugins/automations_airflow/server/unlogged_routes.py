"""Has Airflow's api-server log what people do by routes of which Airflow logs nothing.

Airflow notes in its audit log who marks, clears or deletes something, but not by the two routes
with which its UI marks or deletes several tasks at once, and deletes one. Who did that to an
automation would be known to nobody. Of who pauses many DAGs at once, it notes the pattern of their
names, and not which they were.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.api_fastapi.logging.decorators import action_logging
from fastapi import Depends, Request
from fastapi.dependencies.utils import get_parameterless_sub_dependant
from fastapi.routing import APIRoute

from automations_airflow.own_dags import is_own
from automations_airflow.server.bulk_pauses import log_pauses

_TASKS = "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances"
_UNLOGGED = {
    ("PATCH", _TASKS): "bulk_task_instances",
    ("DELETE", f"{_TASKS}/{{task_id}}"): "delete_task_instance",
}
"""By method and path, the name that Airflow would give to their entries."""
_PAUSES = ("PATCH", "/dags")
"""By which many DAGs are paused, or go on."""


def log_them(routes: Iterable[Any]) -> None:
    """Have them logged, of our DAGs alone; one that Airflow itself logs is left as it is."""
    for route in (route for route in routes if isinstance(route, APIRoute)):
        for place, event in _UNLOGGED.items():
            if _is_at(route, place) and not _has(route, action_logging(), _logging("")):
                _add(route, Depends(_logging(event)))
        if _is_at(route, _PAUSES) and not _has(route, log_pauses):
            # Its entries are to be in the transaction of the route, before which it ends.
            _add(route, Depends(log_pauses, scope="function"))


def _is_at(route: APIRoute, place: tuple[str, str]) -> bool:
    method, path = place
    return method in route.methods and route.path.endswith(path)


def _has(route: APIRoute, *logs: Callable[..., Any]) -> bool:
    names = {log.__qualname__ for log in logs}
    calls = (dependency.call for dependency in route.dependant.dependencies)
    return any(getattr(call, "__qualname__", None) in names for call in calls)


def _add(route: APIRoute, logged: Any) -> None:
    route.dependencies.append(logged)
    # What a route asks for is read when it is made; later, it has to be told of in so many words.
    route.dependant.dependencies.append(
        get_parameterless_sub_dependant(depends=logged, path=route.path_format)
    )


def _logging(event: str) -> Callable[..., Any]:
    log = action_logging(event)

    async def log_ours(request: Request, session: SessionDep, user: GetUserDep) -> None:
        if any(is_own(dag_id) for dag_id in await _named(request)):
            await log(request, session, user)

    return log_ours


async def _named(request: Request) -> set[str]:
    """The DAGs that a request names, in its address or its body."""
    dag_ids = {str(request.path_params.get("dag_id"))}
    try:
        body: Any = json.loads(await request.body() or "{}")
        entities = [entity for action in body["actions"] for entity in action["entities"]]
    except (KeyError, TypeError, ValueError, RecursionError):
        # The route itself refuses what is none of its bodies.
        return dag_ids
    return dag_ids | {str(entity.get("dag_id")) for entity in entities if isinstance(entity, dict)}
