"""Asset events of Airflow: any team's DAG can start automations by an outlet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from automations.db.access import api_keys
from automations.db.events import matching
from automations.db.events.events import emit
from automations.db.events.matching import ASSET
from automations.db.session import Session, unit_of_work
from automations.db.tables import Event, Run, Workflow
from automations.definitions import published
from automations.definitions.triggers import event_key, is_reserved
from automations.domain.events import NewEvent
from automations.errors import Unreadable
from automations.kit.storable import fault
from automations.kit.values import JSON
from automations.ports import SourceEvent
from automations.services.access.bootstrap import DEFAULT_WORKSPACE
from automations.services.workflows.definitions import load


def record(name: str, uri: str, extra: Mapping[str, JSON], source: Mapping[str, JSON]) -> str:
    """Record an asset event; automations listen to the asset's name or to its URI.

    It belongs to the default workspace, for Airflow knows of none.

    Args:
        extra: what was told with it; where it cannot be kept, the event says why instead.
        source: which task of which run of which DAG made it, when one did.
    """
    # What cannot be kept of it is no reason for nothing to be started.
    problem = fault(dict(extra))
    extra_data: dict[str, JSON] = {"extra": {} if problem else dict(extra)}
    if problem:
        extra_data["extraFault"] = problem
    with unit_of_work() as session:
        event, _ = emit(
            session,
            api_keys.ensure_workspace(session, *DEFAULT_WORKSPACE),
            NewEvent(
                kind=ASSET,
                # A DAG's author names assets as they like, also like events of ours.
                trigger_key=f"asset:{name}" if is_reserved(name) else event_key(name),
                data={"assetName": name, "assetUri": uri, **extra_data, **source},
            ),
        )
        return event.id


@dataclass(frozen=True, slots=True)
class Listening:
    """An automation that listens to what is named so: perhaps an asset, or an address of one.

    Args:
        task_id: of the DAG, the step with which its runs begin.
    """

    dag_id: str
    task_id: str
    named: str


def listening() -> list[Listening]:
    """Who may listen to assets: those that listen to events of no type of ours."""
    with unit_of_work() as session:
        home = api_keys.ensure_workspace(session, *DEFAULT_WORKSPACE)
        return [
            Listening(published.dag_id(workflow.id), first, named)
            for workflow in matching.listening_to(session, home, event_key(""))
            if not is_reserved(named := str(workflow.trigger_key).removeprefix(event_key("")))
            and (first := _first_step(session, workflow)) is not None
        ]


def _first_step(session: Session, workflow: Workflow) -> str | None:
    try:
        nodes = load(session, workflow.id, workflow.version).plan.nodes
    except Unreadable:
        return None
    return next(iter(nodes), None)


def source_of(session: Session, run: Run) -> SourceEvent | None:
    """The asset event that has started a run; None when that was something else."""
    if run.event_id is None or run.trigger_type != "event":
        return None
    event = session.get(Event, run.event_id)
    if event is None or event.type != ASSET:
        return None
    data = event.data
    return SourceEvent(
        name=data["assetName"],
        uri=data["assetUri"],
        extra=data["extra"],
        dag_id=data["sourceDagId"],
        task_id=data["sourceTaskId"],
        run_id=data["sourceRunId"],
        at=event.created_at,
    )
