"""Runs outside programs within limits."""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
from collections.abc import Mapping, Sequence

from automations.adapters.documents.problems import DocumentProblem

_MAX_EXCERPT = 500


def run(
    command: Sequence[str],
    *,
    seconds: float | None = None,
    memory: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a program to its end; whatever it leaves running is ended with our process group.

    Args:
        seconds: after which it is killed; when None, with us.
        memory: address space it may have, where that is more than ours; then also all the time of
            the processor that there is.
        environment: what is set for it beside our own.

    Raises:
        DocumentProblem: it failed, or took too long and was killed.
    """

    def allow() -> None:
        if memory is not None:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
            hard_limit = resource.getrlimit(resource.RLIMIT_CPU)[1]
            resource.setrlimit(resource.RLIMIT_CPU, (hard_limit, hard_limit))

    name = os.path.basename(command[0])
    # A file and no pipe: a grandchild that lives on would hold the pipe open.
    with tempfile.TemporaryFile() as stderr_file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr_file,
            env={**os.environ, **(environment or {})},
            preexec_fn=allow,
        )
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            process.kill()
            process.wait()
            raise DocumentProblem(f"{name} took longer than {seconds:.0f} s") from error
        if code != 0:
            stderr_file.seek(0)
            text = stderr_file.read(10_000).decode(errors="replace").strip()[-_MAX_EXCERPT:]
            raise DocumentProblem(f"{name} failed ({code}): {text}")
