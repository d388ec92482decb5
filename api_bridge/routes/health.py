"""Liveness and readiness of the bridge."""

from __future__ import annotations

from api_bridge.routing import Router
from automations.db import migrate
from automations.errors import Unavailable
from automations.settings import get_settings

router = Router(tags=["health"])


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
def readyz() -> dict[str, str]:
    """The database answers and has the schema that this bridge needs."""
    if not migrate.is_current(get_settings().dsn):
        raise Unavailable("The database is not migrated: run ./automations migrate.")
    return {"status": "ready"}
