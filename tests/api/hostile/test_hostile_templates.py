"""Hostile templates at every place where the API takes one, and what a preview of them costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.conftest import Api
from tests.api.documents.documents import TEMPLATES, encoded, field_errors
from tests.hostile import templates as hostile

CHAIN = "{{ " + "-" * 1_500 + "1 }}"
METHOD = hostile.ESCAPES["a method of an object"]
WEBHOOK = {"type": "webhook", "verification": "header", "header": "X-Key"}


def mail(**config: str) -> dict[str, Any]:
    told = {"to": "a@b.example", "subject": "Hi", "body": "Hi", **config}
    return {"id": "one", "name": "One", "type": "email", "order": 0, "config": told}


def step(kind: str, **config: Any) -> dict[str, Any]:
    return {"name": "One", "type": kind, "order": 0, "config": config}


def inside(*steps: dict[str, Any]) -> dict[str, Any]:
    return step("condition", expression="true", then=list(steps))


PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    "steps.0.config.body": lambda text: {"steps": [mail(body=text)]},
    "steps.0.config.html": lambda text: {"steps": [mail(html=text)]},
    "steps.0.config.to.0": lambda text: {"steps": [mail(to=text)]},
    "steps.0.config.url": lambda text: {"steps": [step("http_request", method="GET", url=text)]},
    "steps.0.config.headers.x": lambda text: {
        "steps": [step("http_request", method="GET", url="http://a.example", headers={"x": text})]
    },
    "steps.0.config.body.a.0": lambda text: {
        "steps": [
            step("http_request", method="POST", url="http://a.example", body={"a": [text]})
        ]
    },
    "steps.0.config.expression": lambda text: {"steps": [step("condition", expression=text)]},
    "steps.0.config.rules.0.field": lambda text: {
        "steps": [step("condition", rules=[{"field": text, "operator": "exists"}])]
    },
    "steps.0.config.then.0.config.subject": lambda text: {"steps": [inside(mail(subject=text))]},
    "steps.0.config.items": lambda text: {"steps": [step("loop", items=text, steps=[mail()])]},
    "concurrency.key": lambda text: {"concurrency": {"limit": 1, "key": text}},
    "rateLimit.key": lambda text: {"rateLimit": {"limit": 1, "per": "PT1M", "key": text}},
    "debounce.key": lambda text: {
        "trigger": {"type": "event", "triggerType": "FORM_APPROVED"},
        "debounce": {"delay": "PT1S", "key": text},
    },
    "trigger.secret": lambda text: {"trigger": {**WEBHOOK, "secret": text}},
}  # fmt: skip


@pytest.mark.parametrize("text", [CHAIN, METHOD], ids=["chain", "method"])
@pytest.mark.parametrize("field", PLACES)
def test_every_place_refuses_them_with_its_name(api: Api, field: str, text: str) -> None:
    body = {"name": "x", "steps": [mail()], **PLACES[field](text)}
    answer = api.call("POST", "/api/workflows", body)
    assert field in field_errors(answer)
    assert api.call("GET", "/api/workflows").json() == []


@pytest.mark.parametrize("name", hostile.UNREADABLE | hostile.ESCAPES)
def test_none_of_them_is_saved(api: Api, name: str) -> None:
    text = (hostile.UNREADABLE | hostile.ESCAPES)[name]
    answer = api.call("POST", "/api/workflows", {"name": "x", "steps": [mail(body=text)]})
    assert "is not a valid template" in field_errors(answer)["steps.0.config.body"][0]


def test_many_templates_of_one_automation_are_bounded_together(api: Api) -> None:
    steps = [
        {**mail(body="{{ input.a + 1 }}" * 600), "id": f"s{number}", "name": f"S{number}",
         "order": number}
        for number in range(12)
    ]  # fmt: skip
    answer = api.call("POST", "/api/workflows", {"name": "x", "steps": steps})
    (problem,) = field_errors(answer).values()
    assert "templates have more than 20000 parts together" in problem[0]


@pytest.mark.parametrize(
    "name", ["slices in a loop", "a list that holds itself twice", "a text that doubles"]
)
def test_a_preview_of_what_has_no_end_says_so(api: Api, name: str) -> None:
    workflow = api.workflow(steps=[mail(body=f"Dear {hostile.GREEDY[name]}")])["id"]
    path = f"/api/workflows/{workflow}/steps/one/test"
    answer = api.call("POST", path, {"dryRun": True})
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "failed"
    assert "config.body: " in answer.json()["error"]["message"]


def test_a_preview_with_many_of_them_costs_no_more_than_one(api: Api) -> None:
    loops = "{% for a in range(9999) %}{{ a }}{% endfor %}"
    headers = {f"x-{number}": loops for number in range(100)}
    config = {"method": "GET", "url": "http://a.example", "headers": headers}
    workflow = api.workflow(steps=[{**mail(), "type": "http_request", "config": config}])["id"]
    answer = api.call("POST", f"/api/workflows/{workflow}/steps/one/test", {"dryRun": True})
    assert "needs more work than templates may take" in answer.json()["error"]["message"]


@pytest.mark.parametrize("name", ["minus signs", "elif", "filters", "a method of an object"])
def test_no_document_template_has_them(api: Api, name: str) -> None:
    text = (hostile.UNREADABLE | hostile.ESCAPES)[name]
    template = {"name": "Letter", "format": "markdown", "content": encoded(text.encode())}
    answer = api.call("POST", TEMPLATES, template)
    assert "template" in field_errors(answer)["content"][0]
