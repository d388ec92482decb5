"""The guarded HTTP client, against real servers on this machine and names that lie."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import ThreadingHTTPServer
from itertools import pairwise
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automations.adapters.content_codings import decompress
from automations.adapters.http import GuardedHttpClient
from automations.errors import StepError
from automations.ports import HttpRequest, HttpResponse
from tests.hostile import codings, drips
from tests.servers.dripping import dripping
from tests.servers.prompt_handler import PromptHandler

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "identity": bytes,
}


class Handler(PromptHandler):
    seen: ClassVar[list[tuple[str, str, dict[str, str], bytes]]]
    let_go: ClassVar[threading.Event]
    packed: ClassVar[tuple[str, bytes]]
    status: ClassVar[int] = 200

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.seen.append((self.command, self.path, headers, body))
        route = self.path.partition("?")[0]
        answer: Callable[[], None] = getattr(self, f"answer_{route.strip('/')}", self.answer_ok)
        answer()

    do_POST = do_PUT = do_HEAD = do_GET  # the names that the server looks for

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer_ok(self) -> None:
        self.reply(200, b"fine", X_Kind="Plain")

    def answer_loop(self) -> None:
        self.reply(302, Location="/loop")

    def answer_moved(self) -> None:
        self.reply(302, b"x" * 1_000, Location="/ok", Content_Encoding="br")

    def answer_same(self) -> None:
        self.reply(307, Location="/ok")

    def answer_nowhere(self) -> None:
        self.reply(302, Location="http://[x")

    def answer_misspelled(self) -> None:
        self.reply(302, Location="//xn--a/")

    def answer_script(self) -> None:
        self.reply(302, Location="javascript:go()")

    def answer_fork(self) -> None:
        self.fork("/ok", "/other")

    def answer_repeated(self) -> None:
        self.fork("/ok", "/ok")

    def fork(self, *places: str) -> None:
        self.send_response(302)
        for place in places:
            self.send_header("Location", place)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer_short(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "20")
        self.end_headers()
        self.wfile.write(b"half of it")
        self.close_connection = True

    def answer_inside(self) -> None:
        self.reply(302, Location="http://localhost:1/secret")

    def answer_metadata(self) -> None:
        self.reply(302, Location="http://169.254.169.254/latest/meta-data")

    def answer_file(self) -> None:
        self.reply(302, Location="file:///etc/passwd")

    def answer_elsewhere(self) -> None:
        assert isinstance(self.server, ThreadingHTTPServer)
        where = f"http://other.test:{self.server.server_port}/ok"
        self.reply(302, Location=where, Set_Cookie="session=s3cret")

    def answer_large(self) -> None:
        self.reply(200, b"x" * 200_000)

    def answer_bomb(self) -> None:
        self.reply(200, gzip.compress(b"x" * 10_000_000), Content_Encoding="gzip")

    def answer_packed(self) -> None:
        coding, content = self.packed
        self.reply(self.status, content, Content_Encoding=coding)

    def answer_twice(self) -> None:
        self.send_response(200)
        for value in ("a=1; Path=/", "b=2, 3"):
            self.send_header("Set-Cookie", value)
        for value in ("gzip", "gzip"):
            self.send_header("Content-Encoding", value)
        for value in ("one", "two"):
            self.send_header("X-Kind", value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer_other(self) -> None:
        self.send_response(303)
        self.send_header("Location", "/ok")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer_cut(self) -> None:
        # By its end alone one sees that it is not whole: there is no Content-Length.
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(gzip.compress(b"x" * 100_000)[:-40])
        self.close_connection = True

    def answer_slow(self) -> None:
        self.let_go.wait()
        self.reply(200)

    def answer_drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        while not self.let_go.wait(0.1):
            self.wfile.write(b"x")
            self.wfile.flush()

    def answer_garbage(self) -> None:
        self.wfile.write(b"\0\1\2 this is not HTTP\r\n\r\n")
        self.close_connection = True

    def handle(self) -> None:
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # a client that had enough


class Service:
    """A running server and what it was asked."""

    def __init__(self) -> None:
        class Recording(Handler):
            seen: ClassVar = []
            let_go: ClassVar = threading.Event()

        self.handler: type[Handler] = Recording
        self.seen = self.handler.seen
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Recording)
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def url(self, path: str = "/ok", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def stop(self) -> None:
        self.handler.let_go.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def service() -> Iterator[Service]:
    running = Service()
    try:
        yield running
    finally:
        running.stop()


def call(client: GuardedHttpClient, url: str, **more: Any) -> HttpResponse:
    asked = {"method": "GET", "timeout": timedelta(seconds=60), **more}
    return client.request(HttpRequest(url=url, **asked))


def refused(client: GuardedHttpClient, url: str, **more: Any) -> StepError:
    with pytest.raises(StepError) as caught:
        call(client, url, **more)
    return caught.value


def allowing(*names: str) -> GuardedHttpClient:
    """A client that may reach these names, all of which lead to this machine."""
    return GuardedHttpClient(names, resolve=lambda host, port: ["127.0.0.1"])


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0.0.0.0",
        "[::]",
    ],
)
def test_no_spelling_of_this_machine_is_reached(service: Service, host: str) -> None:
    assert refused(GuardedHttpClient(), service.url(host=host)).kind in ("blocked", "config")
    assert service.seen == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://a.test/",
        "gopher://a.test/",
        "http://user:secret@a.test/",
        "http://",
        "/relative",
    ],
)
def test_only_plain_web_addresses_are_requested(url: str) -> None:
    assert refused(GuardedHttpClient(), url).kind == "blocked"


def test_one_private_answer_among_public_ones_refuses_the_name(service: Service) -> None:
    client = GuardedHttpClient(resolve=lambda host, port: ["93.184.216.34", "127.0.0.1"])
    assert refused(client, service.url(host="mixed.test")).kind == "blocked"


def test_a_name_is_resolved_once_so_a_second_answer_changes_nothing(service: Service) -> None:
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    client = GuardedHttpClient(["rebinding.test"], resolve=rebinding)
    assert call(client, service.url(host="rebinding.test")).status == 200
    assert asked == ["rebinding.test"]


@pytest.mark.parametrize("allowed", ["faß.test", "xn--fa-hia.test"])
def test_a_name_is_looked_up_as_it_stands_in_the_request(service: Service, allowed: str) -> None:
    """The system would look for another one, whose owner is another."""
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    client = GuardedHttpClient([allowed], resolve=resolve)
    assert call(client, service.url(host="faß.test")).status == 200
    assert asked == ["xn--fa-hia.test"]
    assert service.seen[0][2]["host"] == f"xn--fa-hia.test:{service.port}"


def test_name_servers_that_say_nothing_are_given_up_in_the_time_of_the_request() -> None:
    let_go = threading.Event()

    def silent(host: str, port: int) -> list[str]:
        let_go.wait()
        return []

    client = GuardedHttpClient(resolve=silent)
    try:
        error = refused(client, "http://slow.test/", timeout=timedelta(seconds=0.2))
    finally:
        let_go.set()
    assert (error.kind, error.retryable) == ("timeout", True)


@pytest.fixture(scope="module")
def nowhere() -> GuardedHttpClient:
    """A client in a place where no name is known."""

    def unknown(host: str, port: int) -> list[str]:
        raise OSError(host)

    return GuardedHttpClient(resolve=unknown)


@given(text=st.text(max_size=40) | st.text(":/?#[]@%.-xn0é\\", max_size=30))
def test_whatever_is_taken_for_an_address_is_refused_in_words(
    nowhere: GuardedHttpClient, text: str
) -> None:
    for address in (text, f"http://{text}", f"https://a.test/{text}", f"http://a.test:{text}"):
        assert refused(nowhere, address).kind in ("blocked", "config", "connection")


@pytest.mark.parametrize("path", ["/nowhere", "/misspelled"])
def test_a_redirect_to_what_is_no_address_is_refused_in_words(service: Service, path: str) -> None:
    client = GuardedHttpClient(["127.0.0.1"])
    assert refused(client, service.url(path)).kind == "config"


@pytest.mark.parametrize("path", ["/inside", "/metadata", "/file", "/script"])
def test_a_redirect_does_not_get_around_the_guard(service: Service, path: str) -> None:
    client = GuardedHttpClient(["127.0.0.1"])
    assert refused(client, service.url(path)).kind == "blocked"


def test_an_allowed_host_and_port_is_reached_and_no_other_port(service: Service) -> None:
    client = GuardedHttpClient([f"127.0.0.1:{service.port}"])
    assert call(client, service.url()).content == b"fine"
    assert refused(client, "http://127.0.0.1:1/").kind == "blocked"


def test_a_pinned_connection_keeps_the_name_in_the_host_header(service: Service) -> None:
    call(allowing("named.test"), service.url(host="named.test"))
    assert service.seen[0][2]["host"] == f"named.test:{service.port}"


def test_no_proxy_of_the_environment_is_used(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert call(allowing("a.test"), service.url(host="a.test")).status == 200


def test_the_answer_has_lower_case_headers_and_the_last_address(service: Service) -> None:
    response = call(allowing("a.test"), service.url("/moved", "a.test"))
    assert (response.status, response.content) == (200, b"fine")
    assert response.headers["x-kind"] == "Plain"
    assert response.url == service.url("/ok", "a.test")


def test_the_query_is_added_to_the_address(service: Service) -> None:
    more = [("b", "x y"), ("a", "2"), ("c", "ż&="), ("c", "")]
    call(allowing("a.test"), service.url("/ok?a=%2f&empty#end", "a.test"), query=more)
    assert service.seen[0][1] == "/ok?a=%2f&empty&b=x+y&a=2&c=%C5%BC%26%3D&c="


def test_redirects_are_left_alone_when_told_so(service: Service) -> None:
    for path, location in {
        "/same": "/ok",
        "/nowhere": "http://[x",
        "/script": "javascript:go()",
        "/fork": "/ok, /other",
    }.items():
        answer = call(allowing("a.test"), service.url(path, "a.test"), follow_redirects=False)
        assert 302 <= answer.status <= 307
        assert answer.headers["location"] == location


def test_a_redirect_leads_to_one_place(service: Service) -> None:
    error = refused(allowing("a.test"), service.url("/fork", "a.test"))
    assert (error.kind, error.retryable) == ("redirects", False)
    assert "several addresses" in error.message
    assert call(allowing("a.test"), service.url("/repeated", "a.test")).content == b"fine"


def test_an_answer_that_breaks_off_is_not_said_to_be_out_of_reach(service: Service) -> None:
    error = refused(allowing("a.test"), service.url("/short", "a.test"))
    assert (error.kind, error.retryable) == ("connection", True)
    assert "gave no whole answer" in error.message


def test_the_body_of_a_redirect_is_not_looked_at_when_it_is_followed(service: Service) -> None:
    client, url = allowing("a.test"), service.url("/moved", "a.test")
    assert call(client, url, max_bytes=10).content == b"fine"
    assert refused(client, url, max_bytes=10, follow_redirects=False).kind == "coding"


def test_a_redirect_loop_ends(service: Service) -> None:
    assert refused(allowing("a.test"), service.url("/loop", "a.test")).kind == "redirects"
    assert len(service.seen) == 6


@pytest.mark.parametrize(
    ("path", "method", "body"), [("/moved", "GET", b""), ("/same", "POST", b"x")]
)
def test_a_redirect_keeps_the_method_only_where_the_standard_says(
    service: Service, path: str, method: str, body: bytes
) -> None:
    call(allowing("a.test"), service.url(path, "a.test"), method="POST", content=b"x")
    assert (service.seen[1][0], service.seen[1][3]) == (method, body)


@pytest.mark.parametrize(("method", "then"), [("HEAD", "HEAD"), ("PUT", "GET"), ("POST", "GET")])
def test_another_place_is_looked_at_and_a_head_stays_one(
    service: Service, method: str, then: str
) -> None:
    call(allowing("a.test"), service.url("/other", "a.test"), method=method)
    assert [seen[0] for seen in service.seen] == [method, then]


def test_credentials_do_not_follow_a_redirect_to_another_host(service: Service) -> None:
    headers = {
        "authorization": "Bearer x",
        "cookie": "a=b",
        "x-api-key": "k",
        "x-own-token": "t",
        "accept": "text/plain",
    }
    client = allowing("a.test", "other.test")
    call(client, service.url("/elsewhere", "a.test"), headers=headers)
    first, second = service.seen[0][2], service.seen[1][2]
    assert headers.items() <= first.items()
    assert second["accept"] == "text/plain"
    assert not {"authorization", "cookie", "x-api-key", "x-own-token"} & second.keys()


@pytest.mark.parametrize("path", ["/large", "/bomb"])
def test_an_answer_over_the_limit_is_refused_also_when_it_came_packed(
    service: Service, path: str
) -> None:
    error = refused(allowing("a.test"), service.url(path, "a.test"), max_bytes=100_000)
    assert error.kind == "too_large"


@pytest.mark.parametrize("name", codings.TAKEN)
def test_an_answer_in_one_coding_is_unpacked(service: Service, name: str) -> None:
    service.handler.packed = codings.TAKEN[name]
    assert call(allowing("a.test"), service.url("/packed", "a.test")).content == codings.TEXT


@pytest.mark.parametrize("name", codings.REFUSED)
@pytest.mark.parametrize(("method", "retryable"), [("GET", True), ("POST", False)])
def test_an_answer_that_cannot_be_unpacked_is_told_and_no_post_is_repeated(
    service: Service, name: str, method: str, retryable: bool
) -> None:
    service.handler.packed = codings.REFUSED[name]
    error = refused(allowing("a.test"), service.url("/packed", "a.test"), method=method)
    assert (error.kind, error.retryable) == ("coding", retryable)
    assert error.message.startswith("The answer of a.test ")


def test_an_error_that_cannot_be_unpacked_says_its_status(service: Service) -> None:
    service.handler.packed, service.handler.status = codings.REFUSED["brotli"], 503
    error = refused(allowing("a.test"), service.url("/packed", "a.test"), method="POST")
    assert (error.kind, error.retryable) == ("coding", True)
    assert error.message.startswith("The answer of a.test has the status 503, and has the content")


def test_the_error_names_a_coding_that_is_not_known(service: Service) -> None:
    service.handler.packed = codings.REFUSED["brotli"]
    assert "'br'" in refused(allowing("a.test"), service.url("/packed", "a.test")).message


@pytest.mark.parametrize("name", codings.BOMBS)
def test_nothing_grows_beyond_the_limit_when_it_is_unpacked(service: Service, name: str) -> None:
    service.handler.packed = codings.BOMBS[name]
    client, url = allowing("a.test"), service.url("/packed", "a.test")
    tracemalloc.start()
    try:
        error = refused(client, url, max_bytes=100_000, timeout=timedelta(seconds=30))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert error.kind == "too_large"
    assert most < 5_000_000


@given(
    content=st.binary(max_size=3_000),
    cuts=st.lists(st.integers(1, 400), max_size=20),
    packing=st.sampled_from(list(PACKERS)),
)
def test_an_answer_is_the_same_in_whatever_pieces_it_comes(
    content: bytes, cuts: list[int], packing: str
) -> None:
    packed = PACKERS[packing](content)
    places = [0, *sorted(cut for cut in cuts if cut < len(packed)), len(packed)]
    pieces = [packed[a:b] for a, b in pairwise(places)]
    assert b"".join(decompress(packing, iter(pieces))) == content


def test_only_what_can_be_unpacked_is_asked_for(service: Service) -> None:
    call(allowing("a.test"), service.url("/ok", "a.test"))
    call(allowing("a.test"), service.url("/ok", "a.test"), headers={"Accept-Encoding": "br"})
    assert [seen[2]["accept-encoding"] for seen in service.seen] == ["gzip, deflate", "br"]


def test_an_answer_that_ends_early_is_no_shorter_answer(service: Service) -> None:
    assert refused(allowing("a.test"), service.url("/cut", "a.test")).kind == "coding"


def test_the_answer_to_a_head_has_the_headers_of_what_it_does_not_send(service: Service) -> None:
    service.handler.packed = codings.REFUSED["brotli"]
    answer = call(allowing("a.test"), service.url("/packed", "a.test"), method="HEAD")
    assert (answer.content, answer.headers["content-encoding"]) == (b"", "br")


def test_headers_that_come_twice_are_joined_and_cookies_are_not(service: Service) -> None:
    answer = call(allowing("a.test"), service.url("/twice", "a.test"))
    assert answer.headers["x-kind"] == "one, two"
    assert answer.cookies == ("a=1; Path=/", "b=2, 3")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("value", ["ż", "a\x01b\x0b", " a", "a\r\nHost: inside", "s3cret\n"])
def test_a_header_that_cannot_be_sent_is_refused_without_being_told(
    service: Service, value: str
) -> None:
    error = refused(allowing("a.test"), service.url(host="a.test"), headers={"x-key": value})
    assert (error.kind, error.retryable) == ("config", False)
    assert "s3cret" not in error.message
    assert service.seen == []


@pytest.mark.parametrize("path", ["/slow", "/drip"])
def test_the_time_limit_holds_for_silence_and_for_a_drip(service: Service, path: str) -> None:
    error = refused(allowing("a.test"), service.url(path, "a.test"), timeout=timedelta(seconds=0.5))
    assert (error.kind, error.retryable) == ("timeout", True)


@pytest.mark.parametrize("name", drips.HTTP)
def test_the_time_limit_holds_for_whatever_drips(name: str) -> None:
    with dripping(*drips.HTTP[name]) as port:
        where = f"http://a.test:{port}/"
        error = refused(allowing("a.test"), where, timeout=timedelta(seconds=0.5))
    assert (error.kind, error.retryable) == ("timeout", True)


def test_the_time_limit_holds_for_a_service_that_takes_nothing(service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        where = f"http://a.test:{deaf.getsockname()[1]}/"
        more = {"method": "POST", "content": b"x" * 20_000_000, "timeout": timedelta(seconds=0.5)}
        assert refused(allowing("a.test"), where, **more).kind == "timeout"


def test_garbage_instead_of_http_may_be_tried_again(service: Service) -> None:
    error = refused(allowing("a.test"), service.url("/garbage", "a.test"))
    assert (error.kind, error.retryable) == ("connection", True)
    assert error.message.endswith("gave no whole answer: illegal status line")


def test_a_closed_port_may_be_tried_again(service: Service) -> None:
    service.server.socket.close()
    error = refused(allowing("a.test"), service.url(host="a.test"))
    assert (error.kind, error.retryable) == ("connection", True)


def test_an_unknown_name_may_be_tried_again() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise OSError("not known")

    error = refused(GuardedHttpClient(resolve=unknown), "http://nowhere.test/")
    assert (error.kind, error.retryable) == ("connection", True)


@pytest.mark.parametrize(
    "address",
    ["ftp://a.test/?key=s3cret", "http://a b/?key=s3cret", "http://u:s3cret@a.test/", "s3cret"],
)
def test_no_error_repeats_the_address_which_may_hold_a_secret(address: str) -> None:
    error = refused(GuardedHttpClient(), address)
    assert "s3cret" not in error.message


def test_no_log_repeats_the_address(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        call(allowing("a.test"), service.url("/ok?key=s3cret", "a.test"))
    assert "s3cret" not in caplog.text
