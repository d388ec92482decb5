"""Implements the port DocumentRenderer: starts a confined child for each document."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import automations
from automations.adapters.documents import package
from automations.adapters.documents.fair_semaphore import FairSemaphore
from automations.adapters.documents.problems import TemplateProblem
from automations.errors import StepError, TemplateError
from automations.kit.values import JSON
from automations.ports import RenderedDocument

log = logging.getLogger(__name__)

_CODE = Path(automations.__file__).parents[1]
_NOWHERE = "http://127.0.0.1:9"
MAX_CONCURRENT = max(4, os.cpu_count() or 1)
"""Children of one process: each may take hundreds of megabytes, and a core."""
_children = FairSemaphore(MAX_CONCURRENT, per_key=MAX_CONCURRENT // 2)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one document may cost.

    Args:
        seconds: of computing, to fill a template.
        memory: address space in bytes, to fill a template.
        program_memory: that of an outside program.
        timeout: seconds after which everything is ended when nobody says other.
        max_bytes: bytes of a document.
    """

    seconds: int = 20
    memory: int = 1 << 30
    program_memory: int = 4 << 30
    timeout: float = 120
    max_bytes: int = 10_000_000


class ConfinedRenderer:
    """Reads and fills templates in a process without our environment, time-limited and bounded."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()

    def placeholders(
        self, template_format: str, content: bytes, *, owner: str = ""
    ) -> tuple[str, ...]:
        """The names that a template takes.

        Raises:
            TemplateError: it is not sound; says why.
        """
        if template_format == "docx":
            _check_package(content)
        job = {"task": "placeholders", "template": template_format}
        with tempfile.TemporaryDirectory(prefix="document-") as folder:
            names = self._ask(Path(folder), content, job, owner).get("placeholders")
        if not isinstance(names, list):
            raise StepError("The template could not be read.", kind="document")
        return tuple(str(name) for name in names)

    def render(
        self,
        template_format: str,
        content: bytes,
        data: Mapping[str, JSON],
        output: str,
        *,
        seconds: float | None = None,
        allow_loss: bool = False,
        owner: str = "",
    ) -> RenderedDocument:
        """Fill in a template.

        Raises:
            StepError: it cannot be filled in with this data, a limit was reached, or a PDF would
                lose something that may not be lost.
        """
        job = {
            "task": "render",
            "template": template_format,
            "output": output,
            "data": data,
            "allow_loss": allow_loss,
        }
        return self._run(content, job, owner, seconds)

    def pdf(self, content: bytes, *, owner: str = "") -> RenderedDocument:
        """A DOCX as it is, as a PDF to look at, which may show less than the document.

        Raises:
            StepError: it cannot be read, or a limit was reached.
        """
        _check_package(content)
        return self._run(content, {"task": "show", "template": "docx", "output": "pdf"}, owner)

    def _run(
        self, content: bytes, job: dict[str, Any], owner: str, seconds: float | None = None
    ) -> RenderedDocument:
        with tempfile.TemporaryDirectory(prefix="document-") as name:
            folder = Path(name)
            answer = self._ask(folder, content, job, owner, seconds)
            engine, losses = answer.get("engine"), answer.get("losses")
            result = folder / f"document.{job['output']}"
            size = result.stat().st_size if result.is_file() else 0
            if not isinstance(engine, str) or not isinstance(losses, list) or not size:
                raise StepError("No document was made.", kind="document")
            if size > self._limits.max_bytes:
                raise StepError(
                    f"The document has {size} bytes; {self._limits.max_bytes} at most.",
                    kind="limit",
                )
            return RenderedDocument(result.read_bytes(), engine, tuple(map(str, losses)))

    def _ask(
        self,
        folder: Path,
        content: bytes,
        job: dict[str, Any],
        owner: str,
        seconds: float | None = None,
    ) -> dict[str, Any]:
        timeout = self._limits.timeout if seconds is None else seconds
        until = time.monotonic() + timeout
        answer: dict[str, Any] | None = None
        with _children.hold(owner, until) as may_begin:
            if may_begin:
                left = max(0.0, until - time.monotonic())
                answer = self._child(folder, content, job, left)
        if answer is None:
            raise StepError(
                f"The document took more time than it may ({timeout:g} s).",
                kind="timeout",
                retryable=True,
            )
        return answer

    def _child(
        self, folder: Path, content: bytes, job: dict[str, Any], timeout: float
    ) -> dict[str, Any] | None:
        """What the child says; None when it had to be ended."""
        limits = {
            "parent": os.getpid(),
            "seconds": self._limits.seconds,
            "memory": self._limits.memory,
            "timeout": timeout,
            "program_memory": self._limits.program_memory,
        }
        (folder / "template").write_bytes(content)
        (folder / "job.json").write_text(json.dumps({**job, "limits": limits}))
        code = _run(folder, timeout)
        if code is None:
            return None
        answer: Any = None
        with suppress(OSError, ValueError):
            answer = json.loads((folder / "answer.json").read_text())
        if not isinstance(answer, dict):
            stderr = (folder / "stderr").read_text(errors="replace")[-2_000:]
            log.warning("A document's process ended with %s: %s", code, stderr)
            if code in (-signal.SIGXCPU, -signal.SIGKILL):
                raise StepError("The document took more time than it may.", kind="limit")
            raise StepError("The document could not be made.", kind="document")
        if "error" in answer:
            message, kind = str(answer["error"]), str(answer.get("kind"))
            raise TemplateError(message) if kind == "template" else StepError(message, kind=kind)
        return answer


def _check_package(content: bytes) -> None:
    try:
        package.check(content)
    except TemplateProblem as problem:
        raise TemplateError(str(problem)) from problem


def _run(folder: Path, timeout: float) -> int | None:
    """The child's exit code; None when it had to be ended."""
    with (folder / "stderr").open("wb") as stderr_file:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", f"{__package__}.child", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr_file,
            cwd=folder,
            env=_environment(folder),
            start_new_session=True,
        )
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        return None
    finally:
        # Also after its end: a program that it started may have left others running.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of ours: no settings, no secrets, no way to the network."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(_CODE),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LC_ALL": "C.UTF-8",
        "MALLOC_ARENA_MAX": "2",
        "HTTP_PROXY": _NOWHERE,
        "HTTPS_PROXY": _NOWHERE,
        "ALL_PROXY": _NOWHERE,
    }
