"""The ports for forms, notifications and matters: what people are asked and told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class FormRequest:
    """A form to be filled in by some people, each by a link of their own.

    Args:
        wait_for: ``all`` or ``any`` of them end the step's pause; None when it does not wait.
        key: idempotency key; a repeat sends nothing again.
    """

    workspace_id: str
    run_id: str
    form_id: str
    recipients: tuple[str, ...]
    subject: str
    message: str
    prefill: Mapping[str, Any]
    wait_for: str | None
    expires_in: timedelta
    remind_every: timedelta | None
    key: str


@dataclass(frozen=True, slots=True)
class FormAnswer:
    """Where one recipient of a form stands."""

    recipient: str
    submission_id: str | None
    submitted_at: datetime | None
    data: Mapping[str, Any] | None


class Forms(Protocol):
    """Sends forms to people and knows what they answered."""

    def send(self, request: FormRequest) -> None:
        """Send the form; raises StepError when there is no such form."""
        ...

    def answers(self, key: str) -> list[FormAnswer]:
        """Everybody who was sent a form under this key, by address."""
        ...


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell people in the product.

    Args:
        user_ids: ids of members; None tells the automation's owner.
        key: idempotency key; a repeat tells nobody again.
    """

    workspace_id: str
    workflow_id: str
    key: str
    user_ids: tuple[str, ...] | None
    title: str
    message: str
    link: str | None


@dataclass(frozen=True, slots=True)
class NoticeReceipt:
    """The notifications that were made, and whose they are, in the same order."""

    notification_ids: tuple[str, ...]
    user_ids: tuple[str, ...]


class Notifier(Protocol):
    """Tells people something in the product; raises StepError when it knows one of them not."""

    def notify(self, notice: Notice) -> NoticeReceipt: ...


@dataclass(frozen=True, slots=True)
class NewMatter:
    """A matter to make from a board."""

    template_id: str
    title: str
    tags: tuple[str, ...] = ()
    priority: str = "MEDIUM"
    assignee_id: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MatterReceipt:
    """The matter that was made, with its steps in their order; the first one is the current."""

    matter_id: str
    number: str
    step_ids: tuple[str, ...]


class MatterRegister(Protocol):
    """Makes matters; raises StepError when the board or the assignee is not there."""

    def create(
        self, matter: NewMatter, *, workspace_id: str, run_id: str, key: str
    ) -> MatterReceipt:
        """Make the matter once for each idempotency key."""
        ...
