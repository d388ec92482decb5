"""Definitions and publications for the tests of what Airflow is given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from automations.definitions.published import PACK_SIZE, Published
from automations.domain.statuses import WorkflowStatus


def workflow_id(number: int) -> str:
    return f"c{number:024d}"


def condition(name: str, order: int = 0, **config: Any) -> dict[str, Any]:
    """A condition; ``else_`` are the steps of its other arm."""
    rules = {"rules": [{"field": "{{input.x}}", "operator": "equals", "value": 1}]}
    given = {key.removesuffix("_"): value for key, value in config.items()}
    return _step(name, "condition", order, {**rules, "then": [], "else": [], **given})


def email(name: str, order: int = 0, **more: Any) -> dict[str, Any]:
    config = {"to": "ada@b.example", "subject": "Hi {{input.x}}", "body": "{{ti.task}}"}
    return {**_step(name, "email", order, config), **more}


def delay(name: str, order: int = 0) -> dict[str, Any]:
    return _step(name, "delay", order, {"duration": "PT1H"})


def approval(name: str, order: int = 0) -> dict[str, Any]:
    return _step(name, "approval", order, {"approvers": ["boss@b.example"], "message": "OK?"})


def _step(name: str, kind: str, order: int, config: dict[str, Any]) -> dict[str, Any]:
    return {"id": name, "name": f"The {name}", "type": kind, "order": order, "config": config}


def published(*steps: dict[str, Any], number: int = 0, **more: Any) -> Published:
    definition = {"name": f"Automation {number}", "steps": list(steps), **more}
    return Published(workflow_id(number), number, 1, number + 1, WorkflowStatus.ACTIVE, definition)


class Shelf:
    """Publications in memory, with every version that was put on it."""

    def __init__(self) -> None:
        self.versions: list[Published] = []
        self.reads = 0
        self.broken = False

    def put(self, one: Published) -> Published:
        older = [v for v in self.versions if v.workflow_id == one.workflow_id]
        newest = replace(one, version=len(older) + 1, revision=len(self.versions) + 1)
        self.versions.append(newest)
        return newest

    def put_again(self, one: Published, revision: int) -> None:
        """Publish a version anew as it is."""
        self.versions[self.versions.index(one)] = replace(one, republished=revision)

    def revision(self) -> int:
        if self.broken:
            raise ConnectionError("the database is away")
        return max([0, *(max(v.revision, v.republished) for v in self.versions)])

    def packs(self, since: int) -> list[int]:
        self.reads += 1
        newer = [v for v in self.versions if max(v.revision, v.republished) > since]
        return sorted({v.number // PACK_SIZE for v in newer})

    def pack(self, number: int) -> list[Published]:
        self.reads += 1
        newest = {v.number: v for v in self.versions if v.number // PACK_SIZE == number}
        return [newest[key] for key in sorted(newest)]

    def at(self, workflow_id: str, revision: int) -> Published | None:
        self.reads += 1
        found = [
            v for v in self.versions if v.workflow_id == workflow_id and v.revision <= revision
        ]
        return found[-1] if found else None
