"""Detects automations that would run each other in a cycle, when one of them is saved.

Only ids that are written down are followed: where a template names the automation, the depth of
the chain is bounded when it runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from automations.db.session import Session
from automations.db.workflows import workflows
from automations.definitions.model import Definition, nested_lists
from automations.domain.fields import is_template
from automations.domain.statuses import WorkflowStatus
from automations.domain.workflows import WorkflowDetail
from automations.errors import Unreadable, ValidationFailed
from automations.services.workflows import definitions


def check(session: Session, workflow: WorkflowDetail, definition: Definition) -> None:
    """Check that an automation does not come to run itself by a definition.

    Raises:
        ValidationFailed: names the steps and the chain of automations.
    """
    errors: dict[str, list[str]] = {}
    for path, target in _calls(definition.steps, "steps"):
        chain = _chain(session, workflow, target, set())
        if chain is not None:
            around = " → ".join(f"'{name}'" for name in (definition.name, *chain))
            errors[path] = [f"makes the automation run itself: {around}"]
    if errors:
        raise ValidationFailed(errors)


def _chain(session: Session, to: WorkflowDetail, target: str, seen: set[str]) -> list[str] | None:
    """The names on the chain from an automation to another one; None when there is none."""
    if target == to.id:
        return [to.name]
    if target in seen:
        return None
    seen.add(target)
    workflow = workflows.find(session, to.workspace_id, target)
    if workflow is None or workflow.status == WorkflowStatus.ARCHIVED:
        return None
    # What an older release took and this one does not, runs nothing.
    with suppress(Unreadable):
        definition = definitions.read(session, workflow.id, workflow.version)
        for _, following in _calls(definition.steps, ""):
            chain = _chain(session, to, following, seen)
            if chain is not None:
                return [workflow.name, *chain]
    return None


def _calls(steps: list[Any], path: str) -> Iterator[tuple[str, str]]:
    """The automations that steps run, with the fields that name them."""
    for index, step in enumerate(steps):
        if step.disabled:
            continue
        step_path = f"{path}.{index}"
        called = step.config.workflow_id if step.type == "run_workflow" else None
        if called is not None and not is_template(called):
            yield f"{step_path}.config.workflowId", called
        for _, field, nested in nested_lists(step):
            yield from _calls(nested, f"{step_path}.{field}")
