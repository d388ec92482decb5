"""The descriptions of an automation and its steps on Airflow's pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from automations.definitions.model import Definition, nested_lists
from automations.definitions.published import Published
from automations.definitions.triggers import (
    EventTrigger,
    FormSubmission,
    ScheduleTrigger,
    WebhookTrigger,
)
from automations.steps.registry import STEP_TYPES

MAX_ROWS = 200
"""Of the table of steps."""


def trigger_in_words(published: Published, definition: Definition) -> str:
    """What starts the automation, as short as in a column of a list."""
    trigger = definition.trigger
    match trigger:
        case ScheduleTrigger():
            due = trigger.schedule(definition.timezone)
            return f"{due.cron or due.interval}, {due.timezone}"
        case EventTrigger():
            subject = published.subject or next(iter(trigger.filters().values()), None)
            return f"on {trigger.trigger_type}" + (f" of {subject}" if subject else "")
        case FormSubmission():
            return f"on submissions of {published.subject or trigger.form_id}"
        case WebhookTrigger():
            return "webhook"
    return "by hand"


def dag_doc(published: Published, description: str, words: str, url: str) -> str:
    """The text above an automation's runs, without its steps."""
    facts = [
        f"Version {published.version} of [this automation]({url})",
        str(published.status),
        f"workspace {_plain(published.workspace)}" if published.workspace else "",
        f"started: {_plain(words)}",
        f"ask {_plain(published.owner)}" if published.owner else "",
    ]
    if published.edited_by and published.edited_at:
        facts.append(f"last edit by {_plain(published.edited_by)} on {published.edited_at[:10]}")
    text = " · ".join(fact for fact in facts if fact)
    return f"{description}\n\n{text}" if description else text


def steps_table(definition: Definition) -> str:
    """All steps of an automation, those that lie in others and disabled ones, too."""
    rows = [*_rows(definition.steps, "", "")]
    left_out = [f"| | … {len(rows) - MAX_ROWS} more | |"] * (len(rows) > MAX_ROWS)
    lines = ["| | step | type |", "|---|---|---|", *rows[:MAX_ROWS], *left_out]
    return "\n\n" + "\n".join(lines) if rows else ""


def _rows(steps: list[Any], number: str, where: str) -> Iterator[str]:
    for place, step in enumerate(sorted(steps, key=lambda step: step.order), 1):
        path = f"{number}{place}"
        off = " (disabled)" if step.disabled else ""
        yield f"| {path} | {where}{_plain(step.name)}{off} | {step.type} |"
        for arm, _, nested in nested_lists(step):
            yield from _rows(nested, f"{path}.", f"{arm}: ")


def task_doc(step: Any) -> str:
    """What a step does, and what is said in its configuration; no value of it."""
    kind, config = STEP_TYPES[step.type], step.config
    parameters = [
        field.alias or name
        for name, field in type(config).model_fields.items()
        if name in config.model_fields_set
    ]
    text = f"**{kind.title}** (`{step.type}`): {(kind.__doc__ or '').partition(chr(10))[0]}"
    text = f"{text}\n\n{_attempts(step)}"
    return f"{text}\n\nConfigured: {', '.join(parameters)}." if parameters else text


def _attempts(step: Any) -> str:
    """How often it is tried, beside which Airflow shows how often it would begin a process."""
    max_attempts = step.retry.max_attempts if step.retry else 1
    times = "once" if max_attempts == 1 else f"{max_attempts} times at most"
    return (
        f"It is attempted {times}; the more retries that Airflow shows are for processes that are "
        "lost and databases that are away."
    )


def _plain(text: str) -> str:
    """A text of somebody's in one line, without marks of Markdown's."""
    words = " ".join(text.split())[:200]
    return "".join(f"\\{mark}" if mark in "\\`*_[]<>#|" else mark for mark in words)
