"""The base class of step types: a config model, metadata, and a synchronous ``run``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from automations.domain.fields import Model, is_template
from automations.kit.values import JSON
from automations.ports import HostConnection, Ports
from automations.steps.outcomes import Answer, Outcome

if TYPE_CHECKING:
    # At run time it is the union of the registry's step models: see automations.definitions.model.
    Step = Any


class Subject(StrEnum):
    """The kinds of things that a step's config may name by id."""

    FORM = "form"
    TABLE = "table"
    ROW = "row"
    DOCUMENT_TEMPLATE = "document template"
    BOARD = "matter template"
    DOCUMENT = "document"
    AUTOMATION = "automation"
    MEMBER = "member"


def _no_body(config: Any, items: list[JSON]) -> Outcome:
    raise TypeError("this step has no body to repeat")


def _none_there(conn_id: str) -> HostConnection:
    raise TypeError("this step's host has no connections")


@dataclass(frozen=True, slots=True)
class StepContext:
    """What a step may know and use while it runs.

    Args:
        idempotency_key: the same for every attempt at an effect; another one after a clear.
        attempt: 1 for the first attempt.
        render: renders one text with the run's names; ``missing_ok`` returns None for a missing
            one, ``kind`` is the kind of document that the text is part of.
        connection: returns a connection of the host; its secrets are masked from then on.
        kept: on resume, the step's output when it began to wait.
        iterate: runs the steps of a loop's config for each of some items.
        traceparent: the trace that the step belongs to, for services that continue it.
        timezone: the automation's own time zone.
        say: writes a line into the step's log; None when nobody reads it.
    """

    run_id: str
    workflow_id: str
    workspace_id: str
    node_id: str
    step_name: str
    idempotency_key: str
    attempt: int
    now: datetime
    timeout: timedelta
    ports: Ports
    render: Callable[..., JSON]
    connection: Callable[[str], HostConnection] = _none_there
    kept: Mapping[str, JSON] = field(default_factory=dict)
    iterate: Callable[[Any, list[JSON]], Outcome] = _no_body
    traceparent: str | None = None
    timezone: str = "UTC"
    say: Callable[[str], None] | None = None


EXAMPLE_INPUT: Mapping[str, JSON] = {
    "name": "Ada",
    "email": "ada@example.com",
    "amount": 1200,
    "days": 2,
}
"""An input with which the examples of all step types can run."""

C = TypeVar("C", bound=Model)


class StepType(ABC, Generic[C]):
    """One step type; the registry finds the single public subclass of each module."""

    type: ClassVar[str]
    title: ClassVar[str]
    Config: ClassVar[Any]
    example: ClassVar[Mapping[str, JSON]]
    """A config for the documentation and for tests; its templates only use ``EXAMPLE_INPUT``."""
    outputs: ClassVar[Mapping[str, str]] = {}
    """Descriptions of its output's fields, for the documentation."""
    arms: ClassVar[tuple[str, ...]] = ()
    """Names of the config's nested step lists; the outcome may choose one of them."""
    body: ClassVar[tuple[str, ...]] = ()
    """Names of the config's nested step lists that run inside this step's own task."""
    repeats_for: ClassVar[str | None] = None
    """The config's field with the items to repeat the body for; it is rendered only once."""
    falls_through: ClassVar[bool] = True
    """Whether a successful run may go on without taking an arm."""
    keeps: ClassVar[bool] = False
    """Whether its config is stored where members can read it, so that it must not name a secret."""
    pauses: ClassVar[bool] = False
    """Whether the step always parks the run; its operator is then a sensor."""

    heavy: ClassVar[bool] = False
    """Whether it always runs in its own task, since it may take minutes or many resources."""

    def calls_back(self, config: C) -> bool:
        """Whether the step hands out ``{{callback.url}}`` and waits for it to be called."""
        return False

    def is_idempotent(self, config: C) -> bool:
        """Whether a repeat under the same idempotency key changes nothing and gives the same.

        A loop records many such steps at once, but any other step before it goes on.
        """
        return False

    def waits(self, config: C) -> bool:
        """Whether the step may park the run."""
        return self.pauses or self.calls_back(config)

    timeout: ClassVar[timedelta] = timedelta(minutes=5)
    """Its timeout, unless the definition has one."""

    refers_to: ClassVar[Mapping[str, Subject]] = {}
    """The config's fields that hold ids, and of what; ``attachments.document_id`` for parts of a
    list."""

    def unavailable(self, config: C, workspace_id: str, ports: Ports) -> str | None:
        """Why a step cannot run in this installation; asked when its automation is activated."""
        conn_id: str | None = getattr(config, "conn_id", None)
        if conn_id is None or is_template(conn_id):
            return None
        return ports.connections.forbidden(workspace_id, conn_id)

    @abstractmethod
    def run(self, config: C, ctx: StepContext) -> Outcome:
        """Do the work once; every outside effect carries ``ctx.idempotency_key``."""

    def resume(self, config: C, ctx: StepContext, answer: Answer) -> Outcome:
        """Go on after a wait of this step has ended."""
        raise TypeError(f"{self.type} does not wait")  # a wait is only made by types that resume

    def overridden(self, answer: Answer) -> dict[str, JSON]:
        """The step's output if somebody marks it as done while it waits."""
        return {"decidedBy": answer.by, "override": True}
