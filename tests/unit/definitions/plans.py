"""Plans of few steps."""

from __future__ import annotations

from typing import Any

from automations.definitions.model import DEFINITION
from automations.definitions.plan import Plan

RULES = [{"field": "{{input.a}}", "operator": "exists"}]


def wait(name: str, order: int = 0, **more: Any) -> dict[str, Any]:
    config = {"duration": "PT1S"}
    return {"id": name, "name": name, "type": "delay", "order": order, "config": config, **more}


def branch(name: str, order: int = 0, **config: Any) -> dict[str, Any]:
    """A condition; ``else_`` are the steps of its other arm."""
    whole = {"rules": RULES, **{key.removesuffix("_"): value for key, value in config.items()}}
    return {"id": name, "name": name, "type": "condition", "order": order, "config": whole}


def plan(*steps: dict[str, Any]) -> Plan:
    return Plan(DEFINITION.validate_python({"name": "A", "steps": list(steps)}).steps)
