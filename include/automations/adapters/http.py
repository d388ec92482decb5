"""Speaks HTTP to the outside, never to the inside: the SSRF guard.

The name is resolved once; if any of its addresses is not public the request is refused, otherwise
the connection goes to that very address, so that a second answer of the name server changes
nothing. Redirects are walked by ourselves, each under the same guard.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta
from functools import lru_cache
from urllib.parse import urljoin

import httpx

from automations.errors import StepError
from automations.ports import HttpRequest, HttpResponse

_MAX_REDIRECTS = 5
# Any other header may hold a secret, under a name that only its service knows.
_HARMLESS = frozenset(
    {
        *("accept", "accept-encoding", "accept-language", "content-language", "content-type"),
        *("idempotency-key", "range", "traceparent", "tracestate", "user-agent", "x-request-id"),
    }
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

# It logs whole addresses, and these may hold secrets.
logging.getLogger("httpx").setLevel(logging.WARNING)

Resolve = Callable[[str, int], Iterable[str]]


def system_resolver(host: str, port: int) -> list[str]:
    """Every address that the system knows for a host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """The authorities whose certificates count; to read them takes 20 ms."""
    return httpx.create_ssl_context(trust_env=False)


class GuardedHttpClient:
    """An HTTP client for users' requests.

    Args:
        allow: hosts, as ``host`` or ``host:port``, that may be reached though not public.
    """

    def __init__(self, allow: Iterable[str] = (), resolve: Resolve = system_resolver) -> None:
        self._allow = frozenset(entry.lower() for entry in allow)
        self._resolve = resolve

    def request(self, request: HttpRequest) -> HttpResponse:
        """Make a request and read its answer.

        Raises:
            StepError: kind ``blocked`` for a forbidden address, ``timeout``, ``connection`` or
                ``too_large`` otherwise.
        """
        deadline = time.monotonic() + request.timeout.total_seconds()
        url = _with_query(request)
        method, content, headers = request.method, request.content, dict(request.headers)
        with httpx.Client(verify=_trusted(), trust_env=False, follow_redirects=False) as client:
            for _ in range(_MAX_REDIRECTS + 1):
                response = self._once(client, method, url, headers, content, request, deadline)
                target = response.headers.get("location")
                if not request.follow_redirects or response.status not in (301, 302, 303, 307, 308):
                    return response
                if target is None:
                    return response
                following = _parse(urljoin(str(url), target))
                if following.netloc != url.netloc or following.scheme != url.scheme:
                    headers = {k: v for k, v in headers.items() if k.lower() in _HARMLESS}
                if response.status == 303 or (response.status < 303 and method == "POST"):
                    method, content = "GET", None
                    headers = {k: v for k, v in headers.items() if k.lower() != "content-type"}
                url = following
        raise StepError(f"More than {_MAX_REDIRECTS} redirects.", kind="redirects")

    def _once(
        self,
        client: httpx.Client,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        content: bytes | None,
        request: HttpRequest,
        deadline: float,
    ) -> HttpResponse:
        port = url.port or (443 if url.scheme == "https" else 80)
        address = guarded_address(url.host, port, self._allow, self._resolve)
        pinned = url.copy_with(host=address)
        left = max(deadline - time.monotonic(), 0.001)
        try:
            built = client.build_request(
                method,
                pinned,
                headers={**headers, "host": url.netloc.decode()},
                content=content,
                timeout=httpx.Timeout(left),
                extensions={"sni_hostname": url.host} if url.scheme == "https" else {},
            )
            answer = client.send(built, stream=True)
            try:
                body = _read(answer, request.max_bytes, deadline, request.timeout)
            finally:
                answer.close()
        except httpx.TimeoutException as error:
            raise _timeout(request.timeout) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise StepError(
                f"{url.host} cannot be reached: {error or type(error).__name__}",
                kind="connection",
                retryable=True,
            ) from error
        return HttpResponse(
            status=answer.status_code,
            headers={name.lower(): value for name, value in answer.headers.items()},
            content=body,
            url=str(url),
        )


def guarded_address(
    host: str, port: int, allow: Collection[str] = (), resolve: Resolve = system_resolver
) -> str:
    """The one address to connect to for a host.

    Raises:
        StepError: the host is not known, or not public and not allowed.
    """
    host = host.lower().rstrip(".")
    try:
        found = list(resolve(host, port))
    except (OSError, UnicodeError) as error:
        raise StepError(
            f"The host {host} is not known.", kind="connection", retryable=True
        ) from error
    allowed = host in allow or f"{host}:{port}" in allow
    for address in found:
        if not allowed and not is_public(address):
            raise StepError(
                f"{host} is not a public address. An administrator can allow it by "
                "AUTOMATIONS_HTTP_ALLOW.",
                kind="blocked",
            )
    if not found:
        raise StepError(f"The host {host} has no address.", kind="connection")
    return found[0]


def is_public(address: str) -> bool:
    """Whether an address is on the public internet, whatever form it is written in."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour
        if parsed in _NAT64:
            inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return parsed.is_global and not parsed.is_multicast


def _with_query(request: HttpRequest) -> httpx.URL:
    url = _parse(request.url)
    return url.copy_merge_params(dict(request.query)) if request.query else url


def _parse(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise StepError("The address is not valid.", kind="config") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise StepError("The address must begin with http:// or https://.", kind="blocked")
    if url.userinfo:
        raise StepError("An address must not hold a user name or password.", kind="blocked")
    return url


def _read(answer: httpx.Response, max_bytes: int, deadline: float, timeout: timedelta) -> bytes:
    # Unchunked: waiting for full chunks would let a slow drip pass the time limit.
    parts: list[bytes] = []
    size = 0
    for part in answer.iter_bytes():
        size += len(part)
        if size > max_bytes:
            raise StepError(f"The answer has more than {max_bytes} bytes.", kind="too_large")
        if time.monotonic() > deadline:
            raise _timeout(timeout)
        parts.append(part)
    return b"".join(parts)


def _timeout(timeout: timedelta) -> StepError:
    seconds = timeout.total_seconds()
    return StepError(f"No full answer within {seconds:g} s.", kind="timeout", retryable=True)
