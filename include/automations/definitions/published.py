"""What the DAG bundle publishes: definitions in packs, at the newest or at a given revision."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from automations.domain.statuses import WorkflowStatus
from automations.kit.ids import PATTERN, id_for

PACK_SIZE = 20


@dataclass(frozen=True, slots=True)
class Published:
    """One automation as its DAG is built from it.

    Args:
        number: the automation's creation number; ``number // PACK_SIZE`` is its pack, for good.
        revision: of the installation's definitions, at which this version was written.
        scheduled_since: since when its schedule has been in force, as ISO 8601.
        republished: the revision at which it was last published anew, unchanged; 0 for never.
        workspace: the slug of its workspace.
        subject: the name of the form, table or template that its trigger is for.
        owner: who has made it.
        edited_by: who has written this version.
        edited_at: when, as ISO 8601.
        definition: the stored JSON of ``automations.model.Definition``.
    """

    workflow_id: str
    number: int
    version: int
    revision: int
    status: WorkflowStatus
    definition: Mapping[str, Any]
    scheduled_since: str | None = None
    republished: int = 0
    workspace: str = ""
    subject: str | None = None
    owner: str | None = None
    edited_by: str | None = None
    edited_at: str | None = None


class Publications(Protocol):
    """Reads what is to be published."""

    def revision(self) -> int:
        """The newest revision; 0 before the first automation."""
        ...

    def packs(self, since: int) -> list[int]:
        """Numbers of the packs with something that was published after a revision."""
        ...

    def pack(self, number: int) -> list[Published]:
        """The newest version of each automation in a pack, by number."""
        ...

    def at(self, workflow_id: str, revision: int) -> Published | None:
        """An automation's version in force at a revision."""
        ...


def dag_id(workflow_id: str) -> str:
    """The id of an automation's DAG."""
    return f"automation_{workflow_id}"


def workflow_id(dag_id: str) -> str | None:
    """The automation of a DAG, or None for a DAG of other making."""
    prefix, _, rest = dag_id.partition("_")
    # Anybody may name a DAG "automation_report".
    return rest if prefix == "automation" and re.fullmatch(PATTERN, rest) else None


def run_id(workflow_id: str, dag_run_id: str) -> str:
    """The id of the run that a DagRun is: the DagRun's own, where that is of our form.

    Others are made up by backfills and by people, and DagRuns of several DAGs share them.
    """
    if re.fullmatch(PATTERN, dag_run_id):
        return dag_run_id
    return id_for(f"{workflow_id}/{dag_run_id}")
