"""Which part of a draft is open next to its flow, and its name in addresses and forms."""

from __future__ import annotations

from dataclasses import dataclass

from automations.definitions import editing
from automations.definitions.editing import LocatedStep, Position, position_of
from automations.errors import NotFound

WHOLE = ("trigger", "settings", "yaml", "sample", "trial")
_STEP, _ADD = "step.", "add."


@dataclass(frozen=True, slots=True)
class OpenPanel:
    """What is open: one of ``WHOLE``, a step, or a place for a new one."""

    name: str
    placed: LocatedStep | None = None
    spot: Position | None = None

    @property
    def kind(self) -> str:
        """Which of these it is: ``step``, ``add``, or its name."""
        if self.placed is not None:
            return "step"
        return self.name if self.spot is None else "add"


def panel_name(step_id: str) -> str:
    """How a step is named."""
    return f"{_STEP}{step_id}"


def panel_at(definition: editing.Draft, written: str) -> OpenPanel:
    """What is open; the trigger where what was asked for is not there any more."""
    if written in WHOLE:
        return OpenPanel(written)
    try:
        if written.startswith(_STEP):
            return OpenPanel(written, editing.find(definition, written.removeprefix(_STEP)))
        if written.startswith(_ADD):
            spot = position_of(written.removeprefix(_ADD))
            if not spot.owner or editing.find(definition, spot.owner):
                return OpenPanel(written, spot=spot)
    except NotFound:
        pass
    return OpenPanel("trigger")
