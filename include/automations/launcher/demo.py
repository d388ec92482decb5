"""``./automations demo``: the main job on real input, shown as it happens."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import requests
from rich.console import Console

from automations.settings import Settings
from automations_client import ENDED, Client
from automations_client.shapes import RunStatus

_TIMEOUT = 60.0
"""Seconds; far longer than it takes."""
_LINK = re.compile(r"https?://\S+/api/workflows/callback/\S+")

WELCOME_FORM = {
    "title": "Signup",
    "description": "Who would like to hear from us?",
    "schema": {
        "sections": [
            {
                "id": "about-you",
                "title": "About you",
                "fields": [
                    {
                        "id": "name",
                        "key": "name",
                        "type": "text",
                        "label": "Your name",
                        "validation": {"required": True},
                    },
                    {
                        "id": "email",
                        "key": "email",
                        "type": "email",
                        "label": "Your address",
                        "validation": {"required": True},
                    },
                ],
            }
        ]
    },
}


def welcome(form_id: str) -> dict[str, Any]:
    """The specification's example, word for word, with a real form's id."""
    return {
        "name": "Welcome Email on Signup",
        "description": "Sends welcome email when a form is submitted",
        "formId": form_id,
        "status": "ACTIVE",
        "trigger": {"type": "form_submission", "config": {"formId": form_id}},
        "steps": [
            {
                "name": "Send Welcome Email",
                "type": "email",
                "config": {
                    "to": "{{submission.email}}",
                    "subject": "Welcome!",
                    "body": "Thank you for signing up.",
                },
                "order": 0,
            }
        ],
    }


APPROVAL = {
    "name": "Discount with approval",
    "description": "A person decides before the customer hears of it",
    "status": "ACTIVE",
    "trigger": {"type": "manual"},
    "steps": [
        {
            "name": "Ask the boss",
            "type": "approval",
            "order": 0,
            "config": {
                "approvers": ["boss@example.com"],
                "message": "{{input.customer}} asks for {{input.percent}} % off. Agreed?",
                "data": {"customer": "{{input.customer}}", "percent": "{{input.percent}}"},
            },
        },
        {
            "name": "Tell the customer",
            "type": "email",
            "order": 1,
            "config": {
                "to": "{{input.customer}}",
                "subject": "Your discount",
                "body": "You get {{input.percent}} % off; "
                "{{steps['Ask the boss'].decidedBy}} has agreed.",
            },
        },
    ],
}


class DemoError(Exception):
    """What was to be shown did not happen in time."""


class Demo:
    """A client of the running stack that tells what it sees."""

    def __init__(self, settings: Settings, key: str, console: Console) -> None:
        self._settings = settings
        self._console = console
        self._api = Client(settings.bridge_base, key)

    def show_welcome(self) -> None:
        """A form is submitted, and a mail is sent."""
        self._title("1. A form submission sends a mail")
        form = self._api.forms.create(WELCOME_FORM)
        workflow = self._api.workflows.create(welcome(form["id"]))
        self._say(f"Created [bold]{workflow['name']}[/] ({workflow['id']}), {workflow['status']}")
        person = {"name": "Ada Lovelace", "email": f"ada.{workflow['id'][-6:]}@example.com"}
        submission = self._api.submissions.create(form["id"], person)
        self._say(f"Submitted the form as {person['email']} ({submission['id']})")
        run_id = self._until(
            "the submission to start a run", lambda: self._first_run(workflow["id"])
        )
        self._follow(workflow["id"], run_id, "COMPLETED")
        self._show_mail(person["email"])

    def show_approval(self) -> None:
        """A run waits for a person, and goes on when they decided."""
        self._title("2. A run waits for a decision")
        workflow = self._api.workflows.create(APPROVAL)
        customer = f"grace.{workflow['id'][-6:]}@example.com"
        run = self._api.workflows.execute(workflow["id"], {"customer": customer, "percent": 15})
        self._follow(workflow["id"], run["runId"], "PAUSED")
        link = self._until("the approval link", lambda: self._approval_link(run["runId"], customer))
        self._link("the approver was sent this link", link)
        page = requests.get(link, timeout=10)
        self._say(f"Opening it changes nothing (HTTP {page.status_code}); deciding does:")
        answer = requests.post(
            link, json={"decision": "approved"}, headers={"Accept": "application/json"}, timeout=10
        )
        answer.raise_for_status()
        self._say("Approved.")
        self._follow(workflow["id"], run["runId"], "COMPLETED")
        self._show_mail(customer)

    def _follow(self, workflow_id: str, run_id: str, until: RunStatus) -> None:
        """Print each step as it ends, until the run has a status."""
        self._say(f"Run [bold]{run_id}[/]")
        shown = 0
        deadline = time.monotonic() + _TIMEOUT
        while True:
            run = self._api.runs.get(workflow_id, run_id)
            for line in run["logs"][shown:]:
                self._console.print(
                    f"   {line['status']:<9} {line['stepName']} [dim]({line['stepType']}, "
                    f"{line['durationMs']} ms)[/] {line['output']}",
                    highlight=False,
                    soft_wrap=True,
                )
            shown = len(run["logs"])
            if run["status"] == until:
                break
            if run["status"] in ENDED or time.monotonic() > deadline:
                raise DemoError(f"The run is {run['status']}, not {until}: {run['error']}")
            time.sleep(0.05)
        self._say(f"The run is [bold green]{run['status']}[/]")
        self._link("in Airflow", self._airflow_link(workflow_id, run_id))
        api = f"{self._settings.bridge_base}/api/workflows/{workflow_id}/runs/{run_id}"
        self._link("in the API", api)

    def _link(self, where: str, url: str) -> None:
        self._console.print(f"   {where}: {url}", highlight=False, soft_wrap=True)

    def _airflow_link(self, workflow_id: str, run_id: str) -> str:
        return f"{self._settings.airflow_base}/dags/automation_{workflow_id}/runs/{run_id}"

    def _show_mail(self, address: str) -> None:
        mail = self._until(f"the mail to {address}", lambda: self._mail_to(address))
        self._say("The mail, as it was caught:")
        for name in ("from", "to", "subject", "messageId"):
            self._console.print(f"   {name}: {mail[name]}", highlight=False, markup=False)
        self._console.print(f"\n   {mail['text'].strip()}\n", highlight=False, markup=False)
        self._say(f"All caught mail: {self._settings.mail_base}")

    def _first_run(self, workflow_id: str) -> str | None:
        run = next(self._api.runs.iterate(workflow_id, 1), None)
        return run and run["id"]

    def _messages(self) -> list[dict[str, Any]]:
        answer = requests.get(f"{self._settings.mail_base}/api/messages", timeout=10)
        answer.raise_for_status()
        messages: list[dict[str, Any]] = answer.json()
        return messages

    def _mail_to(self, address: str) -> dict[str, Any] | None:
        return next((mail for mail in self._messages() if address in str(mail["to"])), None)

    def _approval_link(self, run_id: str, customer: str) -> str | None:
        for mail in self._messages():
            if "boss@example.com" in str(mail["to"]) and customer in mail["text"]:
                match = _LINK.search(mail["text"])
                return match.group(0) if match else None
        return None

    def _until(self, condition: str, look: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + _TIMEOUT
        while time.monotonic() < deadline:
            if (result := look()) is not None:
                return result
            time.sleep(0.05)
        raise DemoError(f"Waited {_TIMEOUT:.0f} s for {condition}.")

    def _title(self, text: str) -> None:
        self._console.rule(f"[bold]{text}")

    def _say(self, text: str) -> None:
        self._console.print(f" • {text}", highlight=False)
