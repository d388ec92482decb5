"""Copies of automations, as drafts."""

from __future__ import annotations

from automations.db.session import unit_of_work
from automations.db.workflows import versions
from automations.domain.principals import Principal
from automations.domain.workflows import WorkflowDetail
from automations.kit.ids import new_id
from automations.ports import Ports
from automations.services.workflows import webhook_secrets
from automations.services.workflows.lookups import require
from automations.services.workflows.workflows import add, check_references

_MAX_NAME = 193


def make(by: Principal, workflow_id: str, ports: Ports) -> WorkflowDetail:
    """Make a copy of an automation: a draft of its own, without its key and its runs.

    Its webhook has another URL, and the same secret.

    Raises:
        NotFound: there is no such automation.
    """
    with unit_of_work() as session:
        workflow = require(session, by.workspace_id, workflow_id)
        payload = dict(versions.definition(session, workflow.id, workflow.version) or {})
        payload.pop("key", None)
        payload["name"] = f"{workflow.name[:_MAX_NAME]} (copy)"
        trigger = dict(payload.get("trigger") or {})
        secret = trigger.get("secret")
        if secret is not None and not webhook_secrets.is_reference(str(secret)):
            value = webhook_secrets.value_of(by.workspace_id, str(secret))
            payload["trigger"] = {**trigger, "secret": value}
        copy = add(session, by, payload, ports, new_id())
        check_references(session, copy)
        return copy
