"""What clients leave out, or write in another way that means the same."""

from __future__ import annotations

from typing import Any

import pytest

from automations.definitions.checking import parse
from automations.domain.fields import RENDERED
from automations.domain.forms.data_checks import check
from automations.domain.forms.schema import FormSchema
from automations.domain.tables.columns import Column, value_of
from automations.steps.email import EmailConfig
from automations.steps.http_request import HttpRequestConfig
from automations.steps.run_workflow import RunWorkflowConfig
from automations.steps.send_form import SendFormConfig

MAIL = {"to": "ada@example.com", "subject": "x", "body": "y"}
DELAY = {"type": "delay", "config": {"duration": "PT1S"}}


def mail(**more: Any) -> EmailConfig:
    return EmailConfig.model_validate({**MAIL, **more})


def definition(**more: Any) -> Any:
    found, errors = parse({"name": "x", **more})
    assert errors == {}
    return found


@pytest.mark.parametrize("kind", ["manual", "webhook"])
def test_a_triggers_config_may_be_null_and_is_an_object_else(kind: str) -> None:
    found, errors = parse({"name": "x", "trigger": {"type": kind, "config": None}})
    assert (found and found.trigger.type, errors) == (kind, {})
    _, errors = parse({"name": "x", "trigger": {"type": kind, "config": []}})
    assert errors == {"trigger": ["config must be an object"]}


def test_steps_without_an_order_have_that_of_their_list() -> None:
    inner = [{"name": name, **DELAY} for name in ("c", "d")]
    loop = {"name": "b", "type": "loop", "config": {"collection": [1], "steps": inner}}
    failing = {"name": "e", **DELAY, "onError": [{"name": "f", **DELAY}]}
    found = definition(steps=[{"name": "a", **DELAY}, loop, failing])
    assert [step.order for step in found.steps] == [0, 1, 2]
    assert [step.order for step in found.steps[1].config.steps] == [0, 1]
    assert found.steps[2].on_error[0].order == 0


def test_null_is_a_field_that_is_absent() -> None:
    step = {"name": "a", **DELAY, "retry": None, "disabled": None, "onError": None, "order": None}
    found = definition(description=None, variables=None, trigger=None, timezone=None, steps=[step])
    assert (found.description, found.variables, found.trigger.type) == ("", {}, "manual")
    assert (found.steps[0].disabled, found.steps[0].on_error) == (False, "fail")
    assert mail(cc=None, attachments=None).cc == []
    assert "name" in parse({"name": None})[1]


@pytest.mark.parametrize(
    ("written", "addresses"),
    [
        ("Ada <ada@example.com>", ["ada@example.com"]),
        ('"Doe, Jo" <jo@example.com>, x@example.com', ["jo@example.com", "x@example.com"]),
        (["Ada <ada@example.com>", "x@example.com, y@example.com"],
         ["ada@example.com", "x@example.com", "y@example.com"]),
        ("<ada@example.com>", ["ada@example.com"]),
    ],
)  # fmt: skip
def test_a_name_before_an_address_is_left_out(written: Any, addresses: list[str]) -> None:
    assert mail(to=written).to == addresses


def test_so_is_one_before_the_address_that_is_answered_to() -> None:
    assert mail(replyTo="Łucja <l@example.com>").reply_to == "l@example.com"
    assert mail(replyTo='"Doe, Jo" <jo@example.com>').reply_to == "jo@example.com"
    assert mail(replyTo="{{input.from}}").reply_to == "{{input.from}}"
    step = {"name": "a", "type": "email", "config": {**MAIL, "replyTo": "a@b.example, c@d.example"}}
    assert list(parse({"name": "x", "steps": [step]})[1]) == ["steps.0.config.replyTo"]


@pytest.mark.parametrize(
    ("written", "statuses"),
    [(404, [404]), ([200, 404], [200, 404]), ([[200, "404"], 500], [200, 404, 500])],
)
def test_an_expected_status_may_be_one_or_several(written: Any, statuses: list[int]) -> None:
    given = {"url": "https://a.example", "expectedStatus": written}
    rendered = HttpRequestConfig.model_validate(given, context=RENDERED)
    assert rendered.expected_status == statuses
    assert HttpRequestConfig.model_validate({**given, "expectedStatus": "{{input.statuses}}"})


def test_base64_may_be_in_lines() -> None:
    (file,) = mail(attachments=[{"filename": "a", "content": "aGVs\r\nbG8=\n"}]).files
    assert file.content == "aGVsbG8="


def test_a_list_or_an_object_may_be_one_template() -> None:
    assert mail(attachments="{{input.files}}").files == []
    given = [{"filename": "a", "content": "aGk="}]
    rendered = EmailConfig.model_validate({**MAIL, "attachments": given}, context=RENDERED)
    assert [file.filename for file in rendered.files] == ["a"]
    assert HttpRequestConfig.model_validate({"url": "https://a.example", "headers": "{{input.h}}"})
    assert RunWorkflowConfig.model_validate({"workflowId": "c1", "input": "{{input}}"})
    prefilled = {"formId": "c1", "recipients": "a@b.example", "prefill": "{{input.p}}"}
    assert SendFormConfig.model_validate(prefilled)
    for wrong in ("no template", 5):
        step = {"name": "a", "type": "email", "config": {**MAIL, "attachments": wrong}}
        assert list(parse({"name": "x", "steps": [step]})[1]) == ["steps.0.config.attachments"]


def test_a_scheme_may_be_in_capitals() -> None:
    address = "HTTPS://example.com/x"
    assert value_of(Column(key="a", type="url"), address) == address
    field = {"id": "a", "key": "a", "type": "url"}
    form = FormSchema.model_validate({"sections": [{"id": "s", "fields": [field]}]})
    assert check(form, {"a": address}) == {}
    assert HttpRequestConfig.model_validate({"url": address}).url == address


def test_a_webhook_without_a_secret_is_verified_by_its_url() -> None:
    assert definition(trigger={"type": "webhook"}).trigger.verification == "none"
