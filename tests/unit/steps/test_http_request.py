"""The http_request step: what it sends, and what it makes of the answer."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from automations.domain.fields import RENDERED
from automations.domain.statuses import Decision
from automations.domain.templating import render_config
from automations.errors import StepError
from automations.kit.values import JSON
from automations.ports import HostConnection, HttpRequest, HttpResponse
from automations.steps.http_request import HttpRequestConfig, HttpRequestStep
from automations.steps.outcomes import Answer, Done, Fail, Outcome, WaitForCallback
from tests.doubles import NOW, context
from tests.hostile import charsets

URL = "https://api.example/items"


class Service:
    """An HTTP client that keeps what it is given and answers as told."""

    def __init__(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.response = HttpResponse(status, headers, content, URL)
        self.requests: list[HttpRequest] = []

    def request(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        return self.response


def run(
    status: int = 200,
    content: bytes = b"",
    answered: dict[str, str] | None = None,
    **config: Any,
) -> tuple[Outcome, HttpRequest]:
    service = Service(status, content, answered or {})
    parsed = HttpRequestConfig.model_validate({"url": URL, **config}, context=RENDERED)
    return HttpRequestStep().run(
        parsed, context(http=service, timeout=timedelta(seconds=7))
    ), service.requests[0]


def output(outcome: Outcome) -> dict[str, JSON]:
    assert isinstance(outcome, Done)
    return dict(outcome.output)


def test_a_plain_request_is_a_get_with_the_steps_time_limit() -> None:
    _, request = run(query={"a": 1}, headers={"X-Trace": "t"}, maxBytes=10, followRedirects=False)
    assert (request.method, request.url, request.content) == ("GET", URL, None)
    assert request.timeout == timedelta(seconds=7)
    assert request.query == [("a", "1")]
    assert request.headers == {"x-trace": "t"}
    assert (request.max_bytes, request.follow_redirects) == (10, False)


@pytest.mark.parametrize(
    ("config", "content", "media"),
    [
        ({"body": {"ż": [1]}}, '{"ż": [1]}'.encode(), "application/json"),
        ({"form": {"a": "1 2", "b": ["x", "y"]}}, b"a=1+2&b=x&b=y", "form-urlencoded"),
        (
            {"form": {"a": None, "b": True, "c": {"k": 1}}},
            b"a=&b=true&c=%7B%22k%22%3A1%7D",
            "encoded",
        ),
        ({"text": "ż"}, "ż".encode(), "text/plain; charset=utf-8"),
    ],
)
def test_a_body_is_sent_in_its_form(config: dict[str, Any], content: bytes, media: str) -> None:
    _, request = run(method="POST", **config)
    assert request.content == content
    assert media in request.headers["content-type"]


_LATIN = "charset=ISO-8859-1"


@pytest.mark.parametrize(
    ("media", "config", "content"),
    [
        (f"text/plain; {_LATIN}", {"text": "José"}, b"Jos\xe9"),
        ("text/csv; charset=windows-1252", {"text": "5 €"}, b"5 \x80"),
        (f"application/json; {_LATIN}", {"body": {"a": "é"}}, b'{"a": "\xe9"}'),
        ("application/x-www-form-urlencoded; charset=iso-8859-2", {"form": {"ł": "ó"}}, b"%B3=%F3"),
        ("text/plain; charset=utf-16", {"text": "ż"}, "ż".encode("utf-16")),
        ("application/xml", {"text": '<?xml version="1.0" encoding="cp1250"?><a>ł</a>'}, None),
        ("application/xml", {"text": "<a>ł</a>"}, "<a>ł</a>".encode()),
    ],
)
def test_a_body_is_sent_in_the_charset_that_it_is_said_to_be_in(
    media: str, config: dict[str, Any], content: bytes | None
) -> None:
    _, request = run(method="POST", headers={"Content-Type": media}, **config)
    wanted = config["text"].encode("cp1250") if content is None else content
    assert (request.content, request.headers["content-type"]) == (wanted, media)


@pytest.mark.parametrize(
    ("charset", "told"),
    [("iso-8859-1", "has 'ł', which the charset iso-8859-1"), ("klingon", "'klingon', which is")],
)
@pytest.mark.parametrize("config", [{"text": "ł"}, {"body": ["ł"]}, {"form": {"a": "ł"}}])
def test_what_the_charset_does_not_have_is_not_sent(
    charset: str, told: str, config: dict[str, Any]
) -> None:
    with pytest.raises(StepError, match=told) as refused:
        run(method="POST", headers={"Content-Type": f"text/plain; charset={charset}"}, **config)
    assert (refused.value.kind, refused.value.retryable) == ("config", False)


@pytest.mark.parametrize("field", ["query", "form", "headers"])
def test_one_template_may_give_all_of_a_field(field: str) -> None:
    saved = HttpRequestConfig.model_validate({"url": "https://a.example", field: "{{input.x}}"})
    rendered = render_config(saved, {"input": {"x": {"a": "1"}}}, where="step")
    assert getattr(HttpRequestConfig.model_validate(rendered, context=RENDERED), field) == {
        "a": "1"
    }
    with pytest.raises(ValidationError, match="valid dictionary"):
        HttpRequestConfig.model_validate({"url": "https://a.example", field: "a=1"})


def test_a_content_type_of_the_users_own_is_kept() -> None:
    _, request = run(method="POST", text="<a/>", headers={"Content-Type": "application/xml"})
    assert request.headers["content-type"] == "application/xml"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_every_attempt_at_an_unsafe_request_carries_the_same_key(method: str) -> None:
    _, request = run(method=method)
    assert request.headers["idempotency-key"] == "run1:node1:0"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_safe_request_carries_no_key(method: str) -> None:
    _, request = run(method=method)
    assert "idempotency-key" not in request.headers


def test_a_key_of_the_users_own_is_kept() -> None:
    _, request = run(method="POST", headers={"Idempotency-Key": "mine"})
    assert request.headers["idempotency-key"] == "mine"


@pytest.mark.parametrize(
    ("content", "media", "body"),
    [
        (b'{"a": [1]}', "application/json; charset=utf-8", {"a": [1]}),
        (b'{"a": 1}', "application/problem+json", {"a": 1}),
        ("ż".encode(), "text/plain", "ż"),
        (b"\xff\x00", "application/pdf", "/wA="),
        (b"", "application/json", None),
    ],
)
def test_the_body_is_parsed_by_its_type(content: bytes, media: str, body: JSON) -> None:
    outcome, _ = run(content=content, answered={"content-type": media})
    assert output(outcome)["body"] == body
    json.dumps(output(outcome))


@pytest.mark.parametrize("name", charsets.REFUSED)
def test_an_answer_that_is_not_what_it_says_fails_and_no_request_is_repeated(name: str) -> None:
    media, content, told = charsets.REFUSED[name]
    outcome, _ = run(201, content, {"content-type": media})
    assert isinstance(outcome, Fail)
    assert (outcome.kind, outcome.retryable) == ("body", False)
    assert told in outcome.error
    assert "answerAs" in outcome.error
    assert outcome.output["status"] == 201
    bytes_of_it, _ = run(201, content, {"content-type": media}, answerAs="base64")
    assert output(bytes_of_it)["body"] == base64.b64encode(content).decode()


def test_cookies_are_a_list_however_many_there_are() -> None:
    service = Service(200, b"", {"x-kind": "new"})
    service.response = replace(service.response, cookies=("a=1", "b=2"))
    config = HttpRequestConfig.model_validate({"url": URL}, context=RENDERED)
    outcome = HttpRequestStep().run(config, context(http=service))
    assert output(outcome)["headers"] == {"x-kind": "new", "set-cookie": ["a=1", "b=2"]}


def test_what_a_service_says_in_its_charset_is_legible_in_the_error() -> None:
    outcome, _ = run(
        400, "Müller?".encode("latin-1"), {"content-type": "text/plain; charset=latin1"}
    )
    assert isinstance(outcome, Fail)
    assert outcome.output["excerpt"] == "Müller?"


def test_the_output_holds_status_headers_and_address() -> None:
    outcome, _ = run(201, answered={"x-kind": "new"})
    found = output(outcome)
    assert (found["status"], found["headers"], found["url"]) == (201, {"x-kind": "new"}, URL)


def test_an_expected_status_is_a_success_and_then_no_other_is() -> None:
    accepted, _ = run(404, expectedStatus=[404])
    refused, _ = run(200, expectedStatus=[404])
    assert output(accepted)["status"] == 404
    assert isinstance(refused, Fail)


@pytest.mark.parametrize(
    ("status", "retryable"),
    [
        *[(status, False) for status in (302, 400, 401, 404, 500)],
        *[(status, True) for status in (429, 502, 503, 504)],
    ],
)
def test_only_a_passing_trouble_is_retried(status: int, retryable: bool) -> None:
    outcome, _ = run(status, b"why " * 1_000)
    assert isinstance(outcome, Fail)
    assert (outcome.kind, outcome.retryable) == ("status", retryable)
    assert str(status) in outcome.error
    assert outcome.output["status"] == status
    assert outcome.output["excerpt"] == "why " * 500


@pytest.mark.parametrize(
    ("value", "delay"),
    [
        ("30", timedelta(seconds=30)),
        ("-5", timedelta(0)),
        ("Sun, 01 Mar 2026 12:01:00 GMT", timedelta(minutes=1)),
        ("Sun, 01 Mar 2026 11:00:00 GMT", timedelta(0)),
        ("86400", timedelta(hours=1)),
        ("soon", None),
    ],
)
def test_retry_after_is_honoured_for_an_hour_at_most(value: str, delay: timedelta | None) -> None:
    outcome, _ = run(503, answered={"retry-after": value})
    assert isinstance(outcome, Fail)
    assert outcome.retry_after == delay


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"url": ""}, "at least 1 character"),
        ({"url": "ftp://a.example/x"}, "must begin with http"),
        ({"url": "a.example/x"}, "must begin with http"),
        ({"method": "BREW"}, "Input should be 'GET'"),
        ({"body": {}, "text": "x"}, "give one of body, form and text"),
        ({"form": {}, "text": "x"}, "give one of body, form and text"),
        ({"headers": {"Host": "inside"}}, "'Host' cannot be set"),
        ({"headers": {"Content-Length": "5"}}, "'Content-Length' cannot be set"),
        ({"headers": {"transfer-encoding": "chunked"}}, "'transfer-encoding' cannot be set"),
        ({"headers": {"Connection": "close"}}, "'Connection' cannot be set"),
        ({"headers": {"X Y": "a"}}, "'X Y' cannot be set"),
        ({"headers": {"X\r\nY": "a"}}, "cannot be set"),
        ({"headers": {"X": "a\r\nHost: inside"}}, "'X' must be one line"),
        ({"headers": {"X": "a\0"}}, "'X' must be one line"),
        ({"headers": {"X": "Zażółć"}}, "'X' must be printable ASCII"),
        ({"headers": {"X": "a\x01"}}, "'X' must be printable ASCII"),
        ({"headers": {"X": " a"}}, "no blank at either end"),
        ({"headers": {"X": "a\t"}}, "no blank at either end"),
        ({"headers": {"X-Key": "a", "x-key": "b"}}, "'x-key' is given twice"),
        ({"answerAs": "xml"}, "Input should be 'auto'"),
        ({"maxBytes": 0}, "greater than or equal to 1"),
        ({"maxBytes": 10_000_001}, "less than or equal to 10000000"),
        ({"expectedStatus": ["ok"]}, "valid integer"),
        ({"expectedStatus": ["2_00"]}, "must be a number"),
        ({"verify": False}, "Extra inputs"),
        (
            {"form": {"a": 1}, "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
            "form is sent as application/x-www-form-urlencoded, and no multipart/form-data",
        ),
        (
            {"body": {"a": 1}, "headers": {"content-type": "application/x-www-form-urlencoded"}},
            "body is sent as JSON",
        ),
    ],
)
def test_a_config_that_cannot_be_requested_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        HttpRequestConfig.model_validate({"url": URL, **config})


def test_a_request_that_waits_for_its_callback_keeps_the_answer_until_then() -> None:
    service = Service(202, b"taken", {})
    config = HttpRequestConfig.model_validate(
        {"url": URL, "waitForCallback": True, "callbackTimeout": "PT1H"}, context=RENDERED
    )
    outcome = HttpRequestStep().run(config, context(http=service))
    assert isinstance(outcome, WaitForCallback)
    assert (outcome.output["body"], outcome.expires_in) == ("taken", timedelta(hours=1))
    kept = context(kept=dict(outcome.output))
    done = HttpRequestStep().resume(config, kept, Answer(Decision.RESUMED, None, NOW, {"n": 1}))
    assert isinstance(done, Done)
    assert (done.output["body"], done.output["callback"]) == ("taken", {"n": 1})
    late = HttpRequestStep().resume(config, kept, Answer(Decision.EXPIRED, None, NOW))
    assert isinstance(late, Fail)
    assert late.kind == "expired"


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"type": "bearer"}, "authorization", "Bearer s3cret"),
        ({"type": "basic", "username": "ada"}, "authorization", "Basic YWRhOnMzY3JldA=="),
        ({"type": "header", "name": "X-Key"}, "x-key", "s3cret"),
    ],
)
def test_auth_signs_the_request(auth: dict[str, Any], header: str, value: str) -> None:
    _, request = run(auth={**auth, "secret": "s3cret"})
    assert request.headers[header] == value


def test_auth_may_be_a_query_parameter() -> None:
    _, request = run(auth={"type": "query", "name": "key", "secret": "s3c&ret"}, query={"a": 1})
    assert request.query == [("a", "1"), ("key", "s3c&ret")]


def test_the_bare_name_of_a_secret_is_short_for_its_template() -> None:
    config = {"url": URL, "auth": {"type": "bearer", "secret": "API_KEY"}}
    parsed = HttpRequestConfig.model_validate(config)
    assert parsed.auth is not None
    assert parsed.auth.secret == "{{secret.API_KEY}}"
    again = HttpRequestConfig.model_validate(parsed.model_dump(by_alias=True, exclude_unset=True))
    assert again == parsed
    rendered = {"url": URL, "auth": {"type": "bearer", "secret": "LOOKS_LIKE_A_NAME"}}
    kept = HttpRequestConfig.model_validate(rendered, context=RENDERED)
    assert kept.auth is not None
    assert kept.auth.secret == "LOOKS_LIKE_A_NAME"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"auth": {"type": "bearer", "secret": "sk_live_1"}}, "must name a secret"),
        ({"auth": {"type": "digest", "secret": "A"}}, "Input should be 'bearer'"),
        ({"auth": {"type": "basic", "secret": "A"}}, "username is for type basic"),
        ({"auth": {"type": "bearer", "secret": "A", "username": "x"}}, "username is for type"),
        ({"auth": {"type": "basic", "secret": "A", "username": "x:y"}}, "a colon"),
        ({"auth": {"type": "header", "secret": "A"}}, "name is for types header and query"),
        ({"auth": {"type": "header", "secret": "A", "name": "Host"}}, "'Host' cannot be set"),
        ({"auth": {"type": "header", "secret": "A", "name": "a\r\nb"}}, "cannot be set"),
        (
            {"auth": {"type": "bearer", "secret": "A"}, "headers": {"Authorization": "x"}},
            "give auth or its header",
        ),
        (
            {"auth": {"type": "header", "name": "X-Key", "secret": "A"}, "headers": {"x-key": "x"}},
            "give auth or its header",
        ),
        (
            {"auth": {"type": "query", "name": "key", "secret": "A"}, "query": {"key": "x"}},
            "give auth or its query parameter",
        ),
        (
            {"auth": {"type": "query", "name": "key", "secret": "A"}, "url": f"{URL}?k%65y=x"},
            "give auth or its query parameter",
        ),
    ],
)
def test_an_auth_that_cannot_sign_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        HttpRequestConfig.model_validate({"url": URL, **config})


@pytest.mark.parametrize("secret", ["two\nlines", "a\r\nHost: inside", "ż", "trailing\n", "a\0b"])
@pytest.mark.parametrize("auth", [{"type": "bearer"}, {"type": "header", "name": "X-Key"}])
def test_a_secret_that_no_header_can_hold_is_refused_without_being_told(
    auth: dict[str, Any], secret: str
) -> None:
    with pytest.raises(StepError, match="no header can hold") as caught:
        run(auth={**auth, "secret": secret})
    assert secret not in caught.value.message


def test_a_header_is_looked_at_again_when_its_template_is_rendered() -> None:
    config = {"url": URL, "headers": {"X": "{{ input['ż'] }}"}}
    HttpRequestConfig.model_validate(config)
    with pytest.raises(ValidationError, match="must be printable ASCII"):
        HttpRequestConfig.model_validate(config, context=RENDERED)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"url": "/customers"}, "a url that is a path needs connId"),
        ({"url": "https://a.example", "connId": "crm"}, "takes a url that is a path"),
        ({"url": "/customers", "connId": ""}, "at least 1 character"),
    ],
)
def test_a_connection_goes_with_a_path_and_a_path_with_a_connection(
    config: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        HttpRequestConfig.model_validate(config)


def test_a_body_is_sent_as_what_its_connection_says_that_it_is() -> None:
    service = Service(200, b"", {})
    media = "application/vnd.api+json; charset=iso-8859-1"
    crm = HostConnection(id="crm", kind="http", host="crm.example", extra={"Content-Type": media})
    config = HttpRequestConfig.model_validate(
        {"url": "/items", "connId": "crm", "method": "POST", "body": {"a": "ä"}}, context=RENDERED
    )
    HttpRequestStep().run(config, context(http=service, connection=lambda _: crm))
    (request,) = service.requests
    assert request.headers["content-type"] == media
    assert request.content == '{"a": "ä"}'.encode("iso-8859-1")
