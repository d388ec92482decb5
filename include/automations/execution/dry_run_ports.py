"""Ports without effects: they report what would be done, and answer as if it had been.

Reads of our own data and what a script computes are real: existing rows, files of documents,
whether a DAG may be run. What others would answer is made up, or taken from a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from automations.domain.statuses import DagCallStatus, RunStatus
from automations.kit.values import JSON
from automations.ports import (
    OPERATOR_DAG,
    OPERATOR_TASK,
    Attachment,
    ChatMessage,
    ChatReceipt,
    ChildResult,
    DagResult,
    Delivery,
    DocumentOrder,
    Documents,
    EvidenceReceipt,
    EvidenceRequest,
    FormAnswer,
    FormRequest,
    FoundRow,
    HttpRequest,
    HttpResponse,
    LanguageModel,
    Mail,
    MailReceipt,
    MatterReceipt,
    ModelAnswer,
    ModelQuestion,
    NewMatter,
    Notice,
    NoticeReceipt,
    OtherDags,
    Ports,
    RowChange,
    RowReceipt,
    StoredDocument,
    Tables,
)
from automations.ports.tables import RowFilter

MADE_UP = "not-made"
"""The id of anything that would have been created."""
_MAX_BODY = 20_000
"""Characters of a body that are reported."""


class EffectKind(StrEnum):
    """The kind of an effect, as the API names it."""

    MAIL = "mail"
    REQUEST = "request"
    FORM = "form"
    NOTIFICATION = "notification"
    MATTER = "matter"
    MESSAGE = "message"
    QUESTION = "question"
    DOCUMENT = "document"
    RUN = "run"
    DAG = "dag"
    OPERATOR = "operator"
    SNAPSHOT = "snapshot"
    ROW = "row"


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that would be done outside.

    Args:
        what: a short description.
        details: its data, such as the fields of a mail.
    """

    kind: EffectKind
    what: str
    details: Mapping[str, JSON]


Tell = Callable[[Effect], None]


def dry_run(real: Ports, tell: Tell, answered: JSON = None) -> Ports:
    """Ports for one step of a trial.

    Args:
        real: ports to read through.
        answered: the result of a run, form or operator that the step waits for.
    """
    forms = _Forms(tell, answered)
    return Ports(
        mailer=_Mailer(tell),
        http=_Http(tell),
        forms=forms,
        notifier=_Notifier(tell),
        matters=_Matters(tell),
        scripts=real.scripts,
        chat=_Chat(tell),
        language_model=_LanguageModel(real.language_model, tell),
        documents=_Documents(real.documents, tell),
        children=_Children(tell, answered),
        dags=_Dags(real.dags, tell, answered),
        evidence=_Evidence(tell),
        tables=_Tables(real.tables, tell),
        connections=real.connections,
    )


def _outputs(answered: JSON) -> Mapping[str, Any]:
    return answered if isinstance(answered, dict) else {}


def _without_nothing(**details: JSON) -> dict[str, JSON]:
    return {name: value for name, value in details.items() if value not in (None, "", [], {})}


@dataclass(frozen=True, slots=True)
class _Mailer:
    tell: Tell

    def send(self, mail: Mail) -> MailReceipt:
        everybody = (*mail.to, *mail.cc, *mail.bcc)
        details = _without_nothing(
            to=list(mail.to),
            cc=list(mail.cc),
            bcc=list(mail.bcc),
            replyTo=mail.reply_to,
            subject=mail.subject,
            body=mail.body,
            html=mail.html,
            attachments=[file.filename for file in mail.attachments],
        )
        summary = f"Mail to {', '.join(everybody)}: {mail.subject}"
        self.tell(Effect(EffectKind.MAIL, summary, details))
        return MailReceipt(f"<{MADE_UP}>", MADE_UP, everybody, ())


@dataclass(frozen=True, slots=True)
class _Http:
    tell: Tell

    def request(self, request: HttpRequest) -> HttpResponse:
        content = request.content
        body = None if content is None else content.decode("utf-8", "replace")[:_MAX_BODY]
        details = _without_nothing(
            query=[list(pair) for pair in request.query], headers=dict(request.headers), body=body
        )
        self.tell(Effect(EffectKind.REQUEST, f"{request.method} {request.url}", details))
        return HttpResponse(200, {"content-type": "application/json"}, b"{}", request.url)


@dataclass(slots=True)
class _Forms:
    tell: Tell
    answered: JSON
    _sent: dict[str, FormRequest] = field(default_factory=dict)

    def send(self, request: FormRequest) -> None:
        self._sent[request.key] = request
        details = _without_nothing(
            formId=request.form_id,
            recipients=list(request.recipients),
            subject=request.subject,
            message=request.message,
            prefill=dict(request.prefill),
        )
        self.tell(Effect(EffectKind.FORM, f"Form to {', '.join(request.recipients)}", details))

    def answers(self, key: str) -> list[FormAnswer]:
        request = self._sent.get(key)
        data = _outputs(self.answered)
        recipients = request.recipients if request is not None else ()
        return [FormAnswer(recipient, MADE_UP, None, data) for recipient in recipients]


@dataclass(frozen=True, slots=True)
class _Notifier:
    tell: Tell

    def notify(self, notice: Notice) -> NoticeReceipt:
        users = notice.user_ids or ()
        details = _without_nothing(
            userIds=list(users), title=notice.title, message=notice.message, link=notice.link
        )
        self.tell(Effect(EffectKind.NOTIFICATION, f"Notification: {notice.title}", details))
        return NoticeReceipt((MADE_UP,) * len(users), users)


@dataclass(frozen=True, slots=True)
class _Matters:
    tell: Tell

    def create(
        self, matter: NewMatter, *, workspace_id: str, run_id: str, key: str
    ) -> MatterReceipt:
        details = _without_nothing(
            templateId=matter.template_id,
            title=matter.title,
            tags=list(matter.tags),
            priority=matter.priority,
            assigneeId=matter.assignee_id,
            properties=dict(matter.properties),
        )
        self.tell(Effect(EffectKind.MATTER, f"Matter: {matter.title}", details))
        return MatterReceipt(MADE_UP, MADE_UP, (MADE_UP,))


@dataclass(frozen=True, slots=True)
class _Chat:
    tell: Tell

    def post(self, message: ChatMessage) -> ChatReceipt:
        where = message.channel or ("a webhook" if message.webhook else "the usual channel")
        details = _without_nothing(
            text=message.text,
            blocks=[dict(block) for block in message.blocks],
            thread=message.thread,
            webhook=message.webhook,
        )
        self.tell(Effect(EffectKind.MESSAGE, f"Message to {where}", details))
        return ChatReceipt(None, message.channel)


@dataclass(frozen=True, slots=True)
class _LanguageModel:
    real: LanguageModel
    tell: Tell

    def ask(self, question: ModelQuestion) -> ModelAnswer:
        provider, model = question.provider or "", question.model or ""
        details = _without_nothing(
            provider=provider,
            model=model,
            system=question.system,
            prompt=question.prompt,
            maxTokens=question.max_tokens,
            schema=dict(question.schema or {}),
        )
        self.tell(Effect(EffectKind.QUESTION, "Question to a language model", details))
        return ModelAnswer("", {}, provider, model, 0, 0, None)

    def missing(self, workspace_id: str, provider: str | None, model: str | None) -> str | None:
        return self.real.missing(workspace_id, provider, model)


@dataclass(frozen=True, slots=True)
class _Documents:
    real: Documents
    tell: Tell

    def generate(self, order: DocumentOrder) -> StoredDocument:
        name = order.filename or f"document.{order.format}"
        details = _without_nothing(
            templateId=order.template_id, format=order.format, data=dict(order.data)
        )
        self.tell(Effect(EffectKind.DOCUMENT, f"Document: {name}", details))
        return StoredDocument(MADE_UP, name, order.format, 0, "", MADE_UP)

    def file(self, workspace_id: str, document_id: str) -> Attachment:
        if document_id == MADE_UP:
            return Attachment("document", b"", "application/octet-stream")
        return self.real.file(workspace_id, document_id)

    def delivery(self, key: str) -> Delivery | None:
        return None

    def record(self, key: str, workspace_id: str, run_id: str, delivery: Delivery) -> Delivery:
        return delivery


@dataclass(frozen=True, slots=True)
class _Children:
    tell: Tell
    answered: JSON

    def start(
        self,
        parent_run_id: str,
        workflow_id: str,
        input_data: Mapping[str, Any],
        key: str,
        *,
        awaited: bool,
    ) -> str:
        details = _without_nothing(workflowId=workflow_id, input=dict(input_data))
        self.tell(Effect(EffectKind.RUN, f"Run of automation {workflow_id}", details))
        return MADE_UP

    def result(self, run_id: str) -> ChildResult:
        return ChildResult(run_id, RunStatus.COMPLETED, _outputs(self.answered))


@dataclass(frozen=True, slots=True)
class _Dags:
    real: OtherDags
    tell: Tell
    answered: JSON

    def forbidden(self, workspace_id: str, dag_id: str) -> str | None:
        return self.real.forbidden(workspace_id, dag_id)

    def start(
        self, run_id: str, dag_id: str, conf: Mapping[str, Any], key: str, *, awaited: bool
    ) -> str:
        details = _without_nothing(dagId=dag_id, conf=dict(conf))
        self.tell(Effect(EffectKind.DAG, f"Run of DAG {dag_id}", details))
        return dag_id

    def operator_forbidden(self, workspace_id: str, operator: str) -> str | None:
        return self.real.operator_forbidden(workspace_id, operator)

    def start_operator(
        self, run_id: str, operator: str, arguments: Mapping[str, Any], key: str
    ) -> str:
        details = _without_nothing(operator=operator, arguments=dict(arguments))
        self.tell(Effect(EffectKind.OPERATOR, f"Run of {operator.rpartition('.')[2]}", details))
        return OPERATOR_DAG

    def result(self, dag_run_id: str) -> DagResult:
        outputs = _outputs(self.answered)
        if dag_run_id == OPERATOR_DAG:
            outputs = {OPERATOR_TASK: self.answered}
        return DagResult(dag_run_id, MADE_UP, DagCallStatus.COMPLETED, outputs)


@dataclass(frozen=True, slots=True)
class _Evidence:
    tell: Tell

    def capture(self, request: EvidenceRequest) -> EvidenceReceipt:
        details = _without_nothing(
            source=request.source,
            tableId=request.table_id,
            filter=dict(request.filter or {}),
            columns=list(request.columns),
        )
        self.tell(Effect(EffectKind.SNAPSHOT, f"Evidence: {request.title}", details))
        return EvidenceReceipt(MADE_UP, 0, "")


@dataclass(frozen=True, slots=True)
class _Tables:
    real: Tables
    tell: Tell

    def write(
        self, change: RowChange, *, workspace_id: str, run_id: str, key: str, zone: str = "UTC"
    ) -> RowReceipt:
        summary = "A row is added"
        if change.row_id is not None:
            summary = f"Row {change.row_id} is changed"
        elif change.keys:
            summary = "A row is changed or added"
        details = _without_nothing(
            tableId=change.table_id,
            rowId=change.row_id,
            keys=list(change.keys),
            data=dict(change.data),
        )
        self.tell(Effect(EffectKind.ROW, summary, details))
        return RowReceipt(change.row_id or MADE_UP, change.data, change.row_id is None)

    def delete(self, table_id: str, row_id: str, *, workspace_id: str, key: str) -> bool:
        details: dict[str, JSON] = {"tableId": table_id, "rowId": row_id}
        self.tell(Effect(EffectKind.ROW, f"Row {row_id} is deleted", details))
        return True

    def query(
        self,
        table_id: str,
        criteria: RowFilter | None,
        *,
        sort: str | None,
        limit: int,
        workspace_id: str,
        zone: str = "UTC",
    ) -> list[FoundRow]:
        return self.real.query(
            table_id, criteria, sort=sort, limit=limit, workspace_id=workspace_id, zone=zone
        )
