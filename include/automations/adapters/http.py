"""Speaks HTTP to the outside, never to the inside: the SSRF guard.

The name is resolved once; if any of its addresses is not public the request is refused, otherwise
the connection goes to that very address, so that a second answer of the name server changes
nothing. Redirects are walked by ourselves, each under the same guard.
"""

from __future__ import annotations

import logging
import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from functools import lru_cache
from urllib.parse import urlencode, urljoin

import httpx

from automations.adapters.content_codings import ACCEPTED, CodingError, unpacked
from automations.errors import StepError
from automations.kit.public_addresses import is_public
from automations.ports import HttpRequest, HttpResponse

_MAX_REDIRECTS = 5
"""As many as services make; each is a request to an address that was checked anew."""
# Any other header may hold a secret, under a name that only its service knows.
_HARMLESS = frozenset(
    {
        *("accept", "accept-encoding", "accept-language", "content-language", "content-type"),
        *("idempotency-key", "range", "traceparent", "tracestate", "user-agent", "x-request-id"),
    }
)
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_FRAMES = 10_000
"""Bytes that an answer may have beside its content: headers of what it is packed in."""

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
            StepError: kind ``blocked`` for a forbidden address, ``config`` for what cannot be sent,
                ``timeout``, ``connection``, ``coding``, ``redirects`` or ``too_large`` otherwise.
        """
        deadline = time.monotonic() + request.timeout.total_seconds()
        url = _with_query(request)
        method, content = request.method, request.content
        headers = {"accept-encoding": ACCEPTED}
        headers |= {name.lower(): value for name, value in request.headers.items()}
        with httpx.Client(verify=_trusted(), trust_env=False, follow_redirects=False) as client:
            for _ in range(_MAX_REDIRECTS + 1):
                response = self._once(client, method, url, headers, content, request, deadline)
                if not _leads_on(request, response.status, response.headers):
                    return response
                following = _parse(urljoin(str(url), response.headers["location"]))
                if following.netloc != url.netloc or following.scheme != url.scheme:
                    headers = {k: v for k, v in headers.items() if k in _HARMLESS}
                    # The jar knows addresses, of which several hosts may share one.
                    client.cookies.clear()
                if response.status == 303 or (response.status < 303 and method == "POST"):
                    method, content = "HEAD" if method == "HEAD" else "GET", None
                    headers.pop("content-type", None)
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
                body = b""
                if not _leads_on(request, answer.status_code, answer.headers):
                    body = _read(answer, request.max_bytes, deadline, request.timeout)
            finally:
                answer.close()
        except httpx.TimeoutException as error:
            raise _timeout(request.timeout) from error
        except CodingError as error:
            raise StepError(
                f"The answer of {url.host} {error}.",
                kind="coding",
                # The service has done what it was asked for.
                retryable=method in _REPEATABLE,
            ) from error
        except (httpx.LocalProtocolError, UnicodeError) as error:
            # In other words than the library's, which repeat the header, and with it a secret.
            raise StepError(
                "A header has characters that no header can hold.", kind="config"
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise StepError(
                f"{url.host} cannot be reached: {error or type(error).__name__}",
                kind="connection",
                retryable=True,
            ) from error
        return HttpResponse(
            status=answer.status_code,
            headers={k.lower(): v for k, v in answer.headers.items() if k.lower() != "set-cookie"},
            content=body,
            url=str(url),
            cookies=tuple(answer.headers.get_list("set-cookie")),
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


def _leads_on(request: HttpRequest, status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer is a redirect to follow, whatever its body is."""
    redirects = status in (301, 302, 303, 307, 308) and "location" in headers
    return request.follow_redirects and redirects


def _with_query(request: HttpRequest) -> httpx.URL:
    url = _parse(request.url)
    if not request.query:
        return url
    # Behind what the address has, which is kept as it was written.
    return url.copy_with(query=b"&".join(filter(None, (url.query, _encoded(request.query)))))


def _encoded(query: Iterable[tuple[str, str]]) -> bytes:
    return urlencode(list(query)).encode()


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
    # Unchunked: waiting for full chunks would let a slow drip pass the time limit. What is packed
    # is counted, too: a stream that unpacks to nothing has no other end.
    packed = _counted(answer.iter_raw(), 2 * max_bytes + _FRAMES, max_bytes)
    parts = unpacked(answer.headers.get("content-encoding", ""), packed)
    read: list[bytes] = []
    for part in _counted(parts, max_bytes, max_bytes):
        if time.monotonic() > deadline:
            raise _timeout(timeout)
        read.append(part)
    return b"".join(read)


def _counted(parts: Iterable[bytes], most: int, max_bytes: int) -> Iterator[bytes]:
    size = 0
    for part in parts:
        size += len(part)
        if size > most:
            raise StepError(f"The answer has more than {max_bytes} bytes.", kind="too_large")
        yield part


def _timeout(timeout: timedelta) -> StepError:
    seconds = timeout.total_seconds()
    return StepError(f"No full answer within {seconds:g} s.", kind="timeout", retryable=True)
