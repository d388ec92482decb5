"""The HTTP client for outside services, with the guard against SSRF.

The name is resolved once; if any of its addresses is not public the request is refused, otherwise
the connection goes to that very address, so that a second answer of the name server changes
nothing. Redirects are walked by ourselves, each under the same guard.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from urllib.parse import urlencode, urljoin

import httpx

from automations.adapters import tls_contexts
from automations.adapters.content_codings import ACCEPTED, CodingError, decompress
from automations.adapters.deadline_transport import LOCATIONS, DeadlineTransport
from automations.adapters.dns_lookups import Resolve, resolve_within, system_resolver
from automations.errors import StepError
from automations.kit.default_ports import DEFAULT_PORTS
from automations.kit.public_addresses import is_public
from automations.ports import HttpRequest, HttpResponse

_MAX_REDIRECTS = 5
"""As many as services make; each is a request to an address that is checked, too."""
# Any other header may hold a secret, under a name that only its service knows.
_HARMLESS = frozenset(
    {
        *("accept", "accept-encoding", "accept-language", "content-language", "content-type"),
        *("idempotency-key", "range", "traceparent", "tracestate", "user-agent", "x-request-id"),
    }
)
_MAX_LOCATION = 8_000
"""Characters of an address that a service leads on to: as many as a step may request."""
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_MAX_OVERHEAD = 10_000
"""Bytes that an answer may have beside its content: headers of what it is packed in."""

# It logs whole addresses, and these may hold secrets.
logging.getLogger("httpx").setLevel(logging.WARNING)


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
        transport = DeadlineTransport(tls_contexts.of_web(), deadline)
        with httpx.Client(transport=transport, trust_env=False, timeout=None) as client:  # noqa: S113 -- the transport's
            for _ in range(_MAX_REDIRECTS + 1):
                response = self._once(client, method, url, headers, content, request, deadline)
                if not _is_redirect(request, response.status, response.headers):
                    return response
                location = response.headers["location"]
                if len(location) > _MAX_LOCATION:
                    raise StepError("The address of a redirect is too long.", kind="redirects")
                following = _parse(location, str(url))
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
        address = guarded_address(url.host, _port(url), deadline, self._allow, self._resolve)
        pinned = url.copy_with(host=address)
        with _step_errors(url.host, request.timeout):
            built = client.build_request(
                method,
                pinned,
                headers={**headers, "host": url.netloc.decode()},
                content=content,
                extensions={"sni_hostname": url.raw_host.decode()} if url.scheme == "https" else {},
            )
            answer = client.send(built, stream=True)
            try:
                body = _read_body(answer, request, url.host, method, deadline)
            finally:
                answer.close()
        return HttpResponse(
            status=answer.status_code,
            headers={k.lower(): v for k, v in answer.headers.items() if k.lower() != "set-cookie"},
            content=body,
            url=str(url),
            cookies=tuple(answer.headers.get_list("set-cookie")),
        )


@contextmanager
def _step_errors(host: str, timeout: timedelta) -> Iterator[None]:
    """Translate the library's errors in the block."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise _timeout(timeout) from error
    except (httpx.LocalProtocolError, UnicodeError) as error:
        # In other words than the library's, which repeat the header, and with it a secret.
        raise StepError(
            "A header has characters that no header can hold.", kind="config"
        ) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        failure = "cannot be reached"
        if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError):
            failure = "gave no whole answer"
        # Without what the service has sent, which the library shows as Python writes it.
        reason = str(error).partition(": bytearray(")[0] or type(error).__name__
        raise StepError(f"{host} {failure}: {reason}", kind="connection", retryable=True) from error


def guarded_address(
    host: str,
    port: int,
    deadline: float,
    allow: Collection[str] = (),
    resolve: Resolve = system_resolver,
) -> str:
    """The one address to connect to for a host.

    Args:
        deadline: of ``time.monotonic``, until which the name servers have time.

    Raises:
        StepError: the host is not known, or not public and not allowed.
    """
    host = host.lower().rstrip(".")
    try:
        name = _on_the_wire(host)
        addresses = resolve_within(deadline, resolve, name, port)
    except TimeoutError as error:
        raise StepError(
            f"The name servers say nothing of {host} in time.", kind="timeout", retryable=True
        ) from error
    except (OSError, UnicodeError, httpx.InvalidURL) as error:
        raise StepError(
            f"The host {host} is not known.", kind="connection", retryable=True
        ) from error
    allowed = any(
        host_name in allow or f"{host_name}:{port}" in allow for host_name in (host, name)
    )
    for address in addresses:
        if not allowed and not is_public(address):
            raise StepError(
                f"{host} is not a public address. An administrator can allow it by "
                "AUTOMATIONS_HTTP_ALLOW.",
                kind="blocked",
            )
    if not addresses:
        raise StepError(f"The host {host} has no address.", kind="connection")
    return addresses[0]


def guarded_server(address: str, deadline: float, allow: Collection[str] = ()) -> str:
    """The same, of the server that a whole address names.

    Raises:
        StepError: as ``guarded_address``; or it is no address.
    """
    url = _http_url(address)
    return guarded_address(url.host, _port(url), deadline, allow)


def _port(url: httpx.URL) -> int:
    return url.port or DEFAULT_PORTS[url.scheme]


def _on_the_wire(host: str) -> str:
    """A name as it stands in the Host header and the certificate: the system spells some others."""
    return host if host.isascii() else httpx.URL(scheme="http", host=host).raw_host.decode()


def _is_redirect(request: HttpRequest, status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer is a redirect to follow, whatever its body is."""
    redirects = status in (301, 302, 303, 307, 308) and "location" in headers
    return request.follow_redirects and redirects


def _with_query(request: HttpRequest) -> httpx.URL:
    url = _parse(request.url)
    if not request.query:
        return url
    # Behind what the address has, which is kept as it was written.
    return url.copy_with(query=b"&".join(filter(None, (url.query, _encode_query(request.query)))))


def _encode_query(query: Iterable[tuple[str, str]]) -> bytes:
    return urlencode(list(query)).encode()


def _parse(text: str, base: str = "") -> httpx.URL:
    url = _http_url(text, base)
    if url.userinfo:
        raise StepError("An address must not hold a user name or password.", kind="blocked")
    return url


def _http_url(text: str, base: str = "") -> httpx.URL:
    try:
        url = httpx.URL(urljoin(base, text) if base else text)
        # It is decoded when it is read.
        host = url.host
    except (httpx.InvalidURL, ValueError) as error:
        raise StepError("The address is not valid.", kind="config") from error
    if url.scheme not in ("http", "https") or not host:
        raise StepError("The address must begin with http:// or https://.", kind="blocked")
    return url


def _read_body(
    answer: httpx.Response, request: HttpRequest, host: str, method: str, deadline: float
) -> bytes:
    """The body of an answer; that of a redirect to follow is not read."""
    locations = dict.fromkeys(answer.extensions[LOCATIONS])
    if locations:
        answer.headers["location"] = ", ".join(locations)
    if _is_redirect(request, answer.status_code, answer.headers):
        if len(locations) > 1:
            raise StepError("A redirect leads to several addresses.", kind="redirects")
        return b""
    try:
        return _read(answer, request.max_bytes, deadline, request.timeout)
    except CodingError as error:
        status = answer.status_code
        problem = "" if status < 400 else f" has the status {status}, and"
        raise StepError(
            f"The answer of {host}{problem} {error}.",
            kind="coding",
            # Otherwise the service has done what it was asked for.
            retryable=method in _REPEATABLE or status in (429, 502, 503, 504),
        ) from error


def _read(answer: httpx.Response, max_bytes: int, deadline: float, timeout: timedelta) -> bytes:
    # Unchunked: waiting for full chunks would let a slow drip pass the time limit. What is packed
    # is counted, too: a stream that unpacks to nothing has no other end.
    packed = _limit_size(answer.iter_raw(), 2 * max_bytes + _MAX_OVERHEAD, max_bytes)
    parts = decompress(answer.headers.get("content-encoding", ""), packed)
    read: list[bytes] = []
    for part in _limit_size(parts, max_bytes, max_bytes):
        if time.monotonic() > deadline:
            raise _timeout(timeout)
        read.append(part)
    return b"".join(read)


def _limit_size(parts: Iterable[bytes], limit: int, max_bytes: int) -> Iterator[bytes]:
    size = 0
    for part in parts:
        size += len(part)
        if size > limit:
            raise StepError(f"The answer has more than {max_bytes} bytes.", kind="too_large")
        yield part


def _timeout(timeout: timedelta) -> StepError:
    seconds = timeout.total_seconds()
    return StepError(f"No full answer within {seconds:g} s.", kind="timeout", retryable=True)
