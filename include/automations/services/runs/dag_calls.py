"""Runs of other DAGs, started by steps: implements the port ``OtherDags`` with our database.

What a step asks for is committed with a job, which brings it to Airflow: the DagRun's id is made
from the step's key, so that neither a repeat of the step nor one of the job makes a second one. An
operator is run by a DAG of ours, which asks here what it is to run: whoever makes a run of it by
hand runs nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from automations.db.runs import dag_calls, runs
from automations.db.session import Session, unit_of_work
from automations.db.tables import DagCall, Run
from automations.db.waits import waits
from automations.definitions.published import workflow_id
from automations.domain.statuses import CALLED, UNFINISHED, DagCallStatus, Decision, WaitKind
from automations.errors import StepError
from automations.kit.excerpts import excerpt
from automations.ports import OPERATOR_DAG, DagResult, ProviderOperator
from automations.services.integrations.allowances import is_named
from automations.settings import get_settings

_DAG_ID = re.compile(r"(?!\.+$)[\w.-]+")
_PATH = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)+")

Forbidden = Callable[[Session, str, str], str | None]
"""Says why a workspace may not run what is named so."""


@dataclass(frozen=True, slots=True)
class OperatorCall:
    """An operator that a step has asked for.

    Args:
        taker: which of the processes it is that have begun to run it, one after the other.
    """

    operator: str
    arguments: Mapping[str, Any]
    taker: int


class CalledDags:
    """DAGs of the Airflow around us, as far as the setting ``dag_allow`` goes."""

    def forbidden(self, workspace_id: str, dag_id: str) -> str | None:
        with unit_of_work() as session:
            return _forbidden(session, workspace_id, dag_id)

    def start(
        self, run_id: str, dag_id: str, conf: Mapping[str, Any], key: str, *, awaited: bool
    ) -> str:
        with unit_of_work() as session:
            _check(session, run_id, _forbidden, dag_id)
            call_id = _id_of(run_id, key)
            dag_calls.ask(
                session, call_id, run_id=run_id, dag_id=dag_id, conf=conf, awaited=awaited
            )
        return call_id

    def operator_forbidden(self, workspace_id: str, operator: str) -> str | None:
        with unit_of_work() as session:
            return _operator_forbidden(session, workspace_id, operator)

    def start_operator(
        self, run_id: str, operator: str, arguments: Mapping[str, Any], key: str
    ) -> str:
        conf = {"operator": operator, "arguments": dict(arguments)}
        with unit_of_work() as session:
            _check(session, run_id, _operator_forbidden, operator)
            call_id = _id_of(run_id, key)
            dag_calls.ask(
                session, call_id, run_id=run_id, dag_id=OPERATOR_DAG, conf=conf, awaited=True
            )
        return call_id

    def result(self, dag_run_id: str) -> DagResult:
        with unit_of_work() as session:
            call = dag_calls.get(session, dag_run_id)
            return DagResult(call.dag_id, call.id, call.status, call.outputs or {}, call.error)


def operator_call(dag_run_id: str) -> OperatorCall:
    """What a run of the operators' DAG is to run; whoever asked before counts no more.

    Raises:
        StepError: no step has asked for it, none waits for it any more, or it may not be run.
    """
    with unit_of_work() as session:
        call = dag_calls.find(session, dag_run_id)
        if call is None or call.dag_id != OPERATOR_DAG:
            raise StepError(
                "This DAG runs what steps of automations ask for, and no step has asked for this.",
                kind="config",
            )
        if call.status not in CALLED:
            raise StepError("No step waits for this any more.", kind="ended")
        workspace_id = session.get_one(Run, call.run_id).workspace_id
        operator = str(call.conf["operator"])
        # What was allowed when the step asked need not be so any more.
        if (reason := _operator_forbidden(session, workspace_id, operator)) is not None:
            raise StepError(reason, kind="config")
        taker = dag_calls.take(session, dag_run_id)
        return OperatorCall(operator, call.conf["arguments"], taker)


def trigger_forbidden(dag_run_id: str, dag_id: str) -> str | None:
    """Why an operator that a step has asked for may not start runs of a DAG; None if it may."""
    with unit_of_work() as session:
        call = dag_calls.get(session, dag_run_id)
        workspace_id = session.get_one(Run, call.run_id).workspace_id
        return _forbidden(session, workspace_id, dag_id)


def operator_ended(
    dag_run_id: str, status: DagCallStatus, error: str, taker: int | None = None
) -> None:
    """Note why an operator has come to nothing, and let the run go on that waits for it.

    Args:
        taker: the process that says so, which Airflow may have given up for another one; None for
            one that was not given the operator.
    """
    with unit_of_work() as session:
        call = dag_calls.find(session, dag_run_id)
        if call is None or call.dag_id != OPERATOR_DAG:
            return
        runs.lock_run(session, call.run_id)
        if taker in (None, dag_calls.get(session, call.id).takers):
            record_end(session, call, status, error=error)


def allowed_operators(
    workspace_id: str, operators: Sequence[ProviderOperator]
) -> list[ProviderOperator]:
    """Those of some operators that a workspace may run."""
    with unit_of_work() as session:
        return [
            operator
            for operator in operators
            if _operator_forbidden(session, workspace_id, operator.operator) is None
        ]


def mark_started(session: Session, call: DagCall) -> bool:
    """Note that a DagRun is there; False when it is not wanted any more."""
    runs.lock_run(session, call.run_id)
    dag_calls.mark_started(session, call.id)
    _wake(session, call)
    return dag_calls.get(session, call.id).status != DagCallStatus.CANCELLED


def record_end(
    session: Session,
    call: DagCall,
    status: DagCallStatus,
    *,
    outputs: Mapping[str, Any] | None = None,
    error: str | None = None,
) -> None:
    """Note how a DagRun has ended, or that there is none, and let the run go on that waits."""
    # Locked first: a run that is about to wait sees the end, or is seen here.
    runs.lock_run(session, call.run_id)
    dag_calls.end(session, call.id, status, outputs=outputs, error=error)
    _wake(session, call)


def _wake(session: Session, call: DagCall) -> None:
    wait = waits.open_wait_of(session, call.run_id)
    if (
        wait is not None
        and wait.kind == WaitKind.CHILD
        and waits.awaited_call(wait) == call.id
        and dag_calls.has_come(dag_calls.get(session, call.id))
    ):
        waits.settle(session, wait, waits.Ending(Decision.RESUMED))


def _check(session: Session, run_id: str, forbidden: Forbidden, name: str) -> None:
    # Locked, so that whoever ends the run sees what it asks for, or is seen here.
    run = runs.lock_run(session, run_id)
    if run is None or run.status not in UNFINISHED:
        raise StepError("The run has ended and starts no other.", kind="ended")
    if (reason := forbidden(session, run.workspace_id, name)) is not None:
        raise StepError(reason, kind="config")


def _id_of(run_id: str, key: str) -> str:
    return f"automations__{run_id}__{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def _forbidden(session: Session, workspace_id: str, dag_id: str) -> str | None:
    if not _DAG_ID.fullmatch(dag_id):
        # It is a part of the addresses that Airflow is asked at.
        return f"{excerpt(dag_id, 100)} is no id of a DAG."
    if workflow_id(dag_id) is not None:
        return f"{dag_id} is an automation's DAG: name the automation by workflowId."
    if dag_id == OPERATOR_DAG:
        return f"{dag_id} runs operators: have a step of the type airflow_operator."
    if is_named(session, workspace_id, dag_id, get_settings().dag_allow):
        return None
    return f"DAG {dag_id} may not be run from here: the setting AUTOMATIONS_DAG_ALLOW names it not."


def _operator_forbidden(session: Session, workspace_id: str, operator: str) -> str | None:
    if not _PATH.fullmatch(operator):
        return f"{excerpt(operator, 100)} is no dotted path of an operator's class."
    if is_named(session, workspace_id, operator, get_settings().operator_allow):
        return None
    return (
        f"Operator {operator} may not be run from here: the setting AUTOMATIONS_OPERATOR_ALLOW "
        "names it not."
    )
