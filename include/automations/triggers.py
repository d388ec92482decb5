"""What starts a run: the trigger types, written flat or nested under ``config``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from automations.ids import PATTERN
from automations.steps.base import Model

Id = Annotated[str, Field(pattern=PATTERN)]


class TriggerBase(Model):
    """A trigger; reads both shapes and writes both."""

    type: str

    @model_validator(mode="before")
    @classmethod
    def _flatten(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(config := value.get("config"), dict):
            flat = {key: item for key, item in value.items() if key != "config"}
            return {**flat, **config, "type": value.get("type")}
        return value

    def key(self) -> str | None:
        """What an event must carry to start the automation; None when no event does."""
        return None

    def as_json(self) -> dict[str, Any]:
        """The flat fields and, beside them, the same under ``config``."""
        flat = self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"type"})
        return {"type": self.type, **flat, "config": flat}


class Manual(TriggerBase):
    """Started by hand, in the API or in Airflow."""

    type: Literal["manual"] = "manual"
    input_schema: dict[str, Any] | None = Field(
        None, description="JSON schema that the input of execute must satisfy."
    )


class FormSubmission(TriggerBase):
    """Started by each submission of a form."""

    type: Literal["form_submission"] = "form_submission"
    form_id: Id = Field(description="The form.")

    def key(self) -> str:
        return form_submission_key(self.form_id)


def form_submission_key(form_id: str) -> str:
    """The key of the events that a form's submissions are."""
    return f"form_submission:{form_id}"


def event_key(event_type: str, subject_id: str) -> str:
    """The key of the events of one type that concern one form, table or matter template."""
    return f"event:{event_type}:{subject_id}"


Trigger = Annotated[Manual | FormSubmission, Field(discriminator="type")]
