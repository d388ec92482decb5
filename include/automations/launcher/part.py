"""One part of an installation: its process, and its probe."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, field

from automations.launcher.fork_server import ForkServer
from automations.launcher.probes import Probe

Listening = tuple[str, int, str]
"""Address, port and the setting that moves it."""


@dataclass(frozen=True)
class Part:
    """One supervised process."""

    name: str
    command: Callable[[], list[str]]
    environment: dict[str, str]
    probe: Probe | None = None
    needs: tuple[str, ...] = ()
    prepare: Callable[[], None] | None = None
    once: bool = field(default=False, kw_only=True)
    """It does something and ends; a failure fails the start."""
    stop_rank: int = field(default=0, kw_only=True)
    """Higher ranks are stopped earlier."""
    stop_signal: signal.Signals = field(default=signal.SIGTERM, kw_only=True)
    stop_timeout: float = field(default=10.0, kw_only=True)
    orphan_grace: float = field(default=0.0, kw_only=True)
    """How long what a killed process was working on may go on."""
    hung_after: float | None = field(default=90.0, kw_only=True)
    """How long it may do nothing and not answer before it is restarted; None: it never is."""
    ports: tuple[Listening, ...] = field(default=(), kw_only=True)
    fork_server: ForkServer | None = field(default=None, kw_only=True)
    """What it is, when it is a process that forks others."""
    forked: Forked | None = field(default=None, kw_only=True)
    """How it begins sooner than by its command, while what that takes is there."""


@dataclass(frozen=True)
class Forked:
    """How a part's process is forked from one that has imported what it needs.

    Args:
        by: the part that does it, waited for while all is started.
        command: in the words of ``automations_airflow.executors.fork_server``.
    """

    by: Part
    command: tuple[str, ...]
