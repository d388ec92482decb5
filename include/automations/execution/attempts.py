"""Makes attempts at steps: renders the config, does the work, and returns the outcome as a value.

The engine attempts nodes, loops the steps of their bodies, and tests single steps. All do it here,
so that every attempt is masked, traced and logged alike.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from automations.definitions import field_errors
from automations.domain.fields import RENDERED, parse_duration
from automations.domain.secret_templates import Read, ReadOnce, Redaction
from automations.domain.statuses import Severity
from automations.errors import DatabaseUnavailable, StepError
from automations.execution.attempt import Attempt
from automations.execution.entered import Entered
from automations.execution.journal import AttemptLog, Journal
from automations.execution.loop_progress import ProgressLost
from automations.execution.observed_ports import observe
from automations.kit import common_clock, logs, tracing
from automations.kit.values import JSON
from automations.ports import HostConnection, Ports
from automations.services.audit import security_events
from automations.steps.base import StepContext
from automations.steps.failures import INTERNAL, failure, recordable
from automations.steps.outcomes import Fail, Outcome
from automations.steps.registry import STEP_TYPES

log = logging.getLogger(__name__)

Connect = Callable[[str], HostConnection]
"""Returns a connection of the host by its id, or raises a StepError."""
MAX_TRACEBACKS = 20
"""Per node: a bug that every item of a long loop runs into shows in the first few tracebacks."""


class Attempts:
    """Makes the attempts at one node's step and at the steps in its body, from several threads.

    Args:
        read: returns the values of secrets; called once for each of them.
        connect: returns connections of the host.
        journal: the log of the task that makes the attempts.
    """

    def __init__(
        self, node: Entered, ports: Ports, read: Read, connect: Connect, journal: Journal
    ) -> None:
        self.node = node
        self._connect = connect
        self._journal = journal
        self._ports = ports
        self._read = ReadOnce(read)
        self._tracebacks = 0

    def make(self, attempt: Attempt) -> Outcome:
        """Do the step's work as one span; the outcome reveals no secret that the step used.

        Raises:
            DatabaseUnavailable, ProgressLost: not the step's fault: the task must end, and repeat
                the step under the same key.
        """
        node, step = self.node, attempt.step
        with tracing.span(
            f"step {step.type}",
            traceparent=attempt.traceparent,
            run_id=node.ref.run_id,
            workflow_id=node.ref.workflow_id,
            workspace_id=node.workspace_id,
            step_id=step.id,
            step_name=step.name,
            attempt=attempt.number,
            iteration=".".join(map(str, attempt.iteration)) or None,
        ) as span:
            redaction = Redaction(self._read)
            attempt_log = self._attempt_log(attempt, redaction)
            attempt_log.begin(node)
            began = time.monotonic()
            performed = recordable(self._perform(attempt, redaction, attempt_log), attempt.where)
            outcome = redaction.outcome(performed)
            attempt_log.end(outcome, timedelta(seconds=time.monotonic() - began))
            if isinstance(outcome, Fail):
                tracing.mark_failed(span, outcome.error)
                # A loop fails when a step of its body does, and that step has noted it already.
                if outcome.kind == "blocked" and not STEP_TYPES[step.type].body:
                    self._note_blocked(attempt, outcome)
            return outcome

    def preview(self, attempt: Attempt) -> dict[str, JSON] | Fail:
        """The config in its recordable form, or the failure to render it."""
        redaction = Redaction(self._read)
        try:
            rendered, recordable_config = redaction.config(
                attempt.step.config, attempt.names, where=attempt.where
            )
            _validate(attempt, rendered)
        except DatabaseUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 -- as in an attempt, whatever goes wrong becomes a value
            return redaction.outcome(failure(error, attempt.where))
        return recordable_config

    def _attempt_log(self, attempt: Attempt, redaction: Redaction) -> AttemptLog:
        def mask(text: str) -> str:
            return logs.without_tokens(redaction.text(text))

        return AttemptLog(self._journal, attempt, mask)

    def _perform(self, attempt: Attempt, redaction: Redaction, attempt_log: AttemptLog) -> Outcome:
        """Render the config and act; whatever goes wrong becomes a value."""
        step_type = STEP_TYPES[attempt.step.type]
        try:
            rendered, recordable_config = redaction.config(
                attempt.step.config,
                attempt.names,
                where=attempt.where,
                already_rendered=attempt.already_rendered(),
            )
            if attempt.keep_config is not None:
                attempt.keep_config(recordable_config)
            attempt_log.log_config(recordable_config)
            config = _validate(attempt, rendered)
            ctx = self._context(attempt, redaction, attempt_log)
            with logs.mask_lines(redaction.text):
                outcome: Outcome = (
                    step_type.run(config, ctx)
                    if attempt.answer is None
                    else step_type.resume(config, ctx, attempt.answer)
                )
        except (DatabaseUnavailable, ProgressLost):
            raise
        except Exception as error:  # noqa: BLE001 -- a bug fails this step only
            fail = failure(error, attempt.where)
            if fail.kind == INTERNAL:
                self._log_traceback(attempt, redaction)
            return fail
        else:
            return outcome

    def _context(
        self, attempt: Attempt, redaction: Redaction, attempt_log: AttemptLog
    ) -> StepContext:
        node, step = self.node, attempt.step

        def render(text: str, *, where: str = "config", **how: Any) -> JSON:
            return redaction.render(text, attempt.names, where=f"{attempt.where}, {where}", **how)

        def connection(conn_id: str) -> HostConnection:
            host_connection = self._connect(conn_id)
            redaction.hide(host_connection.secrets)
            return host_connection

        return StepContext(
            run_id=node.ref.run_id,
            workflow_id=node.ref.workflow_id,
            workspace_id=node.workspace_id,
            node_id=node.ref.node_id,
            step_name=step.name,
            idempotency_key=attempt.key,
            attempt=attempt.number,
            now=common_clock.now(),
            timeout=parse_duration(step.timeout) if step.timeout else STEP_TYPES[step.type].timeout,
            ports=observe(self._ports, attempt_log.say) if attempt_log.is_read else self._ports,
            render=render,
            connection=connection,
            kept=attempt.kept,
            iterate=attempt.iterate,
            traceparent=tracing.current(),
            timezone=node.timezone,
            say=attempt_log.say if attempt_log.is_read else None,
        )

    def _note_blocked(self, attempt: Attempt, fail: Fail) -> None:
        details: dict[str, JSON] = {"stepId": attempt.step.id, "error": fail.error}
        if attempt.iteration:
            details["iteration"] = list(attempt.iteration)
        security_events.note(
            "ssrf.blocked",
            Severity.HIGH,
            workspace_id=self.node.workspace_id,
            runId=self.node.ref.run_id,
            **details,
        )

    def _log_traceback(self, attempt: Attempt, redaction: Redaction) -> None:
        # Counted without a lock: one traceback more or less does no harm.
        self._tracebacks += 1
        if self._tracebacks <= MAX_TRACEBACKS:
            raised = redaction.text(traceback.format_exc())
            log.error("%s of type %s raised\n%s", attempt.where, attempt.step.type, raised)


def _validate(attempt: Attempt, rendered: dict[str, JSON]) -> Any:
    try:
        return type(attempt.step.config).model_validate(rendered, context=RENDERED)
    except ValidationError as error:
        problems = field_errors.format_errors(error, rendered)
        raise StepError(f"{attempt.where}, {problems}", kind="config") from error
