"""The port for requests to outside services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request to an outside service.

    Args:
        query: names and values that come behind those of the address.
    """

    method: str
    url: str
    timeout: timedelta
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    follow_redirects: bool = True
    max_bytes: int = 1_000_000


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What came back.

    Args:
        headers: with their names in lower case; those that came twice are joined by commas.
        content: unpacked, and within ``max_bytes``.
        cookies: each Set-Cookie header, which is in none of ``headers``: it cannot be joined.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes
    url: str
    cookies: Sequence[str] = ()


class HttpClient(Protocol):
    """Speaks HTTP to public addresses only, unless allowed; raises StepError."""

    def request(self, request: HttpRequest) -> HttpResponse: ...


class SignatureVerifier(Protocol):
    """Tells genuine deliveries of webhooks from others."""

    def verify(
        self,
        scheme: str,
        secret: str,
        headers: Mapping[str, str],
        body: bytes,
        header: str | None = None,
    ) -> None:
        """Return when it is genuine.

        Args:
            headers: with their names in lower case.
            header: the one that holds the secret, in the scheme ``header``.

        Raises:
            SignatureRefused: it is not, or it is too old.
        """
        ...
