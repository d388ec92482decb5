"""The process that runs one script: a request on standard input, an answer on standard output.

It is started without site packages and with an empty environment, so that it imports little and
inherits nothing; each module that it needs is waited for by every script: pathlib is none of them.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from contextlib import suppress
from typing import Any

import _quickjs

from automations.adapters.quickjs.confinement import confine
from automations.adapters.quickjs.rejections import Rejections

_START, _STATE, _ANSWER, _REJECTED = range(4)
_THREW_NULL = 3
_REASON = "the reason of a rejection that nobody awaited"
_STACK_SIZE = 512 * 1024
# An answer must be written also when the script has left nothing of its memory.
_RESERVED_BYTES = 8_000_000
_OVERHEAD = 64_000_000


class _Memory:
    """What this process takes; to be made while it may still open files."""

    def __init__(self) -> None:
        self._status: int | None = None
        with suppress(FileNotFoundError):
            self._status = os.open("/proc/self/status", os.O_RDONLY)

    def most(self) -> int:
        """Bytes that it has had at once; 0 where the kernel does not say."""
        if self._status is None:
            return 0
        os.lseek(self._status, 0, os.SEEK_SET)
        match = re.search(rb"VmHWM:\s*(\d+)", os.read(self._status, 16_384))
        return 0 if match is None else int(match[1]) * 1_024


def main() -> None:
    """Run the script of the request, and answer."""
    request = json.loads(sys.stdin.buffer.read())
    globals_, prelude = map(_source, ("globals.js", "prelude.js"))
    taken, rejections = _Memory(), Rejections()
    try:
        confine(request["seconds"], request["memory"] + _RESERVED_BYTES + _OVERHEAD)
    except (OSError, ValueError) as error:
        # Without its walls nothing is run.
        answer = json.dumps({"stopped": f"the sandbox cannot be set up: {error}"}).encode()
    else:
        answer = _run(request, (globals_, prelude), taken, rejections).encode(
            errors="surrogatepass"
        )
    if len(answer) > request["bytes"]:
        answer = b'{"stopped": "output"}'
    while answer:
        answer = answer[os.write(1, answer) :]
    os._exit(0)


def _source(name: str) -> str:
    with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as file:
        return file.read()


def _run(
    request: dict[str, Any], sources: tuple[str, str], taken: _Memory, rejections: Rejections
) -> str:
    context = _quickjs.Context()
    context.set_max_stack_size(_STACK_SIZE)
    globals_, prelude = sources
    context.eval(globals_)
    control = context.eval(prelude)
    rejections.watch(context)
    before = taken.most()
    deadline = time.monotonic() + request["seconds"]
    context.set_memory_limit(request["memory"])
    context.set_time_limit(request["seconds"])
    try:
        control(_START, *(request[name] for name in ("code", "input", "variables", "limits")))
        while control(_STATE) == 0:
            left = deadline - time.monotonic()
            if left <= 0:
                return '{"stopped": "timeout"}'
            # The engine's own clock begins again with each job.
            context.set_time_limit(left)
            if not context.execute_pending_job():
                return '{"stopped": "pending"}'
        # What was begun and not awaited is done as well: it may still fail, log and set variables.
        while context.execute_pending_job():
            left = deadline - time.monotonic()
            if left <= 0:
                return '{"stopped": "timeout"}'
            context.set_time_limit(left)
        # Without memory for an error the engine throws null, as a script may, too.
        if control(_STATE) == _THREW_NULL and taken.most() - before > request["memory"] / 2:
            return '{"stopped": "memory"}'
        if rejections.has_unhandled():
            rejections.tell(_REASON)
            control(_REJECTED, _REASON)
        context.set_memory_limit(request["memory"] + _RESERVED_BYTES)
        context.set_time_limit(max(deadline - time.monotonic(), 0.05))
        answer = control(_ANSWER)
    except (_quickjs.JSException, MemoryError) as error:
        return json.dumps({"stopped": _reason(str(error), deadline)})
    return answer if isinstance(answer, str) else '{"stopped": "memory"}'


def _reason(text: str, deadline: float) -> str:
    if "interrupted" in text or time.monotonic() >= deadline:
        return "timeout"
    return "memory" if "memory" in text or text in ("", "null") else text[:500]
