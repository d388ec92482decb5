"""Which part of a draft is open beside its flow, and how addresses and forms name it."""

from __future__ import annotations

from dataclasses import dataclass

from automations.definitions import editing
from automations.definitions.editing import Placed, Spot, spot_of
from automations.errors import NotFound

WHOLE = ("trigger", "settings", "yaml", "sample", "trial")
_STEP, _ADD = "step.", "add."


@dataclass(frozen=True, slots=True)
class Open:
    """What is open: one of ``WHOLE``, a step, or a place for a new one."""

    name: str
    placed: Placed | None = None
    spot: Spot | None = None

    @property
    def kind(self) -> str:
        """Which of these it is: ``step``, ``add``, or its name."""
        if self.placed is not None:
            return "step"
        return self.name if self.spot is None else "add"


def of_step(step_id: str) -> str:
    """How a step is named."""
    return f"{_STEP}{step_id}"


def opened(definition: editing.Draft, written: str) -> Open:
    """What is open; the trigger where what was asked for is not there any more."""
    if written in WHOLE:
        return Open(written)
    try:
        if written.startswith(_STEP):
            return Open(written, editing.find(definition, written.removeprefix(_STEP)))
        if written.startswith(_ADD):
            spot = spot_of(written.removeprefix(_ADD))
            if not spot.owner or editing.find(definition, spot.owner):
                return Open(written, spot=spot)
    except NotFound:
        pass
    return Open("trigger")
