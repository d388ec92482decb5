"""A workspace in which a step of every type does its work, for tests against the database."""

from __future__ import annotations

from typing import Any

from automations.execution.verdicts import TaskRef
from tests.e2e.counterparts import Counterparts
from tests.servers.mailbox import Mailbox
from tests.step_world import World


class Place(World):
    """The same, with the servers at hand."""

    def __init__(self, mailbox: Mailbox, counterparts: Counterparts) -> None:
        super().__init__(mailbox, counterparts)
        self.counterparts = counterparts


def begun(place: World, kind: str, config: dict[str, Any]) -> TaskRef:
    """A run of an automation with one step."""
    workflow = place.automation(kind, config)
    return TaskRef(place.start(workflow), workflow, 1, "step")
