"""Writes a task's log of its step: which step, its config, what it did, and its outcome.

Attempts write it as they are made. The host says where: a task into its own log; a step test, or a
step in the bridge, nowhere. Everything is masked before it is written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from automations.definitions.model import Step
from automations.execution.attempt import Attempt
from automations.execution.entered import Entered
from automations.execution.verdicts import AskPeople, GiveUp, Proceed, Retry, Skip, Sleep, Verdict
from automations.kit import common_clock, logs
from automations.kit.excerpts import excerpt
from automations.kit.values import JSON
from automations.steps.outcomes import (
    Answer,
    Branch,
    Fail,
    Outcome,
    Stop,
    WaitForCallback,
    WaitForDecision,
    WaitForRun,
    WaitForSubmissions,
    WaitInLoop,
    WaitToRetry,
    WaitUntil,
)
from automations.steps.registry import STEP_TYPES

Write = Callable[[int, str], None]
"""Writes a line of a level of ``logging``."""

_MAX_LINE = 4_000
"""Characters of a line; one megabyte of output would hide everything else."""
_MAX_FIELD = 1_000
"""Characters of a field of a configuration or output."""
_MAX_BRIEF = 500
"""Characters of the configuration or output of a step in a loop."""
MAX_HELD = 50
"""Lines held back for an item in the middle of a loop, in case it fails."""
MAX_TOLD = 100
"""Failures in a loop that are logged in full; of further ones, only the error."""


class Journal:
    """The log of one task; several threads write into it.

    Args:
        write: where to; None when nobody reads it.
    """

    def __init__(self, write: Write | None = None) -> None:
        self._write = write
        self._told = 0
        self.config: Mapping[str, JSON] | None = None
        """The recordable config of the task's own step in its last attempt."""

    @property
    def is_read(self) -> bool:
        """Whether anybody reads it."""
        return self._write is not None

    def say(self, text: str, level: int = logging.INFO) -> None:
        """Write a line."""
        if self._write is not None:
            self._write(level, excerpt(text, _MAX_LINE))

    def recall(self, config: Mapping[str, JSON]) -> None:
        """Keep the config with which another process has made the last attempt, if it is known."""
        self.config = {name: _mask(value, logs.without_tokens) for name, value in config.items()}
        self.config = self.config or None

    def may_tell_all(self) -> bool:
        """Whether one more failure in a loop may be logged in full."""
        # Counted without a lock: one more or less does no harm.
        self._told += 1
        return self._told <= MAX_TOLD


class AttemptLog:
    """The log of one attempt: written at once, but for most items of a loop only if they fail.

    Args:
        mask: hides the secrets that the attempt uses.
    """

    def __init__(self, journal: Journal, attempt: Attempt, mask: Callable[[str], str]) -> None:
        self._journal = journal
        self._attempt = attempt
        self._mask = mask
        self._prefix = f"{_brief_where(attempt)}: " if attempt.iteration else ""
        self._held: list[tuple[int, str]] = []
        self._shown: Mapping[str, JSON] = {}

    @property
    def is_read(self) -> bool:
        """Whether anybody reads it."""
        return self._journal.is_read

    def say(self, text: str, level: int = logging.INFO) -> None:
        """Write a line, or hold it back until the attempt fails."""
        if not self._attempt.quiet:
            self._write(text, level)
        elif self.is_read and len(self._held) < MAX_HELD:
            self._held.append((level, text))

    def begin(self, node: Entered) -> None:
        """Log which attempt begins, or how the wait ended after which the step goes on."""
        step, answer, number = self._attempt.step, self._attempt.answer, self._attempt.number
        kind, max_attempts = (
            STEP_TYPES[step.type].title,
            step.retry.max_attempts if step.retry else 1,
        )
        if self._attempt.iteration:
            if number > 1:
                self.say(f"Attempt {number} of {max_attempts}.")
        elif answer is None:
            self.say(
                f"Step '{step.name}' ({kind}), attempt {number} of {max_attempts}, "
                f"run {node.ref.run_id}, version {node.ref.version} of the automation."
            )
        else:
            self.say(f"Step '{step.name}' ({kind}) goes on: {_describe_answer(answer)}")

    def log_config(self, shown: Mapping[str, JSON]) -> None:
        """Log the step's config in its recordable form."""
        if not self.is_read:
            return
        if not self._attempt.iteration:
            self._journal.config = {name: _mask(value, self._mask) for name, value in shown.items()}
            # For a step that goes on after a wait, the log has it already.
            if self._attempt.answer is None:
                self._fields("Configuration", shown)
            return
        self._shown = shown
        if not self._attempt.quiet:
            self._write_config()

    def end(self, outcome: Outcome, taken: timedelta) -> None:
        """Log the outcome, and how long it took."""
        if not self.is_read or isinstance(outcome, WaitInLoop):
            return  # The step in the loop has already logged what it waits for.
        if isinstance(outcome, Fail):
            self._log_failure(outcome, taken)
            return
        waits = waits_for(outcome, common_clock.now())
        if waits is not None:
            # Even for an item in the middle of a loop, since the loop stands still until then.
            self._write(waits)
        elif not self._attempt.quiet:
            self._write(f"Done after {seconds(taken)}{_way(outcome)}.")
            self._output(getattr(outcome, "output", {}))

    def _log_failure(self, fail: Fail, taken: timedelta) -> None:
        in_full = not self._attempt.quiet
        if self._attempt.quiet and self._journal.may_tell_all():
            in_full = True
            self._write_config()
            for level, text in self._held:
                self._write(text, level)
        self._write(f"Failed after {seconds(taken)} ({fail.kind}): {fail.error}", logging.ERROR)
        if in_full and fail.output:
            self._output(fail.output)

    def _write(self, text: str, level: int = logging.INFO) -> None:
        if self.is_read:
            self._journal.say(f"{self._prefix}{self._mask(text)}", level)

    def _write_config(self) -> None:
        body = STEP_TYPES[self._attempt.step.type].body
        brief = {name: value for name, value in self._shown.items() if name not in body}
        self._write(f"Configuration: {excerpt(brief, _MAX_BRIEF)}")

    def _output(self, output: Mapping[str, JSON]) -> None:
        count, failed = output.get("count"), output.get("errors")
        if STEP_TYPES[self._attempt.step.type].body and isinstance(failed, list):
            # The items have been logged already.
            self._write(f"Of {count} items, {len(failed)} failed.")
        elif self._attempt.iteration:
            self._write(f"Output: {excerpt(output, _MAX_BRIEF)}")
        else:
            self._fields("Output", output)

    def _fields(self, title: str, fields: Mapping[str, JSON]) -> None:
        self._write(f"{title}:" if fields else f"{title}: none.")
        for name, value in fields.items():
            self._write(f"  {name}: {excerpt(value, _MAX_FIELD)}")


def waits_for(outcome: Outcome, now: datetime) -> str | None:
    """Describe what a step waits for; None if it does not wait."""
    match outcome:
        case WaitUntil(when):
            return f"Waits until {format_time(when)}."
        case WaitToRetry(when):
            return f"Waits until {format_time(when)} for the next attempt."
        case WaitForDecision(question, expires_in):
            people = ", ".join(question.approvers) or "anybody who may decide"
            quorum = f", {question.quorum} of them" if question.quorum > 1 else ""
            until = format_time(now + expires_in)
            return f"Waits for a decision by {people}{quorum} until {until}: {question.subject}"
        case WaitForCallback(_, expires_in):
            return f"Waits for its callback until {format_time(now + expires_in)}."
        case WaitForSubmissions(_, expires_in):
            return f"Waits for its forms to be filled in until {format_time(now + expires_in)}."
        case WaitForRun(run_id, None):
            return f"Waits for run {run_id} to end."
        case WaitForRun(run_id, dag_id):
            return f"Waits for run {run_id} of DAG {dag_id}."
    return None


def earlier_line(verdict: Verdict) -> str:
    """The log line for a node that a process enters and need not run now."""
    match verdict:
        case AskPeople():
            return f"Waits as before, until {format_time(verdict.expires_at)}."
        case Sleep():
            return f"Waits as before, until {format_time(verdict.until)}."
        case Skip(reason):
            return f"Nothing to do. {reason}"
        case GiveUp(error):
            return f"Has failed before and is not done again: {error}"
        case Retry(error, delay):
            return f"It is tried again in {seconds(delay)}, after: {error}"
        case Proceed():
            return "Was done before, and is not done again."


def verdict_line(step: Step, outcome: Outcome, verdict: Verdict) -> str | None:
    """The log line for what follows from an outcome; None if that is obvious."""
    match verdict:
        case Retry(_, delay):
            return f"It is tried again in {seconds(delay)}."
        case GiveUp():
            return "The run fails with it."
        case Skip(reason):
            return f"Not recorded: {reason}"
        case Proceed() if isinstance(outcome, Fail):
            how = "the steps of onError" if isinstance(step.on_error, list) else "the next step"
            return f"The run goes on with {how}, as its onError says."
    return None


def format_time(when: datetime) -> str:
    """Format a time for the log."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def seconds(taken: timedelta) -> str:
    """Format a duration for the log."""
    return f"{taken.total_seconds():.2f} s"


def _describe_answer(answer: Answer) -> str:
    by = f" by {answer.by}" if answer.by else ""
    instead = ", in the place of those who were asked" if answer.override else ""
    why = f", because: {excerpt(answer.reason, _MAX_FIELD)}" if answer.reason else ""
    data = f": {excerpt(answer.data, _MAX_FIELD)}" if answer.data else ""
    return f"{answer.decision}{by} at {format_time(answer.at)}{instead}{why}{data}"


def _way(outcome: Outcome) -> str:
    if isinstance(outcome, Branch):
        return f", goes on with '{outcome.arm}'"
    return ", and ends here" if isinstance(outcome, Stop) else ""


def _mask(value: JSON, mask: Callable[[str], str]) -> JSON:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {mask(key): _mask(item, mask) for key, item in value.items()}
    return [_mask(item, mask) for item in value] if isinstance(value, list) else value


def _brief_where(attempt: Attempt) -> str:
    """``item 3, step 'Send'``: without the loop, which is what the whole log is of."""
    return attempt.where.partition(", ")[2] or attempt.where
