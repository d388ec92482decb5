"""The statuses, which are the same in the database, in the API and in code."""

from __future__ import annotations

from enum import StrEnum


class WorkflowStatus(StrEnum):
    """Whether an automation's triggers start runs; only ACTIVE does."""

    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    ARCHIVED = "ARCHIVED"


class Hold(StrEnum):
    """What somebody in Airflow has done to the DAG of an automation: its runs stand still."""

    PAUSED = "paused"
    DELETED = "deleted"


class RunStatus(StrEnum):
    """The specification's run statuses."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    PAUSED = "PAUSED"
    CANCELLED = "CANCELLED"
    WAITING_FOR_CHILD = "WAITING_FOR_CHILD"


PARKED = (RunStatus.PAUSED, RunStatus.WAITING_FOR_CHILD)
"""Of runs that have an open wait, and show it."""

UNFINISHED = (RunStatus.RUNNING, *PARKED)
"""Of runs that may still change; every other status is final until somebody retries the run."""


class DagCallStatus(StrEnum):
    """Where a DagRun of another DAG stands, which a step has asked for."""

    REQUESTED = "REQUESTED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    REFUSED = "REFUSED"


CALLED = (DagCallStatus.REQUESTED, DagCallStatus.RUNNING)
"""Of DagRuns that may still change."""


class SlotStatus(StrEnum):
    """Where a run stands that counts for a limit of concurrent runs."""

    WAITING = "WAITING"
    HELD = "HELD"


class StepStatus(StrEnum):
    """Where a node of a run stands."""

    RUNNING = "RUNNING"
    WAITING = "WAITING"
    DONE = "DONE"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


SETTLED = (StepStatus.DONE, StepStatus.SKIPPED)
"""Of nodes that the run has left behind."""


class AttemptStatus(StrEnum):
    """What a line of a run's log says of an attempt at a step, or of who has stepped in."""

    SUCCESS = "success"
    FAILED = "failed"
    RETRYING = "retrying"
    MARKED = "marked"
    CLEARED = "cleared"


class WaitStatus(StrEnum):
    """Whether a run still waits for something."""

    OPEN = "OPEN"
    ANSWERED = "ANSWERED"
    CANCELLED = "CANCELLED"


class WaitKind(StrEnum):
    """What a run waits for; SLOT is the turn to begin of a run that Airflow has made."""

    DELAY = "delay"
    DECISION = "decision"
    CALLBACK = "callback"
    FORM = "form"
    CHILD = "child"
    RETRY = "retry"
    SLOT = "slot"


class Decision(StrEnum):
    """How a wait has ended."""

    APPROVED = "approved"
    REJECTED = "rejected"
    RESUMED = "resumed"
    ELAPSED = "elapsed"
    EXPIRED = "expired"


DECISIONS = (Decision.APPROVED, Decision.REJECTED)
"""What people who are asked may decide, in the order in which it is offered to them."""


class EventStatus(StrEnum):
    """Whether an event was matched to automations, and has started any."""

    PENDING = "PENDING"
    MATCHED = "MATCHED"
    SKIPPED = "SKIPPED"


class SyncStatus(StrEnum):
    """Where one sync of a pipeline stands; only RUNNING may still change."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"


class SubmissionStatus(StrEnum):
    """What was decided on what somebody filled into a form."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"


class DeliveryStatus(StrEnum):
    """Whether a mail server took a document for an address."""

    SENT = "SENT"
    REJECTED = "REJECTED"


class MatterStatus(StrEnum):
    """Whether anything may still be decided in a matter; only while it is ACTIVE."""

    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


class MatterStepStatus(StrEnum):
    """What was decided on a step of a matter."""

    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    REJECTED = "REJECTED"


class Severity(StrEnum):
    """How much a security event should worry whoever reads it."""

    INFO = "INFO"
    WARNING = "WARNING"
    HIGH = "HIGH"
