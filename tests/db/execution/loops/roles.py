"""Roles that tests of loops play, and what kills the process that is in one."""

from __future__ import annotations

import threading

from automations.ports import HttpRequest, HttpResponse, Mail, MailReceipt


class Outbox:
    """A mailer that keeps what it is given, and fails or is killed at chosen bodies."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []
        self.failures: dict[str, list[BaseException]] = {}
        self.together: threading.Barrier | None = None

    @property
    def bodies(self) -> list[str]:
        return [mail.body for mail in self.sent]

    def send(self, mail: Mail) -> MailReceipt:
        if self.together is not None:
            self.together.wait(60)
        if failures := self.failures.get(mail.body):
            raise failures.pop(0)
        self.sent.append(mail)
        return MailReceipt(f"<{mail.key}>", "test", mail.to, ())


class Service:
    """A service that is told where to report."""

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []

    def request(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        return HttpResponse(202, {"content-type": "application/json"}, b"{}", request.url)

    @property
    def token(self) -> str:
        return (self.requests[-1].content or b"").decode().rpartition("/")[2].rstrip('"}')
