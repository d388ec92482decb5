"""The roles that steps and services need played; adapters play them."""

from __future__ import annotations

from dataclasses import dataclass

from automations.ports.chat import Chat, ChatMessage, ChatReceipt
from automations.ports.children import ChildResult, ChildRuns
from automations.ports.connections import Connections, HostConnection
from automations.ports.dags import (
    OPERATOR_DAG,
    OPERATOR_TASK,
    DagResult,
    OperatorParameter,
    OtherDags,
    ProviderOperator,
)
from automations.ports.documents import (
    Delivery,
    DocumentOrder,
    DocumentRenderer,
    Documents,
    RenderedDocument,
    StoredDocument,
)
from automations.ports.evidence import Evidence, EvidenceReceipt, EvidenceRequest
from automations.ports.http import HttpClient, HttpRequest, HttpResponse, SignatureVerifier
from automations.ports.mail import Attachment, Mail, Mailer, MailReceipt, MailServer, MailTransport
from automations.ports.models import (
    NOTHING,
    LanguageModel,
    ModelAnswer,
    ModelQuestion,
    Spending,
    TokenUsage,
)
from automations.ports.orchestration import (
    ActionKind,
    DagRunFailure,
    DagRunState,
    DagRunStatus,
    DagStatus,
    DoneBefore,
    DoneTask,
    NewDagRun,
    Orchestrator,
    Reach,
    SourceEvent,
    UserAction,
    Visible,
)
from automations.ports.people import (
    FormAnswer,
    FormRequest,
    Forms,
    MatterReceipt,
    MatterRegister,
    NewMatter,
    Notice,
    NoticeReceipt,
    Notifier,
)
from automations.ports.scripts import ScriptFault, ScriptLimits, ScriptResult, ScriptRunner
from automations.ports.secrets import SecretSource
from automations.ports.tables import FoundRow, RowChange, RowReceipt, Tables

__all__ = [
    "NOTHING",
    "OPERATOR_DAG",
    "OPERATOR_TASK",
    "ActionKind",
    "Attachment",
    "Chat",
    "ChatMessage",
    "ChatReceipt",
    "ChildResult",
    "ChildRuns",
    "Connections",
    "DagResult",
    "DagRunFailure",
    "DagRunState",
    "DagRunStatus",
    "DagStatus",
    "Delivery",
    "DocumentOrder",
    "DocumentRenderer",
    "Documents",
    "DoneBefore",
    "DoneTask",
    "Evidence",
    "EvidenceReceipt",
    "EvidenceRequest",
    "FormAnswer",
    "FormRequest",
    "Forms",
    "FoundRow",
    "HostConnection",
    "HttpClient",
    "HttpRequest",
    "HttpResponse",
    "LanguageModel",
    "Mail",
    "MailReceipt",
    "MailServer",
    "MailTransport",
    "Mailer",
    "MatterReceipt",
    "MatterRegister",
    "ModelAnswer",
    "ModelQuestion",
    "NewDagRun",
    "NewMatter",
    "Notice",
    "NoticeReceipt",
    "Notifier",
    "OperatorParameter",
    "Orchestrator",
    "OtherDags",
    "Ports",
    "ProviderOperator",
    "Reach",
    "RenderedDocument",
    "RowChange",
    "RowReceipt",
    "ScriptFault",
    "ScriptLimits",
    "ScriptResult",
    "ScriptRunner",
    "SecretSource",
    "SignatureVerifier",
    "SourceEvent",
    "Spending",
    "StoredDocument",
    "Tables",
    "TokenUsage",
    "UserAction",
    "Visible",
]


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside world as the steps see it."""

    mailer: Mailer
    http: HttpClient
    forms: Forms
    notifier: Notifier
    matters: MatterRegister
    scripts: ScriptRunner
    chat: Chat
    language_model: LanguageModel
    documents: Documents
    children: ChildRuns
    dags: OtherDags
    evidence: Evidence
    tables: Tables
    connections: Connections
