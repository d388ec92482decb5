"""Enters a node: begins it, goes on after a pause, or finds that there is nothing to do.

Everything is read and decided in one transaction, which locks the run's row first.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from automations.db.runs import run_steps, runs
from automations.db.session import Session
from automations.db.tables import Run, RunStep, Wait
from automations.db.waits import callbacks, waits
from automations.domain import people
from automations.domain.statuses import (
    UNFINISHED,
    Decision,
    RunStatus,
    SlotStatus,
    StepStatus,
    WaitKind,
    WaitStatus,
)
from automations.errors import Conflict, DomainError, NotFound, ValidationFailed
from automations.execution import deaths, overrides
from automations.execution.entered import Entered
from automations.execution.pauses import verdict_of, wait_for_slot
from automations.execution.recording import recorded_verdict, remaining_delay
from automations.execution.verdicts import GiveUp, Skip, Sleep, TaskRef, Verdict
from automations.kit import common_clock
from automations.kit.values import JSON
from automations.services.access.people import administer
from automations.services.audit import audit
from automations.services.runs import admission
from automations.services.runs.from_airflow import AirflowRun, record_run
from automations.services.runs.template_names import names_of
from automations.services.waits import answers
from automations.services.waits.answers import SubmittedAnswer
from automations.services.workflows.definitions import Loaded, load
from automations.settings import get_settings
from automations.steps.outcomes import Answer
from automations.steps.registry import STEP_TYPES

log = logging.getLogger(__name__)

_BY_TIME = (WaitKind.DELAY, WaitKind.RETRY)
"""Kinds of pause that only time ends."""


def enter(session: Session, ref: TaskRef) -> Entered | Verdict:
    """Begin a node, unless it has ended, is waiting, or must not run at all."""
    return _enter(session, ref, _run_of(session, ref))


def enter_ahead(
    session: Session, run: Run, ref: TaskRef, outputs: Mapping[str, JSON] | None = None
) -> Entered | None:
    """Begin a node in the process of its predecessor; None if its own task must begin it.

    That is so when the run was cleared or does not run any more, and when the node was begun
    before: it may have killed that process, and only its own task learns of such deaths.

    Args:
        run: its row locked.
        outputs: of the nodes that are done, by node; None to read them here.
    """
    if not is_underway(run, ref):
        return None
    now = common_clock.now()
    row = run_steps.begin_first(session, ref.run_id, ref.node_id, ref.generation, now)
    if row is None:
        return None
    return _build_entered(
        session, ref, run, load(session, ref.workflow_id, ref.version), row, outputs
    )


def is_underway(run: Run, ref: TaskRef) -> bool:
    """Whether a run still runs, and was not cleared since."""
    return run.status == RunStatus.RUNNING and run.generation == ref.generation


def begin_unrecorded(
    run: Run, loaded: Loaded, ref: TaskRef, outputs: Mapping[str, JSON]
) -> Entered:
    """Begin a node without a record of it: see ``batch``.

    Args:
        run: as it was read in the transaction before.
        outputs: of the nodes that are done, by node.
    """
    return _entered_first(ref, run, loaded, outputs, common_clock.now())


def enter_express(
    session: Session, run: Run, loaded: Loaded, node_id: str, outputs: Mapping[str, JSON]
) -> tuple[Entered, RunStep]:
    """Begin a node of a run that the orchestrator does not have yet; returns its row as well.

    Args:
        run: its row locked; nobody else works on it.
        outputs: of the nodes that are done, by node.
    """
    ref = TaskRef(run.id, run.workflow_id, loaded.version, node_id)
    row = _begin_row(session, ref, StepStatus.RUNNING)
    return _build_entered(session, ref, run, loaded, row, outputs), row


def _enter(session: Session, ref: TaskRef, run: Run) -> Entered | Verdict:
    loaded = load(session, ref.workflow_id, ref.version)
    if ref.generation > run.generation:
        runs.renew(session, run, ref.generation)
    run.version = ref.version
    # This asks Airflow while the run is locked, but only if somebody has marked a waiting step.
    overrides.settle(session, run, ref.is_skipped, ref)
    row = run_steps.step(session, ref.run_id, ref.node_id)
    if row is not None and row.generation > ref.generation:
        return Skip("The step was cleared meanwhile.")
    current = row if row is not None and row.generation == ref.generation else None
    # Airflow begins a node that we skipped only if somebody marked its predecessor as done.
    if current is not None and current.status in (*run_steps.ENDED, StepStatus.SKIPPED):
        # Also when the run has ended, perhaps by this very step.
        return recorded_verdict(current)
    if run.slot == SlotStatus.WAITING and run.status in UNFINISHED:
        session.flush()
        admission.admit(session, run)
        session.refresh(run)
    if run.status == RunStatus.FAILED and not run_steps.has_begun(session, run.id):
        # The run was rejected at its start: whoever started it in Airflow must see why.
        return GiveUp(run.error or "The run has failed.")
    if run.status not in UNFINISHED:
        return Skip(f"The run has ended: {run.status}.")
    wait = None
    if current is not None and current.status == StepStatus.WAITING:
        wait = waits.wait_of_node(session, ref.run_id, ref.node_id, ref.generation)
    if wait is not None and wait.status == WaitStatus.OPEN:
        return verdict_of(wait)
    if (verdict := _deferral(session, ref, run, loaded, current)) is not None:
        return verdict
    if wait is not None and wait.status == WaitStatus.ANSWERED:
        return Sleep(wait.id, common_clock.now())
    if run.slot == SlotStatus.WAITING:
        row = _begin_row(session, ref, StepStatus.WAITING)
        return verdict_of(wait_for_slot(session, row, common_clock.now()))
    return _begin(session, ref, run, loaded)


def _deferral(
    session: Session, ref: TaskRef, run: Run, loaded: Loaded, current: RunStep | None
) -> Verdict | None:
    """Why a node is not begun again now: too many deaths, or a retry delay that is not over."""
    died = ref.deaths + (0 if current is None else current.unseen_deaths)
    if died:
        row = current or _begin_row(session, ref, StepStatus.RUNNING)
        entered = _build_entered(session, ref, run, loaded, row)
        if (verdict := deaths.count(session, entered, run, row, died)) is not None:
            return verdict
    # The orchestrator may not know of the delay: the process may have died before it reported it.
    return None if current is None else remaining_delay(current)


def wake(session: Session, ref: TaskRef, wait_id: str, answer: Answer | None) -> Entered | Verdict:
    """Go on with a node whose wait has ended, or ends by this answer.

    Args:
        answer: what was answered in the orchestrator's own UI; None to read our database.
    """
    run = _run_of(session, ref)
    loaded = load(session, ref.workflow_id, ref.version)
    wait = waits.lock_wait(session, wait_id)
    row = run_steps.step(session, ref.run_id, ref.node_id)
    if wait is None or row is None or wait.status == WaitStatus.CANCELLED:
        return Skip("What this step waited for was cancelled.")
    if wait.status == WaitStatus.OPEN and run.status in UNFINISHED:
        ended = (
            _by_time(wait, answer)
            if answer is None or answer.by is None
            else _by_person(session, run, wait, answer, answer.by)
        )
        if ended is None:
            return verdict_of(wait)
        waits.settle(
            session,
            wait,
            waits.Ending(ended.decision, ended.by, ended.data, ended.override, ended.reason),
        )
    if row.status != StepStatus.WAITING or row.generation != wait.generation:
        return recorded_verdict(row)
    newest = waits.wait_of_node(session, ref.run_id, ref.node_id, wait.generation)
    if newest is not None and newest.id != wait.id:
        # Woken again by an earlier wait, which ended long ago.
        return verdict_of(newest)
    session.refresh(run)
    if run.status not in UNFINISHED:
        return Skip(f"The run has ended: {run.status}.")
    if wait.kind == WaitKind.SLOT:
        return _begin(session, ref, run, loaded)
    how = Answer(
        wait.decision or Decision.RESUMED,
        wait.decided_by,
        wait.decided_at or common_clock.now(),
        wait.data,
        wait.override,
        wait.reason,
    )
    return replace(_build_entered(session, ref, run, loaded, row), answer=how)


def _begin(session: Session, ref: TaskRef, run: Run, loaded: Loaded) -> Entered:
    # Committed before the step has any effect outside: the record that one may follow.
    row = _begin_row(session, ref, StepStatus.RUNNING)
    if run.status != RunStatus.RUNNING:
        waits.show_as_running(session, ref.run_id)
    return _build_entered(session, ref, run, loaded, row)


def _begin_row(session: Session, ref: TaskRef, status: StepStatus) -> RunStep:
    return run_steps.begin(session, ref.run_id, ref.node_id, ref.generation, status)


def _build_entered(
    session: Session,
    ref: TaskRef,
    run: Run,
    loaded: Loaded,
    row: RunStep,
    outputs: Mapping[str, JSON] | None = None,
) -> Entered:
    if outputs is None:
        outputs = run_steps.outputs(session, ref.run_id)
    entered = replace(
        _entered_first(ref, run, loaded, outputs, row.started_at),
        attempt=row.attempt,
        kept=row.output or {},
    )
    if STEP_TYPES[entered.step.type].calls_back(entered.step.config):
        url = callbacks.hand_out(session, run.id, entered.key)
        entered.names["callback"] = {"url": url}
    return entered


def _entered_first(
    ref: TaskRef, run: Run, loaded: Loaded, outputs: Mapping[str, JSON], started_at: datetime
) -> Entered:
    return Entered(
        ref=ref,
        loaded=loaded,
        step=loaded.plan.nodes[ref.node_id].step,
        workspace_id=run.workspace_id,
        traceparent=run.traceparent,
        attempt=1,
        started_at=started_at,
        names=names_of(run, loaded, outputs, common_clock.now()),
        kept={},
        outputs=outputs,
    )


def _run_of(session: Session, ref: TaskRef) -> Run:
    run = runs.lock_run(session, ref.run_id)
    if run is not None:
        return _check_owner(run, ref)
    airflow_run = AirflowRun(
        workflow_id=ref.workflow_id,
        run_id=ref.dag_run_id or ref.run_id,
        run_type=ref.run_type,
        conf=ref.conf,
        started_by=ref.started_by,
        version=ref.version,
        due_at=ref.due_at,
    )
    record_run(session, airflow_run)
    run = runs.lock_run(session, ref.run_id)
    if run is None:
        raise NotFound(f"There is no run {ref.run_id}.")
    return _check_owner(run, ref)


def _check_owner(run: Run, ref: TaskRef) -> Run:
    # Somebody may have given one of our ids to a DagRun of another DAG.
    if run.workflow_id != ref.workflow_id:
        raise Conflict(f"Run {run.id} is another automation's.")
    return run


def _by_time(wait: Wait, answer: Answer | None) -> Answer | None:
    """How a pause ends by its time; None while that has not come.

    Args:
        answer: the orchestrator's word that it has come; None if it has only woken the task.
    """
    now = common_clock.now()
    # Airflow's clock may be ahead of ours: a delay that it has waited out is not parked again for
    # the difference. For other kinds of pause the end of Airflow's trigger proves nothing.
    has_elapsed = answer is not None and (
        answer.decision == Decision.EXPIRED or wait.kind == WaitKind.DELAY
    )
    if now < wait.due_at and not has_elapsed:
        return None
    return Answer(Decision.ELAPSED if wait.kind in _BY_TIME else Decision.EXPIRED, None, now)


def _by_person(session: Session, run: Run, wait: Wait, answer: Answer, by: str) -> Answer | None:
    """How a pause ends by what somebody has answered in Airflow; None when it does not."""
    user = by.removeprefix(people.IN_AIRFLOW)
    identity = people.airflow_user(user)
    administers = user in get_settings().airflow_admins or administer(
        session, run.workspace_id, [identity]
    )
    submitted = SubmittedAnswer(
        answer.decision,
        answer.data,
        by,
        identity,
        answer.at,
        administers=administers,
        reason=answer.reason,
    )
    try:
        accepted = answers.take(session, run, wait, submitted)
    except DomainError as refused:
        # Airflow cannot show an error to whoever answers: we ask the question again, with this.
        why = _describe(refused)
        log.info("An answer in Airflow by %s was refused: %s", by, why)
        waits.note_refusal(session, wait, f"{user}: {why}")
        return None
    waits.note_refusal(session, wait, None)
    audit.record(
        session,
        "run.resume" if accepted.ends else "run.decide",
        run,
        by=audit.Actor("airflow", user),
        stepId=wait.node_id,
        **accepted.details,
    )
    if not accepted.ends:
        return None
    return Answer(
        accepted.decision, by, answer.at, accepted.data, accepted.override, accepted.reason
    )


def _describe(refused: DomainError) -> str:
    if not isinstance(refused, ValidationFailed):
        return refused.message
    return "; ".join(
        f"{path} {', '.join(messages)}" for path, messages in refused.field_errors.items()
    )
