"""Structured logs: a line is an object with ids, and holds no secret."""

from __future__ import annotations

import logging
import socket
from contextlib import closing
from io import StringIO

import pytest
import requests
from requests.adapters import HTTPAdapter

from automations.kit import logs
from tests import journal

log = logging.getLogger("automations.test")
library = logging.getLogger("some.library")


def test_a_line_is_one_object_with_the_ids_that_are_bound() -> None:
    with journal.kept() as logged:
        with logs.bound(runId="run1", stepId="step1", workflowId=None):
            log.info("Did %d\nthings", 3, extra={"kind": "e\0mail"})
        log.info("After")
    first, second = logged.lines
    assert (
        first.items()
        >= {
            "event": "Did 3\nthings",
            "level": "info",
            "logger": "automations.test",
            "runId": "run1",
            "stepId": "step1",
            "kind": "e\ufffdmail",
        }.items()
    )
    assert first["timestamp"].endswith("Z")
    assert "workflowId" not in first
    assert "runId" not in second


def test_ids_may_be_left_out_of_some_lines() -> None:
    with journal.kept() as logged, logs.bound(runId="run1"):
        with logs.unbound("runId", "stepId"):
            log.info("Without")
        log.info("With")
    assert ["runId" in line for line in logged.lines] == [False, True]


def test_an_exception_is_a_field_of_its_line() -> None:
    with journal.kept() as logged:
        try:
            raise ValueError("no")
        except ValueError:
            log.exception("Failed")
    assert logged.lines[0]["exception"].endswith("ValueError: no")


def test_a_connection_that_is_tried_again_is_no_line() -> None:
    with closing(socket.socket()) as nobody, journal.kept() as logged:
        nobody.bind(("127.0.0.1", 0))
        with requests.Session() as http:
            http.mount("http://", HTTPAdapter(max_retries=1))
            address = f"http://127.0.0.1:{nobody.getsockname()[1]}/auth/token"
            with pytest.raises(requests.ConnectionError):
                http.get(address, timeout=5)
    assert logged.lines == []


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("key sk_1234567890abcdef-_x used", "key *** used"),
        (
            "GET /api/workflows/callback/abcdefghijklmnop12 200",
            "GET /api/workflows/callback/*** 200",
        ),
        ("/api/forms/requests/abcdefghijklmnop12?x=1", "/api/forms/requests/***?x=1"),
        ("/api/webhooks/abcdefghijklmnop12", "/api/webhooks/***"),
        ("/console/invitation/abcdefghijklmnop12", "/console/invitation/***"),
        (f"?voucher=eyJ1c2VyIjoiYWRhIn0.{'0a' * 32}&next=/", "?voucher=***&next=/"),
        (f"the session ss_{'aB3-_' * 9} ended", "the session *** ended"),
        ("Authorization: Bearer eyJhbGciOi.J9", "Authorization: Bearer ***"),
        ("postgresql://u:pass@localhost/db", "postgresql://***@localhost/db"),
        ("authorization: BASIC dXNlcjpwYXNz", "authorization: BASIC ***"),
        ("KEY SK_1234567890ABCDEF USED", "KEY *** USED"),
        ("SS_" + "aB3-_" * 9, "***"),
        ("/Callback/abcdefghijklmnop12", "/Callback/***"),
        ("the password is hunter22!", "the password is ***"),
    ],
)
def test_what_says_who_somebody_is_is_masked(written: str, shown: str) -> None:
    with journal.kept(secrets=("hunter22!",)) as logged:
        log.info(written)
        try:
            raise ValueError(written)
        except ValueError:
            log.exception("Failed", extra={"where": written})
    plain, failed = logged.lines
    assert plain["event"] == shown
    assert failed["exception"].endswith(f"ValueError: {shown}")
    assert failed["where"] == shown


def test_what_a_library_logs_during_a_step_shows_no_secret_of_it() -> None:
    with journal.kept() as logged:
        with logs.mask_lines(lambda text: text.replace("s3cret", "***")):
            with logs.mask_lines(lambda text: text.replace("inner", "***")):
                library.warning("GET ?key=%s&%s", "s3cret", "inner")
            try:
                raise ValueError("s3cret inner")
            except ValueError:
                library.exception("Failed")
        library.warning("s3cret")
    assert logged.lines[0]["event"] == "GET ?key=***&***"
    assert logged.lines[1]["event"].endswith("ValueError: *** inner")
    assert logged.lines[2]["event"] == "s3cret"


def test_text_is_for_people() -> None:
    root = logging.getLogger()
    before, threshold = list(root.handlers), root.level
    stream = StringIO()
    try:
        logs.configure("text", "INFO", (), stream)
        with logs.bound(runId="run1"):
            log.info("Hello")
        log.debug("Not this")
    finally:
        root.handlers[:] = before
        root.setLevel(threshold)
    (line,) = stream.getvalue().splitlines()
    assert "level='info'" in line
    assert "event='Hello'" in line
    assert "runId='run1'" in line
