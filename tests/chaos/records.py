"""What those outside have on record of a stack: who asked for what, and what has reached them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

EFFECT = re.compile(r"[0-9a-z]+(/[^/]+)+")
"""How a step of ours names an effect: ``{{run.id}}/Step``, in a loop with the index behind it."""


@dataclass(frozen=True)
class Kind:
    """One automation, and what each of its runs comes to.

    Args:
        steps: node ids by the names of steps.
        effects: what reaches counterparts, without the run's id: ``Step`` or ``Step/index``.
        children: how many runs each run starts.
        rows: how many rows of ``table`` carry each run's id.
        documents: how many documents each run makes.
        waits: its runs are left waiting, for nobody answers them.
        follows: the table whose rows start its runs, each row one.
    """

    name: str
    workflow: str
    steps: Mapping[str, str] = field(default_factory=dict)
    effects: tuple[str, ...] = ()
    children: int = 0
    rows: int = 0
    documents: int = 0
    waits: bool = False
    follows: str | None = None


@dataclass(frozen=True)
class Trigger:
    """Something that was accepted, and starts runs.

    Args:
        mark: is in what it carried, and so in what its runs were given.
        workflows: the automations that it matches.
        key: its ``Idempotency-Key``, if it had one.
        told: the ids of runs that the answers named, one for each time that it was sent.
    """

    mark: str
    workflows: tuple[str, ...]
    key: str | None = None
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class Effect:
    """What has reached a counterpart: a request, a mail.

    Args:
        name: by the step itself: see ``EFFECT``.
        key: the idempotency key, or what is made of it: a Message-ID.
        at: when it came, in seconds of the epoch.
    """

    name: str
    key: str | None
    at: float

    @property
    def run(self) -> str:
        return self.name.partition("/")[0]

    @property
    def of_run(self) -> str:
        """The name without the run's id."""
        return self.name.partition("/")[2]

    @property
    def step(self) -> str:
        return self.of_run.partition("/")[0]


@dataclass(frozen=True)
class Answer:
    """An answer that somebody gave to a run's question, and whether they were told it counts."""

    run: str
    decision: str
    accepted: bool


@dataclass
class Records:
    """All of it."""

    kinds: list[Kind] = field(default_factory=list)
    triggers: list[Trigger] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """Processes, files and connections that should not be there any more."""
