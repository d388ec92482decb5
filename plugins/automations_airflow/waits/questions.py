"""A question as Airflow's Required Actions page shows it, with its form.

Airflow's own form wants what is required of whoever rejects, too, so nothing of it is required
there: what an approval lacks is refused by us, and said where the question is asked once more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC
from typing import Any

from airflow.configuration import conf

from automations.domain.forms.schema import DISPLAY, UNTYPED
from automations.execution.verdicts import AskPeople
from automations.services.waits import questions
from automations.services.waits.answers import REASON
from automations.services.waits.questions import QuestionState
from automations.settings import get_settings
from automations.steps.outcomes import Question
from automations_airflow.ui import limits, markdown
from automations_airflow.ui.params import NOTHING

SUBJECT_LENGTH = 250


def state_of(verdict: AskPeople) -> QuestionState:
    """How a question stands, as far as that concerns the users of this Airflow."""
    return questions.state(verdict.wait_id, _users())


def request_of(verdict: AskPeople, state: QuestionState, page: str) -> dict[str, Any]:
    """What Airflow is given of a question.

    Args:
        page: where it is answered in the console, with all that its form has.
    """
    return {
        "subject": verdict.question.subject[:SUBJECT_LENGTH],
        "body": body_of(verdict, state, page),
        "options": list(verdict.options),
        "params": params_of(verdict.question),
        "assigned_users": _assigned_users(state),
    }


def _users() -> list[str]:
    """Airflow's users, where its settings name them."""
    if not conf.get("core", "auth_manager", fallback="").endswith("SimpleAuthManager"):
        return []
    listed = conf.getlist("core", "simple_auth_manager_users", fallback=[])
    return [user.partition(":")[0].strip() for user in listed]


def _assigned_users(state: QuestionState) -> list[dict[str, str]]:
    if not state.entitled:
        return []
    # It brings the answers that come by other ways.
    users = [*state.entitled, get_settings().airflow_username]
    return [{"id": user, "name": user} for user in dict.fromkeys(users)]


def body_of(verdict: AskPeople, state: QuestionState, page: str) -> str:
    """The question as Markdown: what was refused, its text, its data, and how it stands."""
    question = verdict.question
    parts = [f"> **An answer was not taken.** {markdown.plain(state.refused)}"] * bool(
        state.refused
    )
    if question.body:
        parts.append(question.body)
    if question.data is not None:
        parts.append(markdown.data(question.data))
    parts += _unshown(question.form, page)
    parts.append(" · ".join((*_facts(verdict, state), f"[Its page in the console]({page})")))
    return "\n\n".join(parts)


def _facts(verdict: AskPeople, state: QuestionState) -> Iterator[str]:
    if state.asked:
        yield f"Asked: {markdown.plain(', '.join(state.asked))}"
    if verdict.question.quorum > 1:
        yield f"{state.approvals} of {verdict.question.quorum} approvals"
    yield f"Until {verdict.expires_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _unshown(form: Mapping[str, Any] | None, page: str) -> Iterator[str]:
    """What of a form Airflow has no inputs for, and where it is filled in."""
    sections = (form or {}).get("sections", ())
    lists = [section for section in sections if section.get("repeatable")]
    fields = [
        field
        for section in sections
        if not section.get("repeatable")
        for field in section.get("fields", ())
        if field.get("type") in UNTYPED
    ]
    names = [
        *(section.get("title") or section.get("id") or "items" for section in lists),
        *(field.get("label") or field.get("key") or "a file" for field in fields),
    ]
    if not names:
        return
    quoted = ", ".join(f"“{markdown.plain(name)}”" for name in names)
    needed = any(
        (section.get("repeatableConfig") or {}).get("minItems") for section in lists
    ) or any((field.get("validation") or {}).get("required") for field in fields)
    must = " An approval needs them, and so cannot be given here." if needed else ""
    yield (
        f"*{quoted} cannot be filled in here, but on [the form's own page]({page}), to "
        f"which those who were asked have a link by mail, too, or by the API.*{must}"
    )


def params_of(question: Question) -> dict[str, Any]:
    """The fields that an answer may fill in, as Airflow's form shows them.

    Airflow shows the whole question above each section that has a title, so none has: it is said
    with the fields.
    """
    shown = list(_fields(question.form or {}))
    several = len({id(section) for section, _ in shown}) > 1
    fields = {
        field["key"]: _field(field, section.get("title") if several else None)
        for section, field in shown
    }
    why = {"type": "string", "format": "multiline"}
    return {**fields, REASON: _param("Reason", "Why it is decided so.", why)}


_TYPES: Mapping[str, Mapping[str, Any]] = {
    "number": {"type": "number"},
    "currency": {"type": "number"},
    "rating": {"type": "number"},
    "yesno": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "textarea": {"type": "string", "format": "multiline"},
}
_MANY = frozenset({"checkbox", "multiselect"})
_LIMITS = {"min": "minimum", "max": "maximum", "minLength": "minLength", "maxLength": "maxLength"}
_HELP = ("description", "helpText", "help")
_MANNERS = {"yesno": "No answer until it is switched.", "time": "Such as 09:30."}
"""What Airflow's input of a type does not show."""


def _fields(form: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    for section in form.get("sections", ()):
        if section.get("repeatable"):
            continue
        for field in section.get("fields", ()):
            if field.get("type") not in {*DISPLAY, *UNTYPED} and field.get("key"):
                yield section, field


def _field(field: Mapping[str, Any], section: str | None) -> dict[str, Any]:
    options = field.get("options") or ()
    values = [option["value"] for option in options]
    labels = {option["value"]: option["label"] for option in options if option.get("label")}
    rules = field.get("validation") or {}
    if field.get("type") in _MANY:
        schema: dict[str, Any] = {"type": "array", "items": {"type": "string"}, "examples": values}
    else:
        schema = dict(_TYPES.get(field.get("type", ""), {"type": "string"}))
        if values:
            schema["enum"] = values
        fitting = ("min", "max") if schema["type"] == "number" else ("minLength", "maxLength")
        schema |= {_LIMITS[name]: rules[name] for name in fitting if rules.get(name) is not None}
    if labels:
        schema["values_display"] = labels
    described = " ".join(_help(field, schema, required=bool(rules.get("required"))))
    label = field.get("label") or field["key"]
    label = f"{section}: {label}" if section else label
    return _param(label, described or None, limits.split_limits(schema))


def _help(field: Mapping[str, Any], schema: Mapping[str, Any], *, required: bool) -> Iterable[str]:
    if required:
        yield "Needed to approve."
    yield from (text for name in _HELP if isinstance(text := field.get(name), str) and text)
    if manner := _MANNERS.get(field.get("type", "")):
        yield manner
    if bounds := limits.describe(schema):
        yield bounds


def _param(title: str, description: str | None, schema: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {**schema, "title": title, "type": [schema["type"], "null"]}
    if "enum" in schema:
        shown["enum"] = [*schema["enum"], None]
        shown["values_display"] = {**schema.get("values_display", {}), **NOTHING}
    return {"value": None, "description": description, "schema": shown}
