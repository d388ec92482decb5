"""Boards and matters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel

from automations.domain.fields import Lenient, Whole
from automations.domain.statuses import MatterStatus, MatterStepStatus, RunStatus
from automations.kit.ids import new_id
from automations.kit.titles import NOT_BLANK

BoardType = Literal["PROCESS", "PIPELINE", "KANBAN"]
StepKind = Literal[
    "FORM", "APPROVAL", "DOCUMENT", "SIGN_DOCUMENTS", "TASK", "REVIEW", "UPLOAD", "PAYMENT",
    "NOTIFICATION", "INTEGRATION",
]  # fmt: skip
Priority = Literal["LOW", "MEDIUM", "HIGH", "URGENT"]
Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=NOT_BLANK),
]
Tag = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=NOT_BLANK),
]
MAX_TAGS = 50


def _each_once(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tags))


Tags = Annotated[list[Tag], Field(max_length=MAX_TAGS), AfterValidator(_each_once)]
"""What a matter is found by, each once."""


class _Part(Lenient):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class BoardStep(_Part):
    """One step of a board."""

    id: str = Field(
        default_factory=new_id,
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="Stays the same over changes of the board; made when absent.",
    )
    name: Title = Field(description="What it is called.")
    type: StepKind = Field(description="What is to be done in it.")
    order: Annotated[Whole, Field(ge=0, le=1_000_000)] | None = Field(
        None, description="Its place among the steps; the place in the list when absent."
    )


class Board(_Part):
    """A board: what a matter made from it goes through."""

    name: Title = Field(description="What it is called.")
    description: str = Field("", max_length=5_000)
    board_type: BoardType = Field("PROCESS", description="How people look at it.")
    steps: list[BoardStep] = Field(min_length=1, max_length=200)

    @model_validator(mode="after")
    def _steps_differ(self) -> Self:
        for what, values in (
            ("id", [step.id for step in self.steps]),
            ("order", [step["order"] for step in self.numbered_steps()]),
        ):
            twice = [value for value, count in Counter(values).items() if count > 1]
            if twice:
                raise ValueError(f"several steps have the {what} {twice[0]}")
        return self

    def numbered_steps(self) -> list[dict[str, Any]]:
        """The steps as JSON, in their order."""
        steps = [
            {**step.model_dump(), "order": index if step.order is None else step.order}
            for index, step in enumerate(self.steps)
        ]
        return sorted(steps, key=lambda step: int(step["order"]))


@dataclass(frozen=True, slots=True)
class MatterTemplate:
    """A board that matters are made from."""

    id: str
    name: str
    description: str
    board_type: str
    steps: Sequence[Mapping[str, Any]]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Matter:
    """A matter without its steps."""

    id: str
    number: int
    template_id: str
    title: str
    status: MatterStatus
    priority: str
    tags: Sequence[str]
    assignee_id: str | None
    properties: Mapping[str, Any]
    current_step_id: str | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class MatterStep:
    """One step of a matter, and what was decided on it."""

    id: str
    template_step_id: str
    name: str
    type: str
    order: int
    status: MatterStepStatus
    decided_by: str | None
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class MatterDetail:
    """A matter with its steps in their order."""

    matter: Matter
    steps: Sequence[MatterStep]


@dataclass(frozen=True, slots=True)
class Card:
    """An active matter on its board: with the step that it is in, and who is in charge."""

    matter: Matter
    step: MatterStep
    assignee: str | None


@dataclass(frozen=True, slots=True)
class Lane:
    """A step of a board with the matters that are in it.

    Args:
        id: of the board's step.
        cards: the first of them.
        count: how many they are.
    """

    id: str
    name: str
    type: str
    cards: Sequence[Card]
    count: int


@dataclass(frozen=True, slots=True)
class Consequence:
    """An event that a matter was, and the runs that it has started."""

    event_id: str
    type: str
    step: str
    at: datetime
    runs: Sequence[StartedRun]


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run that was started by an event."""

    id: str
    workflow_name: str
    status: RunStatus


def number_text(number: int) -> str:
    """A matter's number as people write it."""
    return f"MAT-{number:04d}"
