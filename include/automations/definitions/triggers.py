"""The trigger types, written flat or nested under ``config``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from automations.definitions.schedules import Schedule, check_cron, check_interval
from automations.domain.fields import Duration, Model, Zone, is_template, parse_duration
from automations.kit.ids import PATTERN

Id = Annotated[str, Field(pattern=PATTERN)]

HIDDEN = "********"
"""Stands in answers for a secret; written back, it keeps the one there is."""

MAX_REPLY = timedelta(seconds=30)
"""Proxies and senders of webhooks give up a little later."""


class TriggerBase(Model):
    """A trigger; reads both shapes and writes both."""

    type: str

    @model_validator(mode="before")
    @classmethod
    def _flatten(cls, value: Any) -> Any:
        if isinstance(value, dict) and "config" in value:
            # As any other field that may be absent it may be null, too.
            config = {} if value["config"] is None else value["config"]
            if not isinstance(config, dict):
                raise ValueError("config must be an object")
            flat = {key: item for key, item in value.items() if key != "config"}
            for key in sorted(flat.keys() & config.keys()):
                # What answers show has both; whoever changes one of them means that one.
                if flat[key] != config[key]:
                    raise ValueError(f"{key} and config.{key} say different things")
            return {**flat, **config}
        return value

    def key(self) -> str | None:
        """What an event must carry to start the automation; None when no event does."""
        return None

    def key_of(self, workflow_id: str) -> str | None:
        """The same, where only events that are meant for this one automation start it."""
        return self.key()

    def as_json(self) -> dict[str, Any]:
        """The flat fields and, beside them, the same under ``config``."""
        flat = self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"type"})
        if "secret" in flat:
            flat["secret"] = HIDDEN
        return {"type": self.type, **flat, "config": flat}


class Manual(TriggerBase):
    """Started manually, in the API or in Airflow."""

    type: Literal["manual"] = "manual"
    input_schema: dict[str, Any] | None = Field(
        None,
        description="JSON schema that the input of every run must satisfy, whatever starts it; "
        "the formats `date` and `date-time` are checked. Airflow's Trigger dialog "
        "shows its properties as a form, using `title`, `description`, `default`, "
        "`enum` (with labels in `enumNames`, or as `oneOf` of `const` and `title`; "
        "several values may be chosen for a list's `items`), limits, `section` and "
        "the format `multiline`; inputs left empty there are absent.",
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
    "TABLE_SYNCED": "filterTableId",
}
"""The documented types of events, with the filter that each may have."""

SYNCED = "TABLE_SYNCED"
"""The type of the one event that a pipeline's sync is for each table that it has changed.

It starts, too, who listens to rows that were added, or changed, if any were.
"""


RESERVED_TYPES = frozenset({*FILTERS, "FORM_SUBMITTED", "RUN_FAILED", "WEBHOOK", "ASSET"})
"""The types of events that the product itself tells of: from others they would be forged."""

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


EVENT_TYPE = r"^[^\s\x00-\x1f\x7f]{1,200}$"
"""What an event's type may be: CloudEvents allow any text."""
_IN_CAPITALS = re.compile(r"[A-Z0-9_]+", re.ASCII)
_OF_ANOTHER_KIND = re.compile(r"[.:/]")
_MIN_SIMILARITY = 0.85
"""Of two names' letters, from which on one may be meant for the other."""


def _known_or_own(value: str) -> str:
    if _literal(value) in FILTERS:
        return value
    names = {name.replace("_", "").lower(): name for name in FILTERS}
    letters = re.sub(r"[\W_]", "", value).lower()
    meant = difflib.get_close_matches(letters, names, 1, _MIN_SIMILARITY)
    in_our_way = is_reserved(value) or _IN_CAPITALS.fullmatch(value)
    if not in_our_way and (not meant or _OF_ANOTHER_KIND.search(value)):
        return value
    if meant:
        raise ValueError(f"is no type of event: did you mean {names[meant[0]]}?")
    filter_names = ", ".join(FILTERS)
    raise ValueError(f"is none of {filter_names}, and a name of your own is like com.example.paid")


class EventTrigger(TriggerBase):
    """Started by each event of a type, for any subject or only for the one in the filter."""

    type: Literal["event"] = "event"
    trigger_type: Annotated[str, AfterValidator(_known_or_own)] = Field(
        pattern=EVENT_TYPE,
        description=f"The type of event: {', '.join(FILTERS)}; or a name of your own, as sent to "
        "POST /api/events or given to an asset in Airflow. To catch misspellings, a name of your "
        "own must not look like those: it contains a dot, as in com.example.paid, or not only "
        "capitals.",
    )
    filter_matter_template_id: Id | None = Field(
        None, description="Only matters of this template; for MATTER_STEP_… events."
    )
    filter_form_id: Id | None = Field(
        None, description="Only submissions of this form; for FORM_… events."
    )
    filter_table_id: Id | None = Field(
        None, description="Only rows of this table; for ROW_ADDED, RECORD_UPDATED, TABLE_SYNCED."
    )

    @model_validator(mode="after")
    def _filter_fits(self) -> Self:
        allowed = FILTERS.get(self.trigger_type)
        for name in sorted(self.filters().keys() - {allowed}):
            raise ValueError(f"{name} does not filter {self.trigger_type} events")
        return self

    def filters(self) -> dict[str, str]:
        """The filter that is given, by its name."""
        filters_by_name = {
            "filterMatterTemplateId": self.filter_matter_template_id,
            "filterFormId": self.filter_form_id,
            "filterTableId": self.filter_table_id,
        }
        return {name: value for name, value in filters_by_name.items() if value is not None}

    def key(self) -> str:
        return event_key(self.trigger_type, *self.filters().values())


def event_key(event_type: str, *subject_id: str) -> str:
    """The key of the events of one type; with a subject, of one form, table or template."""
    return ":".join(("event", event_type, *subject_id))


def is_reserved(event_type: str) -> bool:
    """Whether nobody but the product may send events of a type.

    Also where a subject is written into the type, as the keys of our own events have it.
    """
    return not RESERVED_TYPES.isdisjoint(event_type.split(":"))


def sync_key(table_id: str, *, added: bool, updated: bool) -> str:
    """The key of a sync's event: it is of several types at once."""
    kinds = [SYNCED, *["ROW_ADDED"] * added, *["RECORD_UPDATED"] * updated]
    return event_key(":".join(kinds), table_id)


def matching_keys(key: str) -> tuple[str, ...]:
    """What a trigger may ask for to be started by events of a key: all of it, or any subject."""
    kind, _, rest = key.partition(":")
    types, _, subject = rest.rpartition(":")
    event_types = types.split(":")
    if kind == "event" and subject and FILTERS.keys() >= set(event_types):
        pairs = [
            (event_key(event_type, subject), event_key(event_type)) for event_type in event_types
        ]
        return tuple(key for pair in pairs for key in pair)
    return (key,)


def data_for(trigger_key: str | None, event_type: str, data: dict[str, Any]) -> dict[str, Any]:
    """An event's data for the automation that a key belongs to: of a sync, the rows it asks for."""
    if event_type != SYNCED or trigger_key is None:
        return data
    change_type = trigger_key.split(":")[1]
    change = {"ROW_ADDED": "created", "RECORD_UPDATED": "updated"}.get(change_type)
    if change is None:
        return data
    rows = data[f"{change}RowIds"]
    return {**data, "rowId": rows[0], "rowIds": rows, "count": data[change]}


def _literal(value: str) -> str:
    if is_template(value):
        raise ValueError("must not be a template: no run is there yet to fill it")
    return value


LiteralZone = Annotated[Zone, AfterValidator(_literal)]
"""An IANA time zone's name, and no template."""


def _reply_in_time(value: str) -> str:
    if parse_duration(value) > MAX_REPLY:
        raise ValueError("must be PT30S at most")
    return value


class WebhookTrigger(TriggerBase):
    """Started by each delivery to the automation's own URL, which its administrators can see.

    A delivery is accepted whether Airflow is up or not, and once for each id from its sender
    (`webhook-id`, `svix-id`, `X-GitHub-Delivery`, Stripe's event id, `Idempotency-Key`,
    `x-amz-sns-message-id`). GitHub signs only the body: the same body under another id is the same
    delivery. While the automation is not ACTIVE, deliveries are accepted and recorded, but start
    nothing.
    """

    type: Literal["webhook"] = "webhook"
    verification: Literal["standard", "github", "stripe", "header", "none"] = Field(
        "none",
        description="How a delivery is verified: by the signature of Standard Webhooks (in "
        "`webhook-` headers, or in Svix's `svix-`), of GitHub or of Stripe, by a "
        "secret in a header, or not at all (the URL itself is a secret).",
    )
    secret: str | None = Field(
        None,
        min_length=8,
        max_length=3_000,
        description="Secret that the sender signs with, or sends in the header; or "
        "{{secret.NAME}}. Never shown again.",
    )
    header: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9-]{1,64}$",
        description="Header that contains the secret, for verification `header`; X-Webhook-Secret "
        "by default.",
    )
    respond: Literal["accepted", "result"] = Field(
        "accepted",
        description="Whether to answer as soon as the delivery is recorded, or when the run has "
        "ended.",
    )
    respond_timeout: Annotated[Duration, AfterValidator(_reply_in_time)] = Field(
        "PT10S", description="How long to wait for the end of the run, PT30S at most."
    )

    @model_validator(mode="after")
    def _secret_fits(self) -> Self:
        if (self.verification == "none") != (self.secret is None):
            requirement = "must be absent" if self.secret else "is required"
            raise ValueError(f"secret {requirement} for verification '{self.verification}'")
        if self.header is not None and self.verification != "header":
            raise ValueError("header is for verification 'header' only")
        return self

    def key_of(self, workflow_id: str) -> str:
        return webhook_key(workflow_id)


def webhook_key(workflow_id: str) -> str:
    """The key of the events that the deliveries to an automation's URL are."""
    return f"webhook:{workflow_id}"


def error_key(workflow_id: str) -> str:
    """The key of the events that the failures are which an error workflow is started by."""
    return f"error:{workflow_id}"


class ScheduleTrigger(TriggerBase):
    """Started by a schedule."""

    type: Literal["schedule"] = "schedule"
    cron: Annotated[str, Field(max_length=200), AfterValidator(check_cron)] | None = Field(
        None,
        description="Five fields: minute, hour, day of month, month, day of week, as wall-clock "
        "time in the time zone. When clocks go forward, a time that does not exist is "
        "due later by the length of the jump. When they go back, a time that occurs "
        "twice is due only the first time, unless the schedule is due every hour: "
        "then it continues every hour.",
    )
    interval: Annotated[str, AfterValidator(check_interval)] | None = Field(
        None,
        description="Instead of cron: an ISO 8601 duration, PT1M at least. Counts elapsed time "
        "from midnight of 1970-01-01 in the time zone, so PT15M is due at each "
        "quarter of an hour.",
    )
    timezone: LiteralZone | None = Field(
        None,
        description="An IANA time zone such as Europe/Warsaw; by default the automation's own, or "
        "else UTC.",
    )
    overlap: Literal["skip", "queue", "allow"] = Field(
        "skip",
        description="What happens to a run that comes due while another run of the automation has "
        "not ended (waiting runs included): it is CANCELLED with the reason, it waits "
        "for its turn (then all runs of the automation run one by one), or it runs in "
        "parallel.",
    )
    catchup: bool = Field(
        False,
        strict=True,
        description="Whether all times that were missed while Airflow was down are made up for, "
        "or only the latest. Times while the automation was not ACTIVE are never made "
        "up for.",
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.cron is None) == (self.interval is None):
            raise ValueError("either cron or interval is required")
        return self

    def schedule(self, timezone: str | None) -> Schedule:
        """When it is due.

        Args:
            timezone: the automation's own, which holds when the trigger names none.
        """
        return Schedule(self.cron, self.interval, self.timezone or timezone or "UTC")


Trigger = Annotated[
    Manual | FormSubmission | EventTrigger | WebhookTrigger | ScheduleTrigger,
    Field(discriminator="type"),
]

TRIGGERS: Mapping[str, type[TriggerBase]] = {
    "manual": Manual,
    "form_submission": FormSubmission,
    "event": EventTrigger,
    "webhook": WebhookTrigger,
    "schedule": ScheduleTrigger,
}
"""The models of triggers, by their types."""

TRIGGER_TYPES = tuple(TRIGGERS)

BY_EVENTS = ("form_submission", "event", "webhook")
"""Those whose runs are started by events in the inbox."""
