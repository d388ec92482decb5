"""The tables of the ``automations`` database."""

from automations.db.tables.audit import AuditLog, SecurityEvent
from automations.db.tables.base import Base
from automations.db.tables.counters import counter
from automations.db.tables.dag_calls import DagCall
from automations.db.tables.data import DataRow, DataTable, RowFile
from automations.db.tables.documents import Document, DocumentDelivery, DocumentTemplate
from automations.db.tables.effects import Effect
from automations.db.tables.evidence import EvidenceSnapshot
from automations.db.tables.forms import (
    Form,
    FormEdit,
    FormRequest,
    FormVersion,
    Submission,
    SubmissionSnapshot,
)
from automations.db.tables.idempotency import IdempotencyKey
from automations.db.tables.inbox import DebouncedEvents, Event, Job, JobKind, RateLimit, Watermark
from automations.db.tables.loops import LoopCursor, LoopResult
from automations.db.tables.matters import Matter, MatterCounter, MatterStep, MatterTemplate
from automations.db.tables.members import Member, Notification
from automations.db.tables.pipelines import PipelineConnection, PipelineRun
from automations.db.tables.runs import (
    Approver,
    Callback,
    Handover,
    Run,
    RunCount,
    RunStep,
    StepLog,
    Wait,
)
from automations.db.tables.secrets import Integration, Secret
from automations.db.tables.sign_ins import MemberPassword, SignIn
from automations.db.tables.workflows import (
    Workflow,
    WorkflowEdit,
    WorkflowEditState,
    WorkflowVersion,
)
from automations.db.tables.workspaces import ApiKey, Workspace

__all__ = [
    "ApiKey",
    "Approver",
    "AuditLog",
    "Base",
    "Callback",
    "DagCall",
    "DataRow",
    "DataTable",
    "DebouncedEvents",
    "Document",
    "DocumentDelivery",
    "DocumentTemplate",
    "Effect",
    "Event",
    "EvidenceSnapshot",
    "Form",
    "FormEdit",
    "FormRequest",
    "FormVersion",
    "Handover",
    "IdempotencyKey",
    "Integration",
    "Job",
    "JobKind",
    "LoopCursor",
    "LoopResult",
    "Matter",
    "MatterCounter",
    "MatterStep",
    "MatterTemplate",
    "Member",
    "MemberPassword",
    "Notification",
    "PipelineConnection",
    "PipelineRun",
    "RateLimit",
    "RowFile",
    "Run",
    "RunCount",
    "RunStep",
    "Secret",
    "SecurityEvent",
    "SignIn",
    "StepLog",
    "Submission",
    "SubmissionSnapshot",
    "Wait",
    "Watermark",
    "Workflow",
    "WorkflowEdit",
    "WorkflowEditState",
    "WorkflowVersion",
    "Workspace",
    "counter",
]
