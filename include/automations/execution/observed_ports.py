"""Wrappers around ports that log what a step does through them.

They pass arguments and results on unchanged, and log them in the terms of each role; but never a
header, a query or a body, which may hold secrets that the step's config does not name.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from automations.ports import (
    Attachment,
    Chat,
    ChatMessage,
    ChatReceipt,
    ChildResult,
    ChildRuns,
    DagResult,
    Delivery,
    DocumentOrder,
    Documents,
    Evidence,
    EvidenceReceipt,
    EvidenceRequest,
    FormAnswer,
    FormRequest,
    Forms,
    FoundRow,
    HttpClient,
    HttpRequest,
    HttpResponse,
    LanguageModel,
    Mail,
    Mailer,
    MailReceipt,
    MatterReceipt,
    MatterRegister,
    ModelAnswer,
    ModelQuestion,
    NewMatter,
    Notice,
    NoticeReceipt,
    Notifier,
    OtherDags,
    Ports,
    RowChange,
    RowReceipt,
    ScriptLimits,
    ScriptResult,
    ScriptRunner,
    StoredDocument,
    Tables,
)
from automations.ports.tables import RowFilter

Port = TypeVar("Port")
Say = Callable[..., None]
"""Logs a line, and takes its level if that is not INFO."""

_MAX_PATH = 300
"""Characters of an address; collectors of traces cut or refuse what is longer."""
_MAX_CONSOLE = 1_000
"""Lines of a script's console; those beyond are only counted."""


def observe(ports: Ports, say: Say) -> Ports:
    """Wrap ports so that what is done through them is logged."""
    return Ports(
        mailer=_Mailer(ports.mailer, say),
        http=_Http(ports.http, say),
        forms=_Forms(ports.forms, say),
        notifier=_Notifier(ports.notifier, say),
        matters=_Matters(ports.matters, say),
        scripts=_Scripts(ports.scripts, say),
        chat=_Chat(ports.chat, say),
        language_model=_LanguageModel(ports.language_model, say),
        documents=_Documents(ports.documents, say),
        children=_Children(ports.children, say),
        dags=_Dags(ports.dags, say),
        evidence=_Evidence(ports.evidence, say),
        tables=_Tables(ports.tables, say),
        connections=ports.connections,
    )


class _Clock:
    """Formats the time since it was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __str__(self) -> str:
        return f"{time.monotonic() - self._began:.2f} s"


@contextmanager
def _timed(say: Say, action: str) -> Iterator[_Clock]:
    """Time a block; a failure is logged here, and its reason by the attempt that fails with it."""
    clock = _Clock()
    try:
        yield clock
    except Exception:
        say(f"{action} failed after {clock}.", logging.WARNING)
        raise


@dataclass(frozen=True, slots=True)
class _Observed(Generic[Port]):
    """A port that is wrapped."""

    real: Port
    say: Say


class _Http(_Observed[HttpClient]):
    def request(self, request: HttpRequest) -> HttpResponse:
        address = _place(request.url)
        with _timed(self.say, f"{request.method} {address}") as clock:
            answer = self.real.request(request)
        at = _place(answer.url)
        redirected = "" if at == address else f" at {at}"
        self.say(
            f"{request.method} {address} answered {answer.status}{redirected} in {clock}, "
            f"{len(answer.content)} bytes."
        )
        return answer


def _place(url: str) -> str:
    """An address without its query, which may hold a secret."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "(no address)"
    return f"{parts.scheme}://{host}{parts.path[:_MAX_PATH] or '/'}"


class _Mailer(_Observed[Mailer]):
    def send(self, mail: Mail) -> MailReceipt:
        with _timed(self.say, "Mail") as clock:
            receipt = self.real.send(mail)
        for address in receipt.accepted:
            self.say(f"Mail to {address}: accepted by {receipt.provider}.")
        for address in receipt.rejected:
            why = receipt.reasons.get(address, "no reason given")
            self.say(f"Mail to {address}: refused by {receipt.provider}: {why}", logging.WARNING)
        files = f", {len(mail.attachments)} attached" if mail.attachments else ""
        self.say(f"Message {receipt.message_id}{files}, in {clock}.")
        return receipt


class _Forms(_Observed[Forms]):
    def send(self, request: FormRequest) -> None:
        self.real.send(request)
        self.say(f"Form {request.form_id} sent to {', '.join(request.recipients)}.")

    def answers(self, key: str) -> list[FormAnswer]:
        answers = self.real.answers(key)
        for answer in answers:
            if answer.submitted_at is not None:
                self.say(f"Form filled in by {answer.recipient}: {answer.submission_id}.")
        return answers


class _Notifier(_Observed[Notifier]):
    def notify(self, notice: Notice) -> NoticeReceipt:
        receipt = self.real.notify(notice)
        self.say(f"Notified the members {', '.join(receipt.user_ids)}.")
        return receipt


class _Matters(_Observed[MatterRegister]):
    def create(
        self, matter: NewMatter, *, workspace_id: str, run_id: str, key: str
    ) -> MatterReceipt:
        receipt = self.real.create(matter, workspace_id=workspace_id, run_id=run_id, key=key)
        self.say(f"Matter {receipt.number} made: {receipt.matter_id}.")
        return receipt


class _Scripts(_Observed[ScriptRunner]):
    def run(
        self, code: str, input_data: Any, variables: Mapping[str, Any], limits: ScriptLimits
    ) -> ScriptResult:
        with _timed(self.say, "The script") as clock:
            result = self.real.run(code, input_data, variables, limits)
        for line in result.logs[:_MAX_CONSOLE]:
            self.say(f"console: {line}")
        if len(result.logs) > _MAX_CONSOLE:
            self.say(f"console: {len(result.logs) - _MAX_CONSOLE} more lines.")
        self.say(f"The script ran for {clock}.")
        return result


class _Chat(_Observed[Chat]):
    def post(self, message: ChatMessage) -> ChatReceipt:
        with _timed(self.say, "The message to Slack") as clock:
            receipt = self.real.post(message)
        where = f"channel {receipt.channel}" if receipt.channel else "its webhook"
        at = f" as {receipt.ts}" if receipt.ts else ""
        self.say(f"Posted to Slack, {where}{at}, in {clock}.")
        return receipt


class _LanguageModel(_Observed[LanguageModel]):
    def ask(self, question: ModelQuestion) -> ModelAnswer:
        with _timed(self.say, "The language model") as clock:
            answer = self.real.ask(question)
        cost = "" if answer.cost is None else f", {answer.cost:.6f} US dollars"
        cut = ", cut at its limit" if answer.cut else ""
        self.say(
            f"{answer.provider}'s {answer.model} answered in {clock}: {answer.input_tokens} tokens "
            f"in, {answer.output_tokens} out{cost}{cut}."
        )
        return answer

    def missing(self, workspace_id: str, provider: str | None, model: str | None) -> str | None:
        return self.real.missing(workspace_id, provider, model)


class _Documents(_Observed[Documents]):
    def generate(self, order: DocumentOrder) -> StoredDocument:
        with _timed(self.say, "The document") as clock:
            document = self.real.generate(order)
        self.say(
            f"Document {document.id} made: {document.name}, {document.size} bytes, in {clock}."
        )
        return document

    def file(self, workspace_id: str, document_id: str) -> Attachment:
        return self.real.file(workspace_id, document_id)

    def delivery(self, key: str) -> Delivery | None:
        delivery = self.real.delivery(key)
        if delivery is not None:
            self.say(
                f"Document {delivery.document_id} to {delivery.address}: {delivery.status} before."
            )
        return delivery

    def record(self, key: str, workspace_id: str, run_id: str, delivery: Delivery) -> Delivery:
        recorded = self.real.record(key, workspace_id, run_id, delivery)
        why = f": {recorded.reason}" if recorded.reason else ""
        self.say(f"Document {recorded.document_id} to {recorded.address}: {recorded.status}{why}")
        return recorded


class _Children(_Observed[ChildRuns]):
    def start(
        self,
        parent_run_id: str,
        workflow_id: str,
        input_data: Mapping[str, Any],
        key: str,
        *,
        awaited: bool,
    ) -> str:
        run_id = self.real.start(parent_run_id, workflow_id, input_data, key, awaited=awaited)
        self.say(f"Run {run_id} of automation {workflow_id} started.")
        return run_id

    def result(self, run_id: str) -> ChildResult:
        result = self.real.result(run_id)
        self.say(f"Run {run_id} is {result.status}.")
        return result


class _Dags(_Observed[OtherDags]):
    def forbidden(self, workspace_id: str, dag_id: str) -> str | None:
        return self.real.forbidden(workspace_id, dag_id)

    def start(
        self, run_id: str, dag_id: str, conf: Mapping[str, Any], key: str, *, awaited: bool
    ) -> str:
        dag_run_id = self.real.start(run_id, dag_id, conf, key, awaited=awaited)
        self.say(f"Run {dag_run_id} of DAG {dag_id} asked for.")
        return dag_run_id

    def operator_forbidden(self, workspace_id: str, operator: str) -> str | None:
        return self.real.operator_forbidden(workspace_id, operator)

    def start_operator(
        self, run_id: str, operator: str, arguments: Mapping[str, Any], key: str
    ) -> str:
        dag_run_id = self.real.start_operator(run_id, operator, arguments, key)
        self.say(f"Run {dag_run_id} of operator {operator} asked for.")
        return dag_run_id

    def result(self, dag_run_id: str) -> DagResult:
        result = self.real.result(dag_run_id)
        why = f": {result.error}" if result.error else ""
        self.say(f"Run {dag_run_id} of DAG {result.dag_id} is {result.status}{why}")
        return result


class _Evidence(_Observed[Evidence]):
    def capture(self, request: EvidenceRequest) -> EvidenceReceipt:
        receipt = self.real.capture(request)
        self.say(
            f"Snapshot {receipt.snapshot_id} taken: {receipt.row_count} rows, "
            f"SHA-256 {receipt.sha256}."
        )
        return receipt


class _Tables(_Observed[Tables]):
    def write(
        self, change: RowChange, *, workspace_id: str, run_id: str, key: str, zone: str = "UTC"
    ) -> RowReceipt:
        written = self.real.write(
            change, workspace_id=workspace_id, run_id=run_id, key=key, zone=zone
        )
        how = "added to" if written.created else "changed in"
        self.say(f"Row {written.row_id} {how} table {change.table_id}.")
        return written

    def delete(self, table_id: str, row_id: str, *, workspace_id: str, key: str) -> bool:
        deleted = self.real.delete(table_id, row_id, workspace_id=workspace_id, key=key)
        self.say(f"Row {row_id} of table {table_id} {'deleted' if deleted else 'was not there'}.")
        return deleted

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
        rows = self.real.query(
            table_id, criteria, sort=sort, limit=limit, workspace_id=workspace_id, zone=zone
        )
        self.say(f"{len(rows)} rows of table {table_id} found.")
        return rows
