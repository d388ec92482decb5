"""What the steps of every type can refer to, and the direct ways to what they use."""

from __future__ import annotations

import http.client
import json
import smtplib
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from functools import cached_property
from typing import Any

from automations import wiring
from automations.adapters.quickjs.runner import QuickJsRunner
from automations.domain.forms.schema import FormSchema
from automations.domain.matters import Board
from automations.domain.principals import Principal
from automations.domain.tables.columns import TableShape
from automations.ports import DocumentOrder, ScriptLimits
from automations.services.access import bootstrap, members
from automations.services.documents import templates as document_templates
from automations.services.forms import forms
from automations.services.matters import templates as matter_templates
from automations.services.runs import by_hand
from automations.services.tables import tables
from automations.services.workflows import workflows
from automations.steps.base import EXAMPLE_INPUT
from automations.steps.registry import STEP_TYPES
from tests.doubles import ports
from tests.e2e.counterparts import Counterparts
from tests.letters import letter
from tests.servers.mailbox import Mailbox

FORM = {"sections": [{"id": "s", "fields": [{"id": "1", "key": "email", "type": "email"}]}]}
COLUMNS = {"name": "Customers", "columns": [{"key": "name", "type": "text"}]}
BOARD = {"name": "Onboarding", "steps": [{"id": "check", "name": "Check", "type": "APPROVAL"}]}
LETTER = ("Dear {{ name }},", *(f"this is paragraph {number} of a letter." for number in range(20)))


class World:
    """A workspace with what steps refer to, in a database and beside servers that are there."""

    def __init__(self, mailbox: Mailbox, counterparts: Counterparts) -> None:
        self.workspace = bootstrap.ensure_workspace()
        self.mailbox = mailbox
        self.address = counterparts.address
        self.url = f"{counterparts.url}/api/chat.postMessage"
        self.owner = Principal(self.workspace, "OWNER", "bench")
        made = members.create(self.owner, name="Ada", email="ada@b.example", role="OWNER")
        self.member = made.id

    @cached_property
    def _content(self) -> bytes:
        return letter(*LETTER)

    @cached_property
    def table(self) -> str:
        return tables.create(self.workspace, TableShape.model_validate(COLUMNS)).id

    @cached_property
    def board(self) -> str:
        return matter_templates.create(self.workspace, Board.model_validate(BOARD)).id

    @cached_property
    def form(self) -> str:
        form = FormSchema.model_validate(FORM)
        return forms.create(self.workspace, title="Form", description="", form=form).id

    @cached_property
    def letter(self) -> str:
        return document_templates.create(
            wiring.document_renderer(),
            self.workspace,
            name="Letter",
            template_format="docx",
            content=self._content,
        ).id

    @cached_property
    def child(self) -> str:
        return self.automation("condition", {"expression": "true"})

    @cached_property
    def document(self) -> str:
        order = DocumentOrder(
            workspace_id=self.workspace,
            run_id=self.start(self.child),
            key="bench",
            template_id=self.letter,
            format="docx",
            filename=None,
            data=EXAMPLE_INPUT,
        )
        return wiring.ports().documents.generate(order).id

    def config(self, kind: str) -> dict[str, Any]:
        """A config of a step type that has its effect: its example, for what is here."""
        # Only what is referred to is made: a document takes a process and half a second.
        refers: dict[str, Callable[[], dict[str, Any]]] = {
            "create_matter": lambda: {"templateId": self.board},
            "generate_document": lambda: {"templateId": self.letter},
            "http_request": lambda: {"url": self.url, "body": {"channel": "{{input.name}}"}},
            "notification": lambda: {"userIds": [self.member]},
            "run_workflow": lambda: {"workflowId": self.child},
            "send_document": lambda: {"documentId": self.document},
            "send_form": lambda: {"formId": self.form},
            "table_operations": lambda: {"tableId": self.table},
        }
        return {**STEP_TYPES[kind].example, **refers.get(kind, dict)()}

    def automation(self, kind: str, config: Mapping[str, Any]) -> str:
        """An automation of one step."""
        step = {"id": "step", "name": "Step", "type": kind, "order": 0, "config": dict(config)}
        body = {"name": f"Bench {kind}", "steps": [step]}
        return workflows.create(self.owner, body, ports()).id

    def start(self, workflow_id: str, items: int = 0) -> str:
        """A run of an automation, given so many items."""
        given = {**EXAMPLE_INPUT, "items": list(range(items))}
        return by_hand.execute(self.owner, workflow_id, given).id

    def mail(self) -> None:
        """One mail."""
        message = EmailMessage()
        message["From"], message["To"] = "a@b.example", "ada@b.example"
        message["Subject"] = "Hi"
        message.set_content("Dear Ada")
        with smtplib.SMTP("127.0.0.1", self.mailbox.port) as smtp:
            smtp.send_message(message)

    def post(self, path: str = "/api/chat.postMessage") -> None:
        """One request."""
        connection = http.client.HTTPConnection(self.address)
        body = {"channel": "Ada", "messages": [{"content": "Hi"}]}
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        connection.getresponse().read()
        connection.close()

    def script(self) -> None:
        """One script in its child process."""
        limits = ScriptLimits(seconds=5, memory_bytes=64_000_000)
        QuickJsRunner().run("return {n: input.name.length}", EXAMPLE_INPUT, {}, limits)

    def renderer(self, kind: str) -> Callable[[], object]:
        """One document in its child process."""
        renderer = wiring.document_renderer()
        return lambda: renderer.render("docx", self._content, EXAMPLE_INPUT, kind)
