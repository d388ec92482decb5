"""Bodies: how many bytes of them are held at once, for how long, and by whose address."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from api_bridge.middleware import held_bodies, request_guard
from api_bridge.middleware.held_bodies import HeldBody
from automations.db.session import reading
from automations.db.tables import SecurityEvent
from automations.services.access.api_keys import create_key
from tests.api.conftest import FORM, Api
from tests.api.served import HEALTH, TIMEOUT, asked

DOORS = (
    "POST /api/forms/{}/public",
    "POST /api/forms/requests/{}",
    "POST /api/workflows/callback/{}",
    "POST /api/webhooks/{}",
    "PUT /api/webhooks/{}",
    "POST /api/pipelines/webhooks/{}",
)
"""Where everybody may send something."""


def head(door: str, *headers: str) -> bytes:
    lines = (f"{door} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", *headers)
    return "\r\n".join((*lines, "", "")).encode()


@contextmanager
def begun(
    place: tuple[str, int], door: str, size: int, *headers: str, source: str = "127.0.0.1"
) -> Iterator[socket.socket]:
    """A request whose body lacks its last byte."""
    with socket.create_connection(place, TIMEOUT, (source, 0)) as connection:
        connection.sendall(head(door, f"Content-Length: {size}", *headers) + b" " * (size - 1))
        yield connection


def until_held(size: int) -> None:
    deadline = time.monotonic() + TIMEOUT
    while HeldBody.total_held() != size:
        assert time.monotonic() < deadline, HeldBody.total_held()
        time.sleep(0.01)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("length", ["Content-Length: 900000", "Transfer-Encoding: chunked"])
def test_at_an_address_that_is_unknown_no_large_body_is_read(
    here: tuple[str, int], door: str, length: str
) -> None:
    # Not a byte of the body is sent, and the answer comes all the same.
    answer = asked(here, head(door.format("nope"), length))
    assert answer.startswith(b"HTTP/1.1 404"), answer


def test_who_guesses_addresses_is_stopped_there_too(here: tuple[str, int]) -> None:
    answers = [
        asked(here, head(f"POST /api/forms/nope{number}/public", "Content-Length: 900000"))
        for number in range(70)
    ]
    assert [answer.split(b" ")[1] for answer in answers].count(b"429") == 10


def test_a_page_of_its_own_says_that_there_is_no_such_form(here: tuple[str, int]) -> None:
    request = b"POST /api/forms/nope/public HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    kind = b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 900000\r\n\r\n"
    answer = asked(here, request + kind)
    assert b"There is no public form of this address." in answer
    assert b"content-type: text/html" in answer


def test_a_large_body_at_a_known_address_is_taken(api: Api, here: tuple[str, int]) -> None:
    url = api.workflow(trigger={"type": "webhook", "verification": "none"})["webhookUrl"]
    path = "/" + url.split("/", 3)[3]
    body = b'{"a": "' + b"x" * 900_000 + b'"}'
    request = head(f"POST {path}", f"Content-Length: {len(body)}")
    assert asked(here, request + body).startswith(b"HTTP/1.1 202")


def test_what_one_sender_has_begun_keeps_the_others_bodies_from_nobody(
    api: Api, here: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_bodies, "MAX_HELD_OF_ONE", 100_000)
    form = api.call("POST", "/api/forms", {**FORM, "public": True}).json()["id"]
    door = f"POST /api/forms/{form}/public"
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(begun(here, door, 40_000))
        until_held(79_998)
        refused = asked(here, head(door, "Content-Length: 30000") + b" " * 30_000)
        assert refused.startswith(b"HTTP/1.1 429")
        assert b"retry-after" in refused.lower()
        # An address of somebody else, and a key that comes from the same one.
        for other in (
            stack.enter_context(begun(here, door, 40_000, source="127.0.0.2")),
            stack.enter_context(
                begun(
                    here, "POST /api/tables", 40_000, f"Authorization: Bearer {api.keys['OWNER']}"
                )
            ),
        ):
            other.sendall(b" ")
            assert other.recv(65_536).startswith(b"HTTP/1.1 400")
        until_held(79_998)
    until_held(0)
    assert asked(here, head(door, "Content-Length: 30000") + b" " * 30_000).startswith(
        b"HTTP/1.1 400"
    )


def test_all_together_hold_no_more_than_there_is_room_for(
    here: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_bodies, "MAX_HELD", 100_000)
    key = create_key("OWNER", "another")
    door = "POST /api/tables", 60_000, f"Authorization: Bearer {key}"
    with begun(here, *door):
        until_held(59_999)
        other = head("POST /api/session", "Content-Length: 19000") + b" " * 19_000
        assert asked(here, other).startswith(b"HTTP/1.1 400")
        with begun(here, "POST /api/forms/x/public", 50_000, source="127.0.0.3") as refused:
            assert refused.recv(65_536).startswith(b"HTTP/1.1 503")
    until_held(0)


def test_whom_nobody_knows_leave_room_for_members(
    here: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_bodies, "MAX_HELD_OF_STRANGERS", 30_000)
    key = create_key("OWNER", "another")
    stranger = "POST /api/session", 19_000
    with begun(here, *stranger):
        until_held(18_999)
        with begun(here, *stranger, source="127.0.0.3") as refused:
            assert refused.recv(65_536).startswith(b"HTTP/1.1 503")
        member = head("POST /api/tables", "Content-Length: 60000", f"Authorization: Bearer {key}")
        assert asked(here, member + b" " * 60_000).startswith(b"HTTP/1.1 400")
    until_held(0)
    with begun(here, *stranger, source="127.0.0.3") as taken:
        taken.sendall(b" ")
        assert taken.recv(65_536).startswith(b"HTTP/1.1 400")


def test_a_body_that_takes_too_long_is_given_up(
    here: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_guard, "BODY_TIMEOUT", 1)
    with begun(here, "POST /api/session", 1_000) as connection:
        assert connection.recv(65_536).startswith(b"HTTP/1.1 408")
    until_held(0)
    assert asked(here, HEALTH).startswith(b"HTTP/1.1 200")


def test_who_signs_in_sends_little(here: tuple[str, int]) -> None:
    for door in (
        "POST /api/session",
        "POST /api/session/invitation",
        "POST /console/sign-in",
        "POST /console/from-airflow",
        "POST /console/invitation/x",
    ):
        answer = asked(here, head(door, "Content-Length: 900000"))
        assert answer.startswith(b"HTTP/1.1 413"), answer
    with reading() as session:
        assert session.query(SecurityEvent).count() == 0
