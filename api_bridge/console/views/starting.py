"""What starts an automation beside somebody here, for whoever is about to start it by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_READS = re.compile(r"\b(?:submission|trigger)\b\s*(?:\.|\[)")
"""What only its own trigger brings, as templates, expressions and scripts name it."""
_PAGES = {
    "FORM_APPROVED": "/console/submissions",
    "FORM_REJECTED": "/console/submissions",
    "MATTER_STEP_COMPLETED": "/console/matters",
    "MATTER_STEP_REJECTED": "/console/matters",
    "TABLE_SYNCED": "/console/pipelines",
}


@dataclass(frozen=True, slots=True)
class Start:
    """How an automation starts by itself.

    Args:
        kind: of its trigger.
        page: where one does what starts it; None where that is elsewhere.
        is_needed: whether steps read what only that brings, so that a run by hand has it not.
    """

    kind: str
    page: str | None
    is_needed: bool


def start_of(definition: Mapping[str, Any]) -> Start | None:
    """How an automation starts by itself; None where by hand it is the same."""
    trigger = definition.get("trigger") or {}
    kind = str(trigger.get("type"))
    if kind not in ("form_submission", "webhook", "event"):
        return None
    steps = json.dumps(definition.get("steps"), default=str)
    return Start(kind, _page(kind, trigger), _READS.search(steps) is not None)


def _page(kind: str, trigger: Mapping[str, Any]) -> str | None:
    if kind == "form_submission" and trigger.get("formId"):
        return f"/console/forms/{trigger['formId']}"
    if kind == "event" and trigger.get("filterTableId"):
        return f"/console/tables/{trigger['filterTableId']}"
    return _PAGES.get(str(trigger.get("triggerType"))) if kind == "event" else None
