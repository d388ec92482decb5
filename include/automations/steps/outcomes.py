"""The outcomes of steps: values that the engine records and acts on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from automations.domain.statuses import Decision
from automations.kit.stored import known_fields
from automations.kit.values import JSON


@dataclass(frozen=True, slots=True)
class Done:
    """The step did its work.

    Args:
        variables: workflow variables that it set, kept together with the output.
    """

    output: Mapping[str, JSON]
    variables: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Branch:
    """The step did its work and chose one of its nested step lists.

    Args:
        arm: name of the list, as in the step's config (``then``, ``else``, ``onReject``).
    """

    output: Mapping[str, JSON]
    arm: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The step did its work and ends the run here, successfully."""

    output: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """The step goes on at a moment, or earlier when the run is resumed."""

    when: datetime


@dataclass(frozen=True, slots=True)
class Question:
    """What people are asked, and how the answer is checked."""

    subject: str
    body: str
    data: JSON = None
    form: Mapping[str, JSON] | None = None
    approvers: tuple[str, ...] = ()
    quorum: int = 1
    allow_self_approval: bool = True
    remind_seconds: float | None = None
    escalate_to: tuple[str, ...] = ()
    escalate_seconds: float | None = None

    @classmethod
    def of(cls, stored: Mapping[str, JSON]) -> Question:
        """One that was stored as JSON, perhaps by a version that asked otherwise.

        Runs stay parked across upgrades: what is not known any more is left out, and what was not
        known yet is as by default.
        """
        values = known_fields(cls, stored)
        for name in ("approvers", "escalate_to"):
            values[name] = tuple(values.get(name) or ())
        return cls(**{"subject": "Your decision is needed", "body": "", **values})


@dataclass(frozen=True, slots=True)
class WaitForDecision:
    """The step goes on when people decided; after ``expires_in`` it expires."""

    question: Question
    expires_in: timedelta


@dataclass(frozen=True, slots=True)
class WaitForCallback:
    """The step goes on when its callback URL was called.

    Args:
        output: what the step has so far; handed back to ``resume``.
    """

    output: Mapping[str, JSON]
    expires_in: timedelta


@dataclass(frozen=True, slots=True)
class WaitForSubmissions:
    """The step goes on when the forms that it has sent are filled in."""

    output: Mapping[str, JSON]
    expires_in: timedelta


@dataclass(frozen=True, slots=True)
class WaitForRun:
    """The step goes on when another run has ended.

    Args:
        dag_id: of a DagRun that is no automation's; it goes on when that has come as far as wanted.
    """

    run_id: str
    dag_id: str | None = None


@dataclass(frozen=True, slots=True)
class WaitToRetry:
    """An attempt at a step in a loop's body has failed; the next one is made at a moment."""

    when: datetime


@dataclass(frozen=True, slots=True)
class Fail:
    """The step could not do its work.

    Args:
        kind: machine-readable cause, matched by the step's ``retry.on``.
        retry_after: the other side's wish for the delay before the next attempt.
        anew: of a step that has waited, whether the next attempt does its work again, and does
            not only go on with the answer once more.
    """

    error: str
    kind: str = "error"
    retryable: bool = False
    retry_after: timedelta | None = None
    output: Mapping[str, JSON] = field(default_factory=dict)
    anew: bool = False


@dataclass(frozen=True, slots=True)
class WaitInLoop:
    """A step in a loop's body waits, and the loop with it.

    Args:
        key: the idempotency key of the step that waits.
    """

    wait: Wait
    key: str


Wait = WaitUntil | WaitForDecision | WaitForCallback | WaitForSubmissions | WaitForRun | WaitToRetry
Outcome = Done | Branch | Stop | Wait | WaitInLoop | Fail


def find_wait(outcome: Outcome | None) -> Wait | None:
    """What a step that has come to this waits for; None when it does not wait.

    For a loop that is what a step in its body waits for.
    """
    if outcome is None or isinstance(outcome, Done | Branch | Stop | Fail):
        return None
    return outcome.wait if isinstance(outcome, WaitInLoop) else outcome


@dataclass(frozen=True, slots=True)
class Answer:
    """How a wait ended.

    Args:
        decision: ``approved``, ``rejected``, ``resumed``, ``elapsed`` or ``expired``.
        by: who decided, for people: an address, a key's name, ``airflow:<user>``.
        override: whether they have decided in the place of those who were asked.
        reason: why, in their own words.
    """

    decision: Decision
    by: str | None
    at: datetime
    data: JSON = None
    override: bool = False
    reason: str | None = None
