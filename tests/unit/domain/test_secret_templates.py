"""Secrets in templates: which are read, and what may be recorded of the result."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import pytest

from automations.domain.secret_templates import Redaction, secrets_named
from automations.errors import StepError, TemplateError
from automations.kit.masking import MASK
from automations.steps.email import EmailConfig
from automations.steps.outcomes import Done, Fail

STORE = {"KEY": "k3y-Value-9", "OTHER": "other-value"}


class Store:
    """Secrets, and which of them were asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def read(self, names: Set[str]) -> Mapping[str, str]:
        self.asked += sorted(names)
        return {name: STORE[name] for name in names if name in STORE}


def render(redaction: Redaction, text: Any, **more: Any) -> Any:
    return redaction.render(text, {"input": {"a": "x"}}, where="step 'S', config.f", **more)


def test_only_what_is_named_is_read_and_only_once() -> None:
    store = Store()
    redaction = Redaction(store.read)
    assert render(redaction, {"a": ["Bearer {{secret.KEY}}", "{{input.a}}"], "b": 1}) == {
        "a": ["Bearer k3y-Value-9", "x"],
        "b": 1,
    }
    assert render(redaction, "{{secret.KEY}}") == "k3y-Value-9"
    assert store.asked == ["KEY"]


def test_without_a_secret_nothing_is_read_and_nothing_changed() -> None:
    store = Store()
    redaction = Redaction(store.read)
    outcome = Done({"a": "k3y-Value-9"})
    assert render(redaction, "the secret of {{input.a}}") == "the secret of x"
    assert redaction.outcome(outcome) is outcome
    assert store.asked == []


def test_a_missing_secret_names_step_field_and_secret() -> None:
    with pytest.raises(StepError, match=r"step 'S', config\.f\.a\.0: there is no secret NONE"):
        render(Redaction(Store().read), {"a": ["{{secret.NONE}}"]})
    assert render(Redaction(Store().read), "{{secret.NONE}}", missing_ok=True) is None


@pytest.mark.parametrize(
    "text",
    [
        "{{secret}}",
        "{{secret.KEY}}{{secret}}",
        "{{secret['KEY']}}",
        "{{secret[input.a]}}",
        "{{secret|items}}",
        "{% for name in secret %}{{name}}{% endfor %}",
        "{% set all = secret %}{{all.KEY}}",
        "{{secret.key}}",
        "{{secret.KEY.part}}",
    ],
)
def test_secrets_are_taken_by_name_only(text: str) -> None:
    with pytest.raises(ValueError, match="name one secret"):
        secrets_named(text)
    with pytest.raises(StepError, match="name one secret"):
        render(Redaction(Store().read), text)


@pytest.mark.parametrize("text", ["{{secrets.KEY}}", "{{input.secret}}", "secret.KEY", "{{1}}"])
def test_other_names_are_no_secrets(text: str) -> None:
    assert secrets_named(text) == set()


def test_an_invalid_template_is_explained_as_such() -> None:
    with pytest.raises(TemplateError, match="syntax"):
        render(Redaction(Store().read), "{{ secret.KEY ")


@pytest.mark.parametrize(
    ("template", "echoed"),
    [
        ("{{secret.KEY}}", "k3y-Value-9"),
        ("{{secret.KEY|upper}}", "K3Y-VALUE-9"),
        ("{{secret.KEY|reverse}}", "9-eulaV-y3k"),
        ("{{secret.KEY[4:]}}", "Value-9"),
        ("{{secret.KEY|replace('-', '')}}", "k3yValue9"),
        ("{{secret.KEY|urlencode}}", "k3y-Value-9"),
        ("Token {{secret.KEY|upper}}; ", "K3Y-VALUE-9"),
        ("{% set s = secret.KEY %}{{s|upper}}", "K3Y-VALUE-9"),
        ("{{secret.KEY ~ '/' ~ secret.OTHER}}", "other-value"),
    ],
)
def test_a_secret_changed_by_its_template_is_masked_too(template: str, echoed: str) -> None:
    redaction = Redaction(Store().read)
    assert echoed in render(redaction, template)
    failed = redaction.outcome(Fail(f"you sent <{echoed}>", output={"deep": [{"er": echoed}]}))
    assert failed == Fail(f"you sent <{MASK}>", output={"deep": [{"er": MASK}]})


@pytest.mark.parametrize(
    ("body", "recorded"),
    [
        ("{{secret.KEY}}", MASK),
        ("Bearer {{secret.KEY}}", f"Bearer {MASK}"),
        ("{{secret.KEY[:3]}}", MASK),
        ("{{secret.KEY|upper}}{{input.a}}", f"{MASK}x"),
        ("{{secret.KEY[3]}}", MASK),
        ("{% if secret.KEY == 'k3y-Value-9' %}yes{% else %}no{% endif %}", "no"),
    ],
)
def test_the_recorded_config_was_never_rendered_with_the_secret(body: str, recorded: str) -> None:
    config = EmailConfig.model_validate(
        {"to": "a@b.example", "subject": "k3y-Value-9", "body": body}
    )
    redaction = Redaction(Store().read)
    real, shown = redaction.config(config, {"input": {"a": "x"}}, where="step 'S'")
    assert real["subject"] == "k3y-Value-9"
    assert shown["subject"] == MASK
    assert shown["body"] == recorded
