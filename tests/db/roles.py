"""Roles that tests of the engine play: they keep what they are given."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from automations.errors import StepError
from automations.kit.values import JSON
from automations.ports import Mail, MailReceipt, ScriptLimits, ScriptResult


class Outbox:
    """A mailer that keeps what it is given, and fails when told to."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []
        self.failures: list[StepError] = []
        self.busy = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self.watch: Callable[[Mail], object] = lambda _: None
        """Is told of each before it is sent."""

    def send(self, mail: Mail) -> MailReceipt:
        self.busy.set()
        self.watch(mail)
        assert self.go_on.wait(60)
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(mail)
        return MailReceipt(f"<{mail.key}>", "test", mail.to, ())


class Scripts:
    """A script runner that sets a variable, as told."""

    def __init__(self) -> None:
        self.seen: list[Mapping[str, JSON]] = []
        self.sets: Mapping[str, JSON] = {}
        self.limits: list[ScriptLimits] = []

    def run(
        self, code: str, given: JSON, variables: Mapping[str, JSON], limits: ScriptLimits
    ) -> ScriptResult:
        self.seen.append(variables)
        self.limits.append(limits)
        return ScriptResult({"ran": code}, variables=self.sets)
