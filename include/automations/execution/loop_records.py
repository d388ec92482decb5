"""The records that a loop keeps of its steps and iterations, and their JSON in the database.

Loops that were parked before an upgrade go on from that JSON: new fields need a default, and
existing ones keep their meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from automations.kit.values import JSON


@dataclass(frozen=True, slots=True)
class StepEnded:
    """The result of a step of an iteration.

    Args:
        arm: the one of its nested step lists that it chose.
        stop: whether it ends the iteration.
    """

    output: JSON
    arm: str | None = None
    stop: bool = False


@dataclass(frozen=True, slots=True)
class NextAttempt:
    """All attempts at a step so far have failed, and another is due.

    Args:
        number: of the attempt that is due.
    """

    number: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class ItemDone:
    """An iteration came to its end.

    Args:
        output: that of its last step.
    """

    output: JSON


@dataclass(frozen=True, slots=True)
class ItemFailed:
    """An iteration failed, and the loop goes on all the same."""

    message: str
    kind: str

    def to_json(self) -> dict[str, JSON]:
        """The failure as the loop's output shows it."""
        return {"message": self.message, "kind": self.kind}


StepRecord = StepEnded | NextAttempt
ItemRecord = ItemDone | ItemFailed


def serialize(record: StepRecord | ItemRecord) -> dict[str, JSON]:
    """A record as JSON."""
    match record:
        case StepEnded(output, arm, stop):
            chosen = {} if arm is None else {"arm": arm}
            return {"output": output, **chosen, **({"stop": True} if stop else {})}
        case NextAttempt(number, due_at):
            return {"attempt": number, "dueAt": due_at.isoformat()}
        case ItemDone(output):
            return {"output": output}
        case ItemFailed():
            return {"error": record.to_json()}
        case _:
            assert_never(record)


def step_record(stored: Mapping[str, JSON]) -> StepRecord:
    """Read the stored record of a step."""
    if "attempt" in stored:
        return NextAttempt(stored["attempt"], datetime.fromisoformat(stored["dueAt"]))
    return StepEnded(stored.get("output"), stored.get("arm"), bool(stored.get("stop")))


def item_record(stored: Mapping[str, JSON]) -> ItemRecord:
    """Read the stored record of an iteration that has ended."""
    if "error" in stored:
        error = stored["error"]
        return ItemFailed(error.get("message", ""), error.get("kind", "error"))
    return ItemDone(stored.get("output"))
