"""Files of definitions, over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import WorkflowVersion
from tests.api.conftest import Api

FILE = """
key: welcome
name: Welcome
status: ACTIVE
trigger:
  type: schedule
  config: {cron: "0 6 * * *", timezone: Europe/Warsaw}
variables:
  limit: 5
steps:
  - name: Check
    type: condition
    order: 0
    config:
      expression: variables.limit > 3
      then:
        - name: Tell
          type: email
          order: 0
          config:
            to: ada@b.example
            subject: Hello
            body: |
              Dear Ada,
              it is {{now}}.
  - name: Wait
    type: delay
    order: 1
    retry: {maxAttempts: 3, on: [timeout]}
    config: {duration: PT1H}
"""


def send(api: Api, text: str, query: str = "", role: str = "ADMIN", kind: str = "yaml") -> Any:
    headers = {
        "Authorization": f"Bearer {api.keys[role]}",
        "Content-Type": f"application/{kind}",
    }
    path = f"/api/workflows/import{query}"
    return api.http.post(path, content=text.encode(), headers=headers)


def applied(api: Api, text: str, query: str = "", **more: Any) -> list[dict[str, Any]]:
    answer = send(api, text, query, **more)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["automations"]
    assert answer.json()["changed"] is any(entry["action"] != "unchanged" for entry in found)
    return found


def exported(api: Api, workflow: str = "", form: str = "yaml", role: str = "VIEWER") -> str:
    path = f"/api/workflows/{workflow}/export" if workflow else "/api/workflows/export"
    answer = api.call("GET", f"{path}?format={form}", role=role)
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def versions() -> int:
    with unit_of_work() as session:
        return len(session.scalars(select(WorkflowVersion.id)).all())
