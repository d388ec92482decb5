"""One step of a trial: attempted with ports that have no effect, its pause ended by a sample.

Secrets are looked up and never used: where one is named, ``***`` stands for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from automations.db.tables import Run
from automations.domain.statuses import Decision
from automations.errors import StepError
from automations.execution.attempt import Attempt
from automations.execution.attempts import Attempts
from automations.execution.dry_run_ports import Effect, dry_run
from automations.execution.journal import Journal
from automations.execution.pauses import pause_of
from automations.execution.recording import fail_output, output_of
from automations.execution.trial_data import enter_alone
from automations.kit import common_clock
from automations.kit.masking import MASK
from automations.kit.values import JSON
from automations.ports import HostConnection, Ports
from automations.services.integrations import secrets
from automations.services.workflows.definitions import Loaded
from automations.steps.outcomes import (
    Answer,
    Branch,
    Done,
    Fail,
    Outcome,
    Stop,
    Wait,
    WaitForDecision,
    WaitUntil,
    find_wait,
)
from automations.steps.registry import STEP_TYPES

Iterate = Callable[[Any, list[JSON]], Outcome]


class TriedStatus(StrEnum):
    """The status of a tried step; ``UNKNOWN`` if it depends on an answer that nobody has given."""

    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SampleAnswer:
    """How a pause ends.

    Args:
        data: the data of a decision, a callback or a form, or the output of what is waited for.
    """

    decision: Decision | None = None
    data: JSON = None


@dataclass(frozen=True, slots=True)
class TriedStep:
    """The result of trying a step.

    Args:
        iteration: in a loop, the index of the item, after those of the enclosing loops.
        config: as it was rendered; None if that failed.
        waits: what it would wait for.
        answer: how that wait ended.
        assumed: whether its output is not its own, but a sample's, an earlier run's or made up.
        stops: whether the run would end here, or this item of a loop.
    """

    step: Any
    iteration: tuple[int, ...]
    status: TriedStatus
    config: Mapping[str, JSON] | None
    effects: Sequence[Effect]
    waits: Wait | None
    answer: Answer | None
    output: Mapping[str, JSON]
    assumed: bool
    fail: Fail | None = None
    arm: str | None = None
    stops: bool = False
    variables: Mapping[str, JSON] = field(default_factory=dict)

    @property
    def characters(self) -> int:
        """Approximately the length of its report."""
        reported = [self.config, self.output, *(effect.details for effect in self.effects)]
        answered = None if self.answer is None else self.answer.data
        return len(json.dumps([*reported, answered], default=str))


class StepTrials:
    """Tries the steps of one automation.

    Args:
        ports: ports to read through.
        row: the run that there would be; it is not in the database.
        samples: outputs of steps from elsewhere, by their ids and names.
        answers: how their pauses end, by the same.
    """

    def __init__(
        self,
        ports: Ports,
        row: Run,
        loaded: Loaded,
        samples: Mapping[str, JSON],
        answers: Mapping[str, SampleAnswer],
    ) -> None:
        self._ports = ports
        self._row = row
        self._loaded = loaded
        self._samples = samples
        self._answers = answers
        self._guesses = False

    def try_step(
        self,
        step: Any,
        names: Mapping[str, JSON],
        where: str,
        iteration: tuple[int, ...],
        iterate: Iterate,
    ) -> TriedStep:
        """Try a step.

        Args:
            where: the item of a loop that it is in, for people.
            iterate: runs the steps of its body.
        """
        effects: list[Effect] = []
        configs: list[Mapping[str, JSON]] = []
        answer = self._answers.get(step.id) or SampleAnswer()
        ports = dry_run(self._ports, effects.append, answer.data)

        def make(passed: Answer | None = None, kept: Mapping[str, JSON] | None = None) -> Outcome:
            node = enter_alone(self._row, self._loaded, step, dict(names))
            attempt = Attempt(
                step=node.step,
                where=f"{where}step '{step.name}'",
                names=node.names,
                key=node.key,
                number=1,
                iterate=iterate,
                answer=passed,
                kept=kept or {},
                iteration=iteration,
                keep_config=configs.append,
            )
            attempts = Attempts(node, ports, self._mask_secrets, self._stand_in, Journal())
            return attempts.make(attempt)

        outcome = self._unavailable(step) or make()
        wait, passed = find_wait(outcome), None
        if wait is not None:
            passed = _answer(wait, answer)
            outcome = make(passed, pause_of(wait, passed.at).kept)
        depends_on_others = bool(effects) or _is_of_others(wait)
        status, output = self._result_of(step, outcome, passed, is_asked=depends_on_others)
        assumed = depends_on_others or status == TriedStatus.UNKNOWN
        self._guesses |= assumed
        return TriedStep(
            step=step,
            iteration=iteration,
            status=status,
            config=configs[-1] if configs else None,
            effects=tuple(effects),
            waits=wait,
            answer=passed,
            output=output,
            assumed=assumed,
            fail=outcome if isinstance(outcome, Fail) and status != TriedStatus.DONE else None,
            arm=outcome.arm if isinstance(outcome, Branch) else None,
            stops=isinstance(outcome, Stop),
            variables=outcome.variables if isinstance(outcome, Done) else {},
        )

    def _result_of(
        self, step: Any, outcome: Outcome, passed: Answer | None, *, is_asked: bool
    ) -> tuple[TriedStatus, Mapping[str, JSON]]:
        """The status and the output of a step.

        Args:
            is_asked: whether they depend on what others would answer.
        """
        in_time = passed is None or passed.decision != Decision.EXPIRED
        # A failure over a made-up answer says nothing about the real one.
        if isinstance(outcome, Fail) and not (is_asked and in_time):
            if self._guesses and outcome.kind == "template":
                return TriedStatus.UNKNOWN, {}
            return TriedStatus.FAILED, fail_output(outcome)
        output = output_of(outcome)
        sampled = self._samples.get(step.id)
        if is_asked and isinstance(sampled, dict):
            output = {**output, **sampled}
        return TriedStatus.DONE, output

    def _unavailable(self, step: Any) -> Fail | None:
        """The step's failure for lack of something that it needs here."""
        why = STEP_TYPES[step.type].unavailable(step.config, self._row.workspace_id, self._ports)
        return None if why is None else Fail(why, "config")

    def _stand_in(self, conn_id: str) -> HostConnection:
        """A stand-in for a connection of Airflow's, which is not read."""
        reason = self._ports.connections.forbidden(self._row.workspace_id, conn_id)
        if reason is not None:
            raise StepError(reason, kind="config")
        return HostConnection(conn_id, "http", host=conn_id)

    def _mask_secrets(self, names: Set[str]) -> Mapping[str, str]:
        return dict.fromkeys(secrets.read(self._row.workspace_id, names), MASK)


def _answer(wait: Wait, sample: SampleAnswer) -> Answer:
    """How a pause ends: as the sample says, otherwise favourably."""
    at, decision, by = common_clock.now(), Decision.RESUMED, None
    if isinstance(wait, WaitUntil):
        at, decision = wait.when, Decision.ELAPSED
    elif isinstance(wait, WaitForDecision):
        decision, by = Decision.APPROVED, next(iter(wait.question.approvers), None)
    return Answer(sample.decision or decision, by, at, sample.data)


def _is_of_others(wait: Wait | None) -> bool:
    """Whether a pause ends with the output of somebody or something else."""
    return wait is not None and not isinstance(wait, WaitUntil | WaitForDecision)
