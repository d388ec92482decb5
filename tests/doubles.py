"""Roles played for tests of steps, which reach nothing real by accident."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

from automations.domain.templating import render
from automations.ports import Ports
from automations.steps.base import StepContext

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Unreachable:
    """A role that a test does not expect to be asked."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was called")


def ports(**roles: Any) -> Ports:
    """Ports with these roles; every other one fails the test that asks it."""
    return Ports(**{role.name: roles.get(role.name, Unreachable()) for role in fields(Ports)})


def context(names: Mapping[str, Any] | None = None, **more: Any) -> StepContext:
    """A step's context; roles by name, and any of its fields."""
    roles = {role.name: more.pop(role.name) for role in fields(Ports) if role.name in more}

    def render_text(text: str, *, where: str = "config", **how: Any) -> Any:
        return render(text, names or {}, where=where, **how)

    given: dict[str, Any] = {
        "run_id": "run1",
        "workflow_id": "workflow1",
        "workspace_id": "workspace1",
        "node_id": "node1",
        "step_name": "Step",
        "idempotency_key": "run1:node1:0",
        "attempt": 1,
        "now": NOW,
        "timeout": timedelta(seconds=10),
        "ports": ports(**roles),
        "render": render_text,
        **more,
    }
    return StepContext(**given)
