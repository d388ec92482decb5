"""Automations, and the filters for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from automations.domain.statuses import Hold, WorkflowStatus
from automations.kit.values import JSON


@dataclass(frozen=True, slots=True)
class InFlight:
    """What a change means for runs that have not ended.

    Args:
        older: how many go on with an older version.
        at_removed_steps: runs that wait at a step which the new version has no longer, and its id.
    """

    older: int
    at_removed_steps: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HeldUp:
    """Why no run of an automation goes on in Airflow, where somebody has seen to that.

    Args:
        by: a user of Airflow, as far as that is known.
    """

    kind: Hold
    by: str | None
    since: datetime

    @property
    def reason(self) -> str:
        """The reason, for people."""
        by = f" by {self.by}" if self.by else ""
        if self.kind == Hold.PAUSED:
            return f"Its DAG was paused in Airflow{by}: runs wait until it is unpaused there."
        return f"Its DAG was deleted in Airflow{by}: runs wait until it is published anew."


@dataclass(frozen=True, slots=True)
class WorkflowDetail:
    """An automation with its newest definition.

    Args:
        webhook_salt, webhook_hash: what its webhook URL is made from, if it has ever had one.
        runs: how many there are of it.
        in_flight: known when it was just changed.
    """

    id: str
    workspace_id: str
    key: str | None
    name: str
    status: WorkflowStatus
    version: int
    webhook_salt: str | None
    webhook_hash: str | None
    created_at: datetime
    updated_at: datetime
    definition: Mapping[str, JSON]
    runs: int
    held_up: HeldUp | None = None
    in_flight: InFlight | None = None


@dataclass(frozen=True, slots=True)
class WorkflowFilter:
    """Which of a workspace's automations are asked for.

    Args:
        text: a part of their names.
        status: None for all but archived ones.
    """

    text: str = ""
    status: WorkflowStatus | None = None
    trigger_type: str | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an automation, without what it says."""

    number: int
    status: WorkflowStatus
    created_by: str | None
    created_at: datetime
