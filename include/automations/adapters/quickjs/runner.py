"""Starts a confined process for each script, and trusts nothing that it returns."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from automations.adapters.quickjs.absent import explain
from automations.errors import StepError
from automations.kit.storable import sanitize, storable
from automations.kit.values import JSON
from automations.ports import ScriptFault, ScriptLimits, ScriptResult

_GRACE_PERIOD = 1.0
"""Seconds for the process to say by itself that its script took too long."""
_MAX_INPUT_BYTES = 10_000_000
"""It is written to a process, and parsed in the memory that the script has."""
_MAX_LINES = 1_000
"""What is logged is kept with the run for good."""
_MAX_CHARACTERS = 50_000
"""The same, where lines are long."""
_LINES_BEFORE = 1_000
"""Lines of the prelude's wrapper before the user's first one."""
_PLACE = re.compile(r"<input>:(\d+)")
_SOURCE = Path(__file__).resolve().parents[3]


@lru_cache(maxsize=1)
def _command() -> tuple[str, ...]:
    engine = importlib.util.find_spec("_quickjs")
    if engine is None or engine.origin is None:
        raise StepError("The JavaScript engine quickjs-ng is not installed.", kind="config")
    # The engine's extension module alone: its Python package imports more than it takes to run.
    paths = [str(_SOURCE), str(Path(engine.origin).parent)]
    program = f"import sys; sys.path += {paths!r}; from automations.adapters.quickjs import child; "
    return (sys.executable, "-I", "-S", "-c", program + "child.main()")


class QuickJsRunner:
    """Runs JavaScript; a script can compute, and reach nothing.

    Args:
        command: starts the process that runs a script.
    """

    def __init__(self, command: Sequence[str] | None = None) -> None:
        self._start = command

    def run(
        self, code: str, input_data: JSON, variables: Mapping[str, JSON], limits: ScriptLimits
    ) -> ScriptResult:
        """Run the body of an async function.

        Raises:
            StepError: kind ``timeout``, ``memory``, ``output``, ``input`` or ``script``.
        """
        request = self._request(code, input_data, variables, limits)
        max_bytes = limits.output_bytes + 8 * _MAX_CHARACTERS
        return _result(self._exchange(request, max_bytes, limits), limits)

    @staticmethod
    def _request(
        code: str, input_data: JSON, variables: Mapping[str, JSON], limits: ScriptLimits
    ) -> bytes:
        written, encoded_variables = json.dumps(input_data), json.dumps(dict(variables))
        if len(written) + len(encoded_variables) > _MAX_INPUT_BYTES:
            raise StepError(
                f"The script's input has more than {_MAX_INPUT_BYTES} bytes; "
                "give config.input only what the script needs.",
                kind="input",
            )
        request = {
            "code": code,
            "input": written,
            "variables": encoded_variables,
            "limits": json.dumps({"lines": _MAX_LINES, "characters": _MAX_CHARACTERS}),
            "seconds": limits.seconds,
            "memory": limits.memory_bytes,
            "bytes": limits.output_bytes + 6 * _MAX_CHARACTERS,
        }
        return json.dumps(request).encode()

    def _exchange(self, request: bytes, max_bytes: int, limits: ScriptLimits) -> bytes:
        began = time.monotonic()
        with subprocess.Popen(
            self._start or _command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            start_new_session=True,
        ) as process:
            killer = threading.Timer(limits.seconds + _GRACE_PERIOD, process.kill)
            killer.start()
            answer = b""
            try:
                if process.stdin is not None and process.stdout is not None:
                    with suppress(BrokenPipeError):
                        process.stdin.write(request)
                        process.stdin.flush()
                    with suppress(BrokenPipeError):
                        process.stdin.close()
                    # The process may not be ours any more: no more is read than an answer has.
                    answer = process.stdout.read(max_bytes + 1)
            finally:
                killer.cancel()
                process.kill()
        if answer:
            return answer
        late = time.monotonic() - began >= limits.seconds
        return b'{"stopped": "timeout"}' if late else b'{"stopped": "memory"}'


def _result(answer: bytes, limits: ScriptLimits) -> ScriptResult:
    try:
        reply = json.loads(answer)
        stopped = reply.get("stopped")
        if stopped is not None:
            raise _stop_error(str(stopped), limits)
        logs = tuple(_texts(reply["logs"]))
        if reply["cut"] is not False:
            logs = (*logs, "… (more was left out)")
        if "fault" in reply:
            return ScriptResult(None, logs, {}, _fault(reply["fault"], limits))
        variables = reply["variables"]
        if not isinstance(variables, dict):
            raise TypeError("variables")
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise StepError("The script's answer cannot be read.", kind="script") from error
    try:
        return ScriptResult(storable(reply["value"]), logs, storable(variables), None)
    except (KeyError, ValueError) as error:
        raise StepError(f"What the script returned {error}.", kind="output") from error


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(line, str) for line in value):
        raise TypeError("logs")
    return [str(sanitize(line)) for line in value[:_MAX_LINES]]


def _fault(error: Any, limits: ScriptLimits) -> ScriptFault:
    name, message, stack = (str(sanitize(error[key])) for key in ("name", "message", "stack"))
    if name == "InternalError" and message in ("interrupted", "out of memory"):
        raise _stop_error("timeout" if message == "interrupted" else "memory", limits)
    lines = [int(place) - _LINES_BEFORE for place in _PLACE.findall(stack)]
    return ScriptFault(
        name, explain(name, message), next((line for line in lines if line > 0), None)
    )


def _stop_error(reason: str, limits: ScriptLimits) -> StepError:
    match reason:
        case "timeout":
            text = f"The script took longer than {limits.seconds:g} s."
        case "memory":
            text = f"The script took more memory than {limits.memory_bytes // 1_000_000} MB."
        case "output":
            text = (
                f"What the script returned, set and logged has more than {limits.output_bytes} "
                "bytes."
            )
        case "pending":
            text = "The script awaits something that never happens."
        case _:
            text, reason = f"The script could not be run: {reason}", "script"
    kind = "script" if reason == "pending" else reason
    return StepError(text, kind=kind, retryable=kind in ("script", "timeout"))
