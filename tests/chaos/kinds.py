"""The mixed automations of the chaos suite: each effect is named by its run and step."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.chaos.records import Kind
from tests.e2e.conftest import Stack

PERSON = "chaos.example"
"""The domain of those who get mail."""
EVENT = "com.example.chaos"
RETRY = {"maxAttempts": 20, "delay": "PT2S", "maxDelay": "PT10S"}
"""Counterparts may be away for a while, which is no fault of the run's."""
ITEMS = 4
FORM = {
    "title": "Marked",
    "schema": {
        "sections": [{"id": "s", "fields": [{"id": "1", "key": "mark", "type": "text"}]}],
    },
}
TABLE = {"name": "Ledger", "columns": [{"key": "run", "type": "text"}]}
LETTER = {
    "name": "Letter",
    "format": "markdown",
    "content": base64.b64encode(b"# Run {{ run }}").decode(),
}


def _step(name: str, kind: str, config: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "config": config, "retry": RETRY, **more}


def _mail(name: str) -> dict[str, Any]:
    subject = f"{{{{run.id}}}}/{name}"
    return _step(name, "email", {"to": f"a@{PERSON}", "subject": subject, "body": "Hello"})


@dataclass(frozen=True)
class Started:
    """A kind, and how it is started.

    Args:
        by: ``execute``, ``webhook``, ``event``, ``form``, or nothing that a client sends.
        address: the webhook's URL, or the form's id.
    """

    kind: Kind
    by: str
    address: str = ""


class Kinds:
    """Makes the automations in a stack."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._url = stack.counterparts.url
        self.all: list[Started] = []
        self.form = ""

    def make(self) -> None:
        """Make them all."""
        api = self._stack.api
        self.form = api("POST", "/api/forms", FORM, expect=201)["id"]
        filled = api("POST", "/api/forms", FORM, expect=201)["id"]
        table = api("POST", "/api/tables", TABLE, expect=201)["id"]
        letter = api("POST", "/api/document-templates", LETTER, expect=201)["id"]
        self._add("mail", [_mail("One"), _mail("Two")])
        self._add("ahead", [self._http(name) for name in ("One", "Two", "Three", "Four")])
        self._add("express", [self._http("One"), self._http("Two")], execution="express")
        self._add("loop", [self._loop()], by="webhook")
        self._add("delay", [_step("Wait", "delay", {"duration": "PT3S"}), self._http("One")])
        self._add("callback", [self._call(), self._http("One")])
        ask = _step("Ask", "approval", {"message": "OK?", "onReject": "continue"})
        self._add("approval", [self._http("One"), ask, self._http("Two")])
        self._add("waiting", [ask], waits=True)
        child = self._add("child", [self._http("One")], by="run")
        waits = {"workflowId": child, "waitForCompletion": True}
        calls = _step("Child", "run_workflow", waits)
        self._add("parent", [calls, self._http("One")], children=1)
        row = {"operation": "create", "tableId": table, "data": {"run": "{{run.id}}"}}
        self._add("table", [_step("Row", "table_operations", row), self._http("One")], rows=1)
        trigger = {"type": "event", "triggerType": "ROW_ADDED", "filterTableId": table}
        self._add("follower", [_mail("One")], by="row", trigger=trigger, follows=table)
        self._add("document", self._letter(letter), documents=1)
        trigger = {"type": "event", "triggerType": EVENT}
        for name in ("heard", "heard too"):
            self._add(name, [self._http("One")], by="event", trigger=trigger)
        self._add(
            "form",
            [self._fill(filled), self._http("One")],
            by="form",
            trigger={"type": "form_submission", "formId": self.form},
        )

    def _add(
        self,
        name: str,
        steps: list[dict[str, Any]],
        *,
        by: str = "execute",
        trigger: Mapping[str, Any] | None = None,
        execution: str = "airflow",
        **more: Any,
    ) -> str:
        ordered = [{**step, "order": order} for order, step in enumerate(steps)]
        body: dict[str, Any] = {"name": name, "status": "ACTIVE", "steps": ordered}
        body["execution"] = execution
        if by == "webhook":
            trigger = {"type": "webhook", "verification": "none"}
        if trigger is not None:
            body["trigger"] = trigger
        made = self._stack.api("POST", "/api/workflows", body, expect=201)
        found = self._stack.api("GET", f"/api/workflows/{made['id']}")
        kind = Kind(
            name,
            found["id"],
            {step["name"]: step["id"] for step in found["steps"]},
            tuple(effect for step in steps for effect in _effects(step)),
            **more,
        )
        self.all.append(Started(kind, by, found.get("webhookUrl") or self.form))
        return str(found["id"])

    def _http(self, name: str, path: str = "echo", **more: Any) -> dict[str, Any]:
        body = {"effect": f"{{{{run.id}}}}/{name}", **more}
        config = {"method": "POST", "url": f"{self._url}/{path}", "body": body}
        return _step(name, "http_request", config)

    def _call(self) -> dict[str, Any]:
        step = self._http("Call", "jobs", report="{{callback.url}}")
        step["config"]["waitForCallback"] = True
        return step

    def _loop(self) -> dict[str, Any]:
        body = {**self._http("Each/{{loop.index}}"), "name": "Item", "order": 0}
        config = {"collection": list(range(ITEMS)), "steps": [body]}
        return _step("Each", "loop", config)

    def _letter(self, template: str) -> list[dict[str, Any]]:
        makes = {"templateId": template, "format": "docx", "data": {"run": "{{run.id}}"}}
        sends = {
            "documentId": "{{steps.Letter.documentId}}",
            "recipients": [f"b@{PERSON}"],
            "subject": "{{run.id}}/Send",
        }
        return [
            _step("Letter", "generate_document", makes),
            _step("Send", "send_document", sends),
        ]

    def _fill(self, form: str) -> dict[str, Any]:
        config = {
            "formId": form,
            "recipients": [f"fill@{PERSON}"],
            "waitForCompletion": True,
        }
        return _step("Fill", "send_form", config)


def _effects(step: Mapping[str, Any]) -> list[str]:
    if step["type"] == "loop":
        return [f"{step['name']}/{index}" for index in range(ITEMS)]
    counted = ("http_request", "email", "send_document")
    return [step["name"]] if step["type"] in counted else []
