"""The process that runs one script: a request on standard input, an answer on standard output.

It is started without site packages and with an empty environment, so that it imports little and
inherits nothing.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import _quickjs

from automations.adapters.quickjs.confinement import confine

_START, _STATE, _ANSWER = range(3)
_STACK = 512 * 1024
# An answer must be written also when the script has left nothing of its memory.
_RESERVE = 8_000_000
_OVERHEAD = 64_000_000


def main() -> None:
    """Run the script of the request, and answer."""
    request = json.loads(sys.stdin.buffer.read())
    prelude = Path(__file__).with_name("prelude.js").read_text()
    try:
        confine(request["seconds"], request["memory"] + _RESERVE + _OVERHEAD)
    except (OSError, ValueError) as error:
        # Without its walls nothing is run.
        answer = json.dumps({"stopped": f"the sandbox cannot be set up: {error}"}).encode()
    else:
        answer = _run(request, prelude).encode(errors="surrogatepass")
    if len(answer) > request["bytes"]:
        answer = b'{"stopped": "output"}'
    while answer:
        answer = answer[os.write(1, answer) :]
    os._exit(0)


def _run(request: dict[str, Any], prelude: str) -> str:
    context = _quickjs.Context()
    context.set_max_stack_size(_STACK)
    control = context.eval(prelude)
    deadline = time.monotonic() + request["seconds"]
    context.set_memory_limit(request["memory"])
    context.set_time_limit(request["seconds"])
    try:
        control(_START, *(request[name] for name in ("code", "input", "variables", "limits")))
        while control(_STATE) == 0:
            left = deadline - time.monotonic()
            if left <= 0:
                return '{"stopped": "timeout"}'
            # The engine's own clock begins anew with each job.
            context.set_time_limit(left)
            if not context.execute_pending_job():
                return '{"stopped": "pending"}'
        context.set_memory_limit(request["memory"] + _RESERVE)
        context.set_time_limit(max(deadline - time.monotonic(), 0.05))
        answer = control(_ANSWER)
    except (_quickjs.JSException, MemoryError) as error:
        return json.dumps({"stopped": _reason(str(error), deadline)})
    return answer if isinstance(answer, str) else '{"stopped": "memory"}'


def _reason(text: str, deadline: float) -> str:
    if "interrupted" in text or time.monotonic() >= deadline:
        return "timeout"
    return "memory" if "memory" in text or text in ("", "null") else text[:500]
