"""The tables of the ``automations`` database."""

from automations.db.tables.base import Base
from automations.db.tables.documents import Document, DocumentDelivery, DocumentTemplate
from automations.db.tables.effects import Effect
from automations.db.tables.forms import Form, Submission
from automations.db.tables.inbox import Event, Job, RateLimit, Watermark
from automations.db.tables.runs import Approver, Run, RunStep, StepLog, Wait
from automations.db.tables.workflows import Workflow, WorkflowVersion
from automations.db.tables.workspaces import ApiKey, Workspace

__all__ = [
    "ApiKey",
    "Approver",
    "Base",
    "Document",
    "DocumentDelivery",
    "DocumentTemplate",
    "Effect",
    "Event",
    "Form",
    "Job",
    "RateLimit",
    "Run",
    "RunStep",
    "StepLog",
    "Submission",
    "Wait",
    "Watermark",
    "Workflow",
    "WorkflowVersion",
    "Workspace",
]
