"""Records what people did in Airflow's UI: in the audit log, and in the logs of runs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from automations.db.runs import run_queries, run_steps, runs
from automations.db.session import Session
from automations.db.tables import Run, RunStep
from automations.db.workflows import workflows
from automations.definitions import published
from automations.domain.people import IN_AIRFLOW
from automations.domain.statuses import AttemptStatus, StepStatus
from automations.errors import Unreadable
from automations.kit.values import JSON
from automations.ports import ActionKind, Reach, UserAction
from automations.services.audit import audit
from automations.services.runs import notes
from automations.services.workflows.definitions import Loaded, load

MARKED = "marked"
"""The kind of error of a step that somebody has marked as failed."""

_OF_THE_RUN = frozenset({Reach.UPSTREAM, Reach.DOWNSTREAM})

_UNDER_WAY = (StepStatus.RUNNING, StepStatus.WAITING)


def each(session: Session, action: UserAction) -> list[UserAction]:
    """A mark of a group of steps, or of a step with others, as marks of each; any other as it is.

    A clear with others stays one: which of them are cleared depends on how they stand.
    """
    group, automation = action.more.get("group"), published.workflow_id(action.dag_id)
    beyond = action.reach & _OF_THE_RUN if action.kind == ActionKind.MARK else frozenset()
    if (group is None and not beyond) or automation is None or action.run_id is None:
        return [action]
    run = run_queries.find(session, automation, published.run_id(automation, action.run_id))
    loaded = None if run is None else _readable(session, run)
    if loaded is None:
        return [action]
    plan = loaded.plan
    named = plan.in_group(group) if group is not None else [*action.tasks]
    if not named:
        return [] if group is not None else [action]
    if Reach.UPSTREAM in beyond:
        named += plan.before(named)
    if Reach.DOWNSTREAM in beyond:
        named += plan.after(named)
    return [replace(action, tasks=(node,)) for node in dict.fromkeys(named)]


def record(session: Session, action: UserAction, state: str | None) -> None:
    """Put an action on record; what concerns no automation or run of ours is left alone.

    Args:
        state: how the task that was marked stands in Airflow now.
    """
    automation = published.workflow_id(action.dag_id)
    workflow = workflows.by_id(session, automation) if automation else None
    if workflow is None:
        return
    by = audit.Actor("airflow", action.by)
    if action.run_id is None:
        audit.record(session, f"workflow.{action.kind}", workflow, by=by, **dict(action.more))
        return
    run = runs.lock_run(session, published.run_id(workflow.id, action.run_id))
    if run is None or run.workflow_id != workflow.id:
        return
    action = replace(action, note=notes.strip_origin(action.note, notes.origin(session, run)))
    loaded = _readable(session, run)
    nodes = {} if loaded is None else loaded.plan.nodes
    rows = [row for row in run_steps.rows(session, run.id) if row.node_id in nodes]
    named = [task for task in action.tasks if task in nodes]
    if not _concerns(action, [row for row in rows if row.node_id in named]):
        return
    audit.record(session, f"run.{action.kind}", run, by=by, **_details(workflow.id, action, named))
    if loaded is None:
        return
    if action.kind == ActionKind.MARK:
        _mark(
            session,
            run,
            loaded,
            action,
            named or _ids(row for row in rows if row.status in _UNDER_WAY),
        )
        if state == action.state and named:
            _stand(session, run, action, named[0])
    elif action.kind == ActionKind.CLEAR:
        _log(session, run, loaded, action, named or _ids(rows)[:1], AttemptStatus.CLEARED)


def _details(workflow_id: str, action: UserAction, steps: list[str]) -> dict[str, JSON]:
    details: dict[str, JSON] = {"workflowId": workflow_id}
    if steps:
        details["stepIds"] = list(steps)
    if action.state:
        details["state"] = action.state
    if action.note:
        details["note"] = action.note
    if action.named_run is not None:
        details["namedRunId"] = published.run_id(workflow_id, action.named_run)
    return details


def _concerns(action: UserAction, rows: list[RunStep]) -> bool:
    """Whether an action changes anything in a run that it extends to from another one."""
    if action.named_run is None:
        return True
    if action.kind == ActionKind.CLEAR:
        return bool(rows)
    stands = {"success": StepStatus.DONE, "failed": StepStatus.FAILED}.get(action.state or "")
    return not any(
        row.status == stands and row.ended_at is not None and row.ended_at < action.at
        for row in rows
    )


def _readable(session: Session, run: Run) -> Loaded | None:
    try:
        return load(session, run.workflow_id, run.version)
    except Unreadable:
        return None


def _ids(rows: Iterable[RunStep]) -> list[str]:
    return [row.node_id for row in sorted(rows, key=lambda row: row.started_at)]


def _mark(session: Session, run: Run, loaded: Loaded, action: UserAction, nodes: list[str]) -> None:
    rows = {row.node_id: row for row in run_steps.rows(session, run.id)}
    if action.state == "failed":
        message = f"Marked as failed in Airflow by {action.by}."
        error: dict[str, JSON] = {"error": {"message": message, "kind": MARKED}}
        for row in rows.values():
            # It is read a moment later, when somebody may have cleared the run: what has begun
            # since then was not marked.
            was_there = row.generation == run.generation and row.started_at <= action.at
            if row.node_id in nodes and was_there:
                run_steps.end(session, row, StepStatus.FAILED, error, {"error": message})
    elif action.state != "skipped":
        # Of a decision in place of others the log has a line, or will have one.
        nodes = [node for node in nodes if node not in rows or not _is_decided(rows[node])]
    _log(session, run, loaded, action, nodes, AttemptStatus.MARKED)


def _is_decided(row: RunStep) -> bool:
    waits = row.status == StepStatus.WAITING
    return waits or (row.status == StepStatus.DONE and bool((row.output or {}).get("override")))


def _stand(session: Session, run: Run, action: UserAction, node: str) -> None:
    """Have a step stand as done that Airflow takes for done; one that waits is decided on."""
    row = run_steps.step(session, run.id, node)
    if action.state != "success" or (row is not None and row.status in _KNOWN):
        return
    output: dict[str, JSON] = {"decidedBy": f"{IN_AIRFLOW}{action.by}", "override": True}
    run_steps.override(session, run.id, node, run.generation, output)


_KNOWN = (StepStatus.DONE, StepStatus.WAITING)
"""What is done already, or what ``execution.overrides`` sees to."""


def _log(
    session: Session,
    run: Run,
    loaded: Loaded,
    action: UserAction,
    nodes: list[str],
    status: AttemptStatus,
) -> None:
    details: dict[str, JSON] = {"by": f"{IN_AIRFLOW}{action.by}"}
    if action.state:
        details["state"] = action.state
    if action.note:
        details["note"] = action.note
    output = json.dumps(details, ensure_ascii=False)
    lines = (
        run_steps.LogLine(loaded.plan.nodes[node].step, status, action.at, action.at, output)
        for node in nodes
    )
    run_steps.log(session, run.id, lines)
