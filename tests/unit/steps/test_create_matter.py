"""The create_matter step: what it hands to the register, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from automations.domain.fields import RENDERED
from automations.errors import StepError
from automations.ports import MatterReceipt, NewMatter
from automations.steps.create_matter import CreateMatter, CreateMatterConfig
from automations.steps.outcomes import Done, Outcome
from tests.doubles import context

CONFIG: dict[str, Any] = {"templateId": "board", "title": "Onboard Acme"}


class Register:
    """A register that keeps what it is given, or fails."""

    def __init__(self, failure: StepError | None = None) -> None:
        self.failure = failure
        self.made: list[tuple[NewMatter, str, str, str]] = []

    def create(
        self, matter: NewMatter, *, workspace_id: str, run_id: str, key: str
    ) -> MatterReceipt:
        if self.failure:
            raise self.failure
        self.made.append((matter, workspace_id, run_id, key))
        return MatterReceipt("matter", "MAT-0012", ("s1", "s2"))


def run(config: dict[str, Any]) -> tuple[Outcome, NewMatter]:
    register = Register()
    parsed = CreateMatterConfig.model_validate(config, context=RENDERED)
    outcome = CreateMatter().run(parsed, context(matters=register))
    ((matter, workspace, run_id, key),) = register.made
    assert (workspace, run_id, key) == ("workspace1", "run1", "run1:node1:0")
    return outcome, matter


def test_everything_in_the_config_reaches_the_register() -> None:
    _, matter = run(
        {
            **CONFIG,
            "tags": ["kyc", "eu"],
            "priority": "URGENT",
            "assigneeId": "member",
            "properties": {"amount": 7},
        }
    )
    assert matter == NewMatter(
        "board", "Onboard Acme", ("kyc", "eu"), "URGENT", "member", {"amount": 7}
    )


def test_the_output_names_the_matter_and_its_steps() -> None:
    outcome, matter = run(CONFIG)
    assert outcome == Done(
        {
            "matterId": "matter",
            "number": "MAT-0012",
            "title": "Onboard Acme",
            "templateId": "board",
            "stepIds": ["s1", "s2"],
            "currentStepId": "s1",
        }
    )
    assert (matter.priority, matter.tags, matter.assignee_id) == ("MEDIUM", (), None)


def test_what_the_register_refuses_is_not_swallowed() -> None:
    config = CreateMatterConfig.model_validate(CONFIG, context=RENDERED)
    with pytest.raises(StepError, match="no board"):
        CreateMatter().run(config, context(matters=Register(StepError("no board"))))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"templateId": None}, "valid string"),
        ({"templateId": ""}, "at least 1 character"),
        ({"title": " "}, "at least 1 character"),
        ({"title": "x" * 501}, "at most 500"),
        ({"priority": "high"}, "LOW"),
        ({"tags": [[" "]]}, "1 to 100 characters"),
        ({"tags": ["x" * 101]}, "1 to 100 characters"),
        ({"tags": ["x"] * 51}, "at most 50"),
        ({"tags": {}}, "valid list"),
        ({"assigneeId": ""}, "at least 1 character"),
        ({"properties": []}, "valid dictionary"),
        ({"properties": {"x": "y" * 500_001}}, "500000 characters"),
        ({"color": "red"}, "Extra inputs"),
    ],
)
def test_a_config_that_makes_no_matter_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CreateMatterConfig.model_validate({**CONFIG, **change}, context=RENDERED)


def test_templates_are_accepted_when_saved_and_checked_when_rendered() -> None:
    config = {
        **CONFIG,
        "tags": "{{input.tags}}",
        "priority": "{{input.priority}}",
        "properties": "{{input.properties}}",
    }
    CreateMatterConfig.model_validate(config)
    with pytest.raises(ValidationError) as refused:
        CreateMatterConfig.model_validate(config, context=RENDERED)
    assert {str(error["loc"][0]) for error in refused.value.errors()} == {"priority", "properties"}


@pytest.mark.parametrize(
    ("tags", "kept"),
    [
        ("kyc, eu", ("kyc", "eu")),
        (["Doe, Jane & Co", " eu "], ("Doe, Jane & Co", "eu")),
        ([["kyc", "Doe, Jane"], "", "eu"], ("kyc", "Doe, Jane", "eu")),
        (2026, ("2026",)),
    ],
)
def test_a_tag_of_a_list_may_have_commas(tags: Any, kept: tuple[str, ...]) -> None:
    _, matter = run({**CONFIG, "tags": tags})
    assert matter.tags == kept
