"""The port for scripts of users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class ScriptLimits:
    """How much a script may take."""

    seconds: float
    memory_bytes: int
    output_bytes: int = 1_000_000


@dataclass(frozen=True, slots=True)
class ScriptFault:
    """An error that a script did not catch.

    Args:
        line: of the user's code, from 1; None when the error does not say.
    """

    name: str
    message: str
    line: int | None


@dataclass(frozen=True, slots=True)
class ScriptResult:
    """What a script came to.

    Args:
        value: what it returned, as JSON.
        variables: the workflow variables that it changed.
        fault: the error that ended it; there is no value then.
    """

    value: Any
    logs: tuple[str, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    fault: ScriptFault | None = None


class ScriptRunner(Protocol):
    """Runs users' scripts where they can reach nothing; raises StepError at a limit."""

    def run(
        self, code: str, input_data: Any, variables: Mapping[str, Any], limits: ScriptLimits
    ) -> ScriptResult: ...
