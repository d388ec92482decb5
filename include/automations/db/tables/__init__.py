"""The tables of the ``automations`` database."""

from automations.db.tables.base import Base
from automations.db.tables.data import DataRow, DataTable
from automations.db.tables.effects import Effect
from automations.db.tables.forms import (
    Form,
    FormRequest,
    FormVersion,
    Submission,
    SubmissionSnapshot,
)
from automations.db.tables.inbox import Event, Job, RateLimit, Watermark
from automations.db.tables.matters import Matter, MatterCounter, MatterStep, MatterTemplate
from automations.db.tables.members import Member, Notification
from automations.db.tables.runs import Approver, Callback, Run, RunStep, StepLog, Wait
from automations.db.tables.secrets import Integration, Secret
from automations.db.tables.workflows import Workflow, WorkflowVersion
from automations.db.tables.workspaces import ApiKey, Workspace

__all__ = [
    "ApiKey",
    "Approver",
    "Base",
    "Callback",
    "DataRow",
    "DataTable",
    "Effect",
    "Event",
    "Form",
    "FormRequest",
    "FormVersion",
    "Integration",
    "Job",
    "Matter",
    "MatterCounter",
    "MatterStep",
    "MatterTemplate",
    "Member",
    "Notification",
    "RateLimit",
    "Run",
    "RunStep",
    "Secret",
    "StepLog",
    "Submission",
    "SubmissionSnapshot",
    "Wait",
    "Watermark",
    "Workflow",
    "WorkflowVersion",
    "Workspace",
]
