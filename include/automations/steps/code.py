"""Run JavaScript."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import Field

from automations.domain.fields import Model, Verbatim, Whole
from automations.kit.values import JSON
from automations.ports import ScriptLimits
from automations.steps.base import StepContext, StepType
from automations.steps.outcomes import Done, Fail, Outcome

MAX_TIMEOUT = timedelta(seconds=60)
"""A script computes; what waits is another step."""
_NAMES = ("trigger", "submission", "input", "variables", "steps", "loop", "run", "workflow")


class CodeConfig(Model):
    """What to run, and with what."""

    code: Annotated[str, Verbatim()] = Field(
        min_length=1,
        max_length=100_000,
        description=(
            "The body of an async JavaScript function (ES2023). It is not a template: it "
            "reads `input`. Its return value is the output: an object directly, anything "
            "else as `result`. Integers beyond ±9007199254740991 are BigInts in `input`, "
            "in `variables` and from JSON.parse; a returned BigInt becomes an integer "
            "again. Values that JSON lacks (NaN, Map, Error, a promise, a function …) "
            "fail by name; undefined is omitted, and null in a list. JavaScript puts "
            "fields whose names are integers first. `console.log` is collected in `logs`. "
            "`variables.name = value` sets a workflow variable; a deleted one becomes "
            "null."
        ),
    )
    input: JSON = Field(
        None,
        description=(
            "The value of `input` in the code; by default, an object with trigger, "
            "submission, input, variables, steps, run and workflow."
        ),
    )
    memory_mb: Whole = Field(64, ge=8, le=256, description="Memory limit in MB.")


class Code(StepType[CodeConfig]):
    """Run JavaScript in a sandbox, for 5 seconds or the step's timeout, at most 60.

    Besides the language, there are all methods of console, structuredClone, TextEncoder and
    TextDecoder (UTF-8), atob, btoa, queueMicrotask, performance.now and DOMException. There are no
    timers, fetch, require, import, process, Buffer, Intl, URL, URLSearchParams and crypto: using
    one fails with a hint what to use instead, and anything that needs locales or time zones fails.

    The code cannot access files, the network or processes. An error ends the step with its name,
    message and line, including the error of a promise that is not awaited; `retry` runs it again.
    Workflow variables are set only when the step succeeds.
    """

    type = "code"
    title = "Run code"
    Config = CodeConfig
    example: ClassVar = {"code": "return {greeting: `Dear ${input}`}", "input": "{{input.name}}"}
    outputs: ClassVar = {
        "result": "the return value; if it is an object, its fields are the output instead",
        "logs": "what the code wrote with console.log",
    }
    timeout = timedelta(seconds=5)

    def run(self, config: CodeConfig, ctx: StepContext) -> Outcome:
        result = ctx.ports.scripts.run(
            config.code,
            config.input if "input" in config.model_fields_set else _everything(ctx),
            _look_up("variables", ctx) or {},
            ScriptLimits(
                seconds=min(ctx.timeout, MAX_TIMEOUT).total_seconds(),
                memory_bytes=config.memory_mb * 1_000_000,
            ),
        )
        logs = list(result.logs)
        fault = result.fault
        if fault is not None:
            where = "" if fault.line is None else f" (line {fault.line})"
            return Fail(
                f"{fault.name}: {fault.message}{where}",
                kind="script",
                retryable=True,
                output={"name": fault.name, "line": fault.line, "logs": logs},
            )
        value = result.value if isinstance(result.value, dict) else {"result": result.value}
        return Done({"logs": logs, **value}, result.variables)


def _everything(ctx: StepContext) -> JSON:
    values = {name: _look_up(name, ctx) for name in _NAMES}
    return {name: value for name, value in values.items() if value is not None}


def _look_up(name: str, ctx: StepContext) -> JSON:
    return ctx.render("{{" + name + "}}", missing_ok=True)
