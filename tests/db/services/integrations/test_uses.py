"""What uses a secret or a type of steps is found in what automations say now."""

from __future__ import annotations

import pytest

from automations.definitions import uses as definition_uses
from automations.definitions.integrations import EMAIL, SLACK
from automations.kit.values import JSON
from automations.services.audit import audit_logs
from automations.services.integrations import integrations, secrets
from automations.services.workflows import uses, workflows
from tests.db.workspace import principal, workspace
from tests.doubles import ports


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("Bearer {{ secret.API_KEY }}", {"API_KEY"}),
        ("{% if secret.A == 'x' %}{{ secret.B }}{% endif %}", {"A", "B"}),
        ({"auth": {"secret": "API_KEY"}}, {"API_KEY"}),
        ({"auth": {"secret": "{{secret.API_KEY}}"}}, {"API_KEY"}),
        ("secret.API_KEY", set()),
        ("{{ input.secret }} {{ broken", set()),
        ({"secret": "lower case"}, set()),
        ([{"deep": [{"er": "{{secret.DEEP}}"}]}], {"DEEP"}),
    ],
)
def test_secrets_are_found_wherever_they_are_named(value: object, names: set[str]) -> None:
    assert definition_uses.secrets_of(value) == names


def test_only_the_newest_version_uses_something(database: str) -> None:
    here = workspace()
    by = principal(here)
    step = {
        "id": "a",
        "name": "A",
        "type": "http_request",
        "config": {"method": "GET", "url": "https://a.example/{{secret.OLD}}"},
    }
    loop = {
        "id": "b",
        "name": "B",
        "type": "loop",
        "config": {"collection": "{{input.all}}", "steps": [step]},
    }
    made = workflows.create(by, {"name": "One", "steps": [loop]}, ports())
    by_secret = uses.of_secrets(here)
    assert {name: [use.id for use in each] for name, each in by_secret.items()} == {
        "OLD": [made.id]
    }
    found = uses.of_step_types(here, ["http_request", "slack"])
    assert {kind: [use.name for use in each] for kind, each in found.items()} == {
        "http_request": ["One"]
    }
    workflows.update(by, made.id, {"steps": []}, ports())
    assert uses.of_secrets(here) == {}
    assert uses.of_step_types(here, ["http_request"]) == {}


def test_steps_use_the_newest_integration_that_is_on_and_the_mail_server_that_was_chosen(
    database: str,
) -> None:
    here = workspace()
    by = principal(here)
    slack = {"id": "s", "name": "S", "type": "slack", "config": {"channel": "#a", "text": "Hi"}}
    mail = {
        "id": "m",
        "name": "M",
        "type": "email",
        "config": {"to": "a@b.example", "subject": "Hi", "body": "Hi"},
    }
    one = workflows.create(by, {"name": "One", "steps": [slack, mail]}, ports())

    def make(name: str, kind: str, config: dict[str, JSON], chosen: bool = False) -> str:
        return integrations.create(
            here,
            name=name,
            kind=kind,
            config=config,
            credentials={"token": "xoxb-1"} if kind == SLACK else {},
            enabled=True,
            site_email_provider=chosen,
        ).id

    older, newer = make("Older", SLACK, {}), make("Newer", SLACK, {})
    server: dict[str, JSON] = {"host": "mail.example", "fromEmail": "a@b.example"}
    chosen, _ = make("Chosen", EMAIL, server, True), make("Other", EMAIL, server)

    def users() -> dict[str, list[str]]:
        found = uses.of_integrations(here)
        return {known: [workflow.id for workflow in each] for known, each in found.items()}

    assert users() == {newer: [one.id], chosen: [one.id]}
    integrations.update(here, newer, {"enabled": False})
    integrations.update(here, chosen, {"site_email_provider": False})
    assert users() == {older: [one.id]}


def test_whoever_changed_something_last_is_found_beside_its_time(database: str) -> None:
    here = workspace()
    secrets.put(here, "ONE", "first value")
    two = secrets.put(here, "TWO", "first value")
    changed = {secret.name: secret.updated_at for secret in secrets.list_all(here)}
    assert audit_logs.actors(here, "secret", changed) == {"ONE": "system", "TWO": "system"}
    assert audit_logs.actors(here, "secret", {"THREE": two.updated_at}) == {}
    assert audit_logs.actors(here, "secret", {}) == {}
