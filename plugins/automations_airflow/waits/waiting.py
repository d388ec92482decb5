"""Parks the task of a step that waits in Airflow, and reads the answer when it is woken."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NoReturn

from airflow.sdk.exceptions import TaskAwaitingInput, TaskDeferred
from airflow.sdk.execution_time.hitl import upsert_hitl_detail

from automations.domain.people import IN_AIRFLOW
from automations.domain.statuses import Decision
from automations.execution.verdicts import AskPeople, Sleep
from automations.kit import common_clock
from automations.services.waits import answers
from automations.settings import get_settings
from automations.steps.outcomes import Answer
from automations_airflow.ui.links import approval_page
from automations_airflow.waits.questions import request_of, state_of
from automations_airflow.waits.triggers import WaitTrigger

RESUME = "resume"
"""The operator's method that Airflow calls when the wait has ended."""

QUESTION_KEY = "automations_question"
"""XCom key of the question to show when a task asks again; see ``parking``."""


def ask(verdict: AskPeople, context: Any) -> None:
    """Put a question on Airflow's Required Actions page, as it stands now."""
    ti = context["ti"]
    state = state_of(verdict)
    request = request_of(verdict, state, approval_page(ti.dag_id, ti.run_id))
    upsert_hitl_detail(ti_id=ti.id, **request)
    # When a task asks again, Airflow still keeps its first question.
    if state.has_moved or ti.try_number > 1 or context["dag_run"].clear_number:
        # As text, since an XCom does not keep the order of an object's names, nor that of fields.
        ti.xcom_push(QUESTION_KEY, {**request, "params": json.dumps(request["params"])})


def park_for_people(verdict: AskPeople) -> NoReturn:
    """Free the worker until somebody answers or the question expires."""
    left = verdict.expires_at - common_clock.now()
    raise TaskAwaitingInput(
        method_name=RESUME,
        kwargs={"wait_id": verdict.wait_id},
        timeout=max(left, timedelta(seconds=1)),
    )


def park_until(verdict: Sleep) -> NoReturn:
    """Free the worker until the time has come or the wait is notified."""
    raise TaskDeferred(
        trigger=WaitTrigger(wait_id=verdict.wait_id, until=verdict.until),
        method_name=RESUME,
        kwargs={"wait_id": verdict.wait_id},
    )


def answer_of(event: Mapping[str, Any]) -> Answer | None:
    """How the wait ended according to Airflow; None if our database knows that."""
    if event.get("woken") == "notified":
        return None
    if event.get("woken") == "elapsed":
        return Answer(Decision.ELAPSED, None, common_clock.now())
    if event.get("error_type") == "timeout":
        return Answer(Decision.EXPIRED, None, common_clock.now())
    user = event.get("responded_by_user") or {}
    name = user.get("name") or user.get("id") or "unknown"  # FAB's users have numbers for ids
    if name == get_settings().airflow_username:
        return None
    values = dict(event.get("params_input") or {})
    reason = values.pop(answers.REASON, None)
    return Answer(
        decision=answers.decision_of(event["chosen_options"][0]),
        by=f"{IN_AIRFLOW}{name}",
        at=event["responded_at"],
        data=values or None,
        reason=reason or None,
    )
