"""How a step that waits parks its task in Airflow, and what comes back when it is woken."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn
from uuid import UUID

from airflow.sdk.exceptions import TaskAwaitingInput, TaskDeferred
from airflow.sdk.execution_time.hitl import upsert_hitl_detail

from automations.domain.people import IN_AIRFLOW
from automations.domain.statuses import Decision
from automations.execution.verdicts import AskPeople, Sleep
from automations.services.waits import answers
from automations.settings import get_settings
from automations.steps.outcomes import Answer, Question
from automations_airflow.triggers import WaitTrigger

RESUME = "resume"
"""The operator's method that Airflow calls when the wait has ended."""

SUBJECT_LENGTH = 250

QUESTION_KEY = "automations_question"
"""XCom key of a question as it must be shown when a task asks once more; see ``parking``."""


def ask(verdict: AskPeople, ti_id: UUID) -> dict[str, Any]:
    """Put a question on Airflow's Required Actions page; return it as Airflow shows it."""
    request: dict[str, Any] = {
        "subject": verdict.question.subject[:SUBJECT_LENGTH],
        "body": body_of(verdict.question),
        "options": list(verdict.options),
        "params": params_of(verdict.question),
    }
    upsert_hitl_detail(ti_id=ti_id, **request)
    return request


def park_for_people(verdict: AskPeople) -> NoReturn:
    """Give the worker back until somebody answers or the question expires."""
    left = verdict.expires_at - datetime.now(UTC)
    raise TaskAwaitingInput(
        method_name=RESUME,
        kwargs={"wait_id": verdict.wait_id},
        timeout=max(left, timedelta(seconds=1)),
    )


def park_until(verdict: Sleep) -> NoReturn:
    """Give the worker back until the moment has come or the wait is notified."""
    raise TaskDeferred(
        trigger=WaitTrigger(wait_id=verdict.wait_id, until=verdict.until),
        method_name=RESUME,
        kwargs={"wait_id": verdict.wait_id},
    )


def answer_of(event: Mapping[str, Any]) -> Answer | None:
    """What Airflow says how the wait ended; None when our database knows it."""
    if event.get("woken") == "notified":
        return None
    if event.get("woken") == "elapsed":
        return Answer(Decision.ELAPSED, None, datetime.now(UTC))
    if event.get("error_type") == "timeout":
        return Answer(Decision.EXPIRED, None, datetime.now(UTC))
    user = event.get("responded_by_user") or {}
    if user.get("id") == get_settings().airflow_username:
        return None
    return Answer(
        decision=answers.decision_of(event["chosen_options"][0]),
        by=f"{IN_AIRFLOW}{user.get('name') or user.get('id') or 'unknown'}",
        at=event["responded_at"],
        data=event.get("params_input") or None,
    )


def body_of(question: Question) -> str:
    """The question as Markdown: its text, then its data."""
    parts = [question.body] if question.body else []
    if question.data is not None:
        parts.append(_fenced(json.dumps(question.data, indent=2, ensure_ascii=False)))
    return "\n\n".join(parts)


def params_of(question: Question) -> dict[str, Any]:
    """The fields that an answer may fill in, as Airflow's form shows them."""
    if question.form is None:
        return {"comment": _param("Comment", "A remark on the decision.", {"type": "string"})}
    return {field["key"]: _field(field) for field in _fields(question.form)}


_TYPES: Mapping[str, Mapping[str, Any]] = {
    "number": {"type": "number"},
    "currency": {"type": "number"},
    "rating": {"type": "number"},
    "yesno": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "textarea": {"type": "string", "format": "multiline"},
}
_DISPLAY = frozenset({"heading", "paragraph", "divider"})
_MANY = frozenset({"checkbox", "multiselect"})


def _fields(form: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for section in form.get("sections", ()):
        if section.get("repeatable"):
            # Airflow's form has no lists of items; the page that was sent by mail has.
            continue
        for field in section.get("fields", ()):
            if field.get("type") not in _DISPLAY and field.get("key"):
                yield field


def _field(field: Mapping[str, Any]) -> dict[str, Any]:
    values = [option["value"] for option in field.get("options") or ()]
    if field.get("type") in _MANY:
        schema: dict[str, Any] = {"type": "array", "items": {"type": "string"}, "examples": values}
    else:
        schema = dict(_TYPES.get(field.get("type", ""), {"type": "string"}))
        if values:
            schema["enum"] = values
    label = field.get("label") or field["key"]
    return _param(
        label, None, schema, required=bool((field.get("validation") or {}).get("required"))
    )


def _param(
    title: str, description: str | None, schema: Mapping[str, Any], required: bool = False
) -> dict[str, Any]:
    shown: dict[str, Any] = {**schema, "title": title}
    if not required:
        shown["type"] = [schema["type"], "null"]
        if "enum" in schema:
            shown["enum"] = [*schema["enum"], None]
    return {"value": None, "description": description, "schema": shown}


def _fenced(text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}json\n{text}\n{fence}"
