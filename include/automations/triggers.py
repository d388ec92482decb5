"""What starts a run: the trigger types, written flat or nested under ``config``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

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


FILTERS: Mapping[str, str] = {
    "MATTER_STEP_COMPLETED": "filterMatterTemplateId",
    "MATTER_STEP_REJECTED": "filterMatterTemplateId",
    "FORM_APPROVED": "filterFormId",
    "FORM_REJECTED": "filterFormId",
    "ROW_ADDED": "filterTableId",
    "RECORD_UPDATED": "filterTableId",
}
"""The documented types of events, with the filter that each may have."""


CONTEXT_VARIABLES = frozenset(
    {
        "matterId",
        "stepId",
        "stepName",
        "stepType",
        "templateId",
        "submissionId",
        "formId",
        "formTitle",
        "rowId",
        "tableId",
        "tableName",
    }
)
"""The documented variables of events, usable at top level too."""


class EventTrigger(TriggerBase):
    """Started by each event of a type, of any subject or of the one that the filter names."""

    type: Literal["event"] = "event"
    trigger_type: str = Field(
        pattern=r"^[A-Za-z][A-Za-z0-9_.:/-]{2,199}$",
        description=f"The type of event: {', '.join(FILTERS)}; or a name of your own, as sent to "
        "POST /api/events or given to an asset in Airflow.",
    )
    filter_matter_template_id: Id | None = Field(
        None, description="Only matters of this template; for MATTER_STEP_… events."
    )
    filter_form_id: Id | None = Field(
        None, description="Only submissions of this form; for FORM_… events."
    )
    filter_table_id: Id | None = Field(
        None, description="Only rows of this table; for ROW_ADDED and RECORD_UPDATED."
    )

    @model_validator(mode="after")
    def _filter_fits(self) -> Self:
        allowed = FILTERS.get(self.trigger_type)
        for name in sorted(self.filters().keys() - {allowed}):
            raise ValueError(f"{name} does not filter {self.trigger_type} events")
        return self

    def filters(self) -> dict[str, str]:
        """The filter that is given, by its name."""
        given = {
            "filterMatterTemplateId": self.filter_matter_template_id,
            "filterFormId": self.filter_form_id,
            "filterTableId": self.filter_table_id,
        }
        return {name: value for name, value in given.items() if value is not None}

    def key(self) -> str:
        return event_key(self.trigger_type, *self.filters().values())


def event_key(event_type: str, *subject_id: str) -> str:
    """The key of the events of one type; with a subject, of one form, table or template."""
    return ":".join(("event", event_type, *subject_id))


def matching_keys(key: str) -> tuple[str, ...]:
    """What a trigger may ask for to be started by events of a key: all of it, or any subject."""
    kind, _, rest = key.partition(":")
    event_type, _, subject = rest.rpartition(":")
    if kind == "event" and subject and event_type in FILTERS:
        return key, event_key(event_type)
    return (key,)


Trigger = Annotated[Manual | FormSubmission | EventTrigger, Field(discriminator="type")]

TRIGGER_TYPES = ("manual", "form_submission", "event")
"""The types of triggers there are."""
