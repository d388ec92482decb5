"""Make an HTTP request to an external service."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlencode

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from automations.domain.fields import (
    Duration,
    Model,
    OptionalText,
    OrTemplate,
    Text,
    Whole,
    is_rendered,
    is_template,
    parse_duration,
    within_a_week,
)
from automations.domain.http_auth import HttpAuth
from automations.domain.http_connections import base_of
from automations.domain.http_headers import check_headers
from automations.domain.response_bodies import Reading, body_of
from automations.domain.statuses import Decision
from automations.errors import StepError
from automations.kit.declared_text import encode, legible
from automations.kit.form_bodies import MULTIPART, URLENCODED, media_type
from automations.kit.queries import pairs_of
from automations.kit.retry_after import requested_delay
from automations.kit.values import JSON
from automations.ports import HttpRequest
from automations.steps.base import StepContext, StepType
from automations.steps.outcomes import Answer, Done, Fail, Outcome, WaitForCallback

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_RETRYABLE = frozenset({408, 425, 429, 502, 503, 504})
_MAX_EXCERPT = 2_000
_WEB = re.compile(r"https?://", re.IGNORECASE)


def _several(value: object) -> object:
    """A list, also of one, and of lists that templates gave."""
    items = value if isinstance(value, list) else [value]
    return [element for item in items for element in (item if isinstance(item, list) else [item])]


class HttpRequestConfig(Model):
    """What to request, and what to expect."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"] = Field(
        "GET", description="HTTP method."
    )
    url: Text = Field(
        min_length=1,
        max_length=8_000,
        description="http or https address; with `connId`, a path such as /customers, which is "
        "appended to the connection's own.",
    )
    conn_id: OptionalText = Field(
        None,
        min_length=1,
        max_length=250,
        description="An Airflow connection of type http, which sets the target, the login and "
        "password, and, in its extra, headers that `headers` may override. The "
        "setting AUTOMATIONS_CONNECTION_ALLOW must name it.",
    )
    query: OrTemplate[dict[str, JSON]] = Field(
        default_factory=dict,
        description="Query parameters, added to those of the address. Values are written as in "
        "JSON; a list repeats its name for each item, null is empty, an object is "
        "JSON. Or one template that produces them.",
    )
    headers: OrTemplate[dict[str, Text]] = Field(
        default_factory=dict,
        description="Request headers; printable ASCII, each name once. Or one template that "
        "produces them.",
    )
    body: JSON = Field(None, description="Body, sent as JSON.")
    form: OrTemplate[dict[str, JSON]] | None = Field(
        None, description="Body, sent as a web form; values as in `query`."
    )
    text: OptionalText = Field(
        None,
        description="Body, sent as is; text/plain unless a header says otherwise. It, a `form` "
        "and a `body` are sent in the charset that the header content-type or an XML "
        "declaration names, else in UTF-8; a character that the charset lacks fails "
        "the step.",
    )
    auth: HttpAuth | None = Field(
        None, description="Authenticates the request with a secret, which no record shows."
    )
    expected_status: Annotated[list[OrTemplate[Whole]], BeforeValidator(_several)] = Field(
        default_factory=list,
        description="Statuses that count as success, one or a list; empty means any 2xx.",
    )
    wait_for_callback: bool = Field(
        False,
        strict=True,
        description="Pause after the answer until {{callback.url}}, which the request must "
        "contain, receives a POST; its body becomes the output's callback.",
    )
    callback_timeout: Annotated[Duration, AfterValidator(within_a_week)] = Field(
        "P7D", description="How long to wait for the callback; 7 days at most."
    )
    follow_redirects: bool = Field(
        True, strict=True, description="Whether redirects are followed, 5 at most."
    )
    max_bytes: Whole = Field(
        1_000_000,
        ge=1,
        le=10_000_000,
        description="Maximum size of the answer, decompressed; larger ones fail.",
    )
    answer_as: Reading = Field(
        "auto",
        description="Format of the output's `body`: `json`, the parsed answer; `text`, in the "
        "charset that its byte order mark, its Content-Type or the text itself (XML, "
        "HTML) names, else UTF-8; `base64`, its bytes; or `auto`, by its "
        "Content-Type: JSON is parsed; text, XML and anything that names a charset is "
        "text; all else is base64 (without a Content-Type, only what is not UTF-8). "
        "An answer that does not match its type fails, and so does JSON that cannot "
        "be stored unchanged: with NUL, an unpaired surrogate, a duplicate field or a "
        "number that double precision would change.",
    )

    @field_validator("url")
    @classmethod
    def _is_of_the_web(cls, value: str, info: ValidationInfo) -> str:
        # What a template gives is refused when it is asked for, and noted as an attempt.
        if not (is_rendered(info) or is_template(value) or _WEB.match(value) or value[:1] == "/"):
            raise ValueError("must begin with http:// or https://")
        return value

    @field_validator("conn_id")
    @classmethod
    def _has_a_path(cls, value: str | None, info: ValidationInfo) -> str | None:
        url = info.data.get("url")
        if url is None or (is_template(url) and not is_rendered(info)):
            return value
        if value is not None and url[:1] != "/":
            raise ValueError("takes a url that is a path and begins with /")
        return value

    @field_validator("headers")
    @classmethod
    def _headers_are_safe(
        cls, value: dict[str, str] | str, info: ValidationInfo
    ) -> dict[str, str] | str:
        if isinstance(value, dict):
            check_headers(value, rendered=is_rendered(info))
        return value

    @model_validator(mode="after")
    def _check_target(self, info: ValidationInfo) -> Self:
        if self.conn_id is None and self.url[:1] == "/" and not is_rendered(info):
            raise ValueError("a url that is a path needs connId")
        return self

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        bodies = [self.form is not None, self.text is not None, self.body is not None]
        if sum(bodies) > 1:
            raise ValueError("give one of body, form and text")
        kind = self._declared()
        if self.form is not None and kind is not None and (kind == MULTIPART or "json" in kind):
            raise ValueError(f"form is sent as {URLENCODED}, and no {kind}: leave the header out")
        if self.body is not None and kind in (URLENCODED, MULTIPART):
            raise ValueError(f"body is sent as JSON, and no {kind}: give form, or text as it is")
        return self

    def _declared(self) -> str | None:
        """The content type that a header declares; None where it is not known yet, or absent."""
        content_type = {name.lower(): text for name, text in self.own_headers.items()}.get(
            "content-type"
        )
        return (
            None if content_type is None or is_template(content_type) else media_type(content_type)
        )

    @model_validator(mode="after")
    def _one_auth(self) -> Self:
        if self.auth is not None:
            self.auth.alone(self.own_headers, self.own_query, self.url)
        return self

    @property
    def own_headers(self) -> dict[str, str]:
        """The headers; none before the template is rendered that gives them."""
        return self.headers if isinstance(self.headers, dict) else {}

    @property
    def own_query(self) -> dict[str, JSON]:
        """The query; nothing before the template is rendered that gives it."""
        return self.query if isinstance(self.query, dict) else {}


class HttpRequestStep(StepType[HttpRequestConfig]):
    """Send an HTTP request; private addresses are unreachable unless allowed."""

    type = "http_request"
    title = "HTTP request"
    Config = HttpRequestConfig
    example: ClassVar = {
        "method": "POST",
        "url": "https://crm.example.com/customers",
        "body": {"name": "{{input.name}}"},
    }
    outputs: ClassVar = {
        "status": "the answer's status",
        "headers": "its headers, by name in lower case; set-cookie is a list",
        "body": "its body, by its Content-Type or `answerAs`; null if there is none",
        "url": "its address, after redirects",
        "callback": "with `waitForCallback`: the body of the callback",
    }

    def calls_back(self, config: HttpRequestConfig) -> bool:
        return config.wait_for_callback

    def run(self, config: HttpRequestConfig, ctx: StepContext) -> Outcome:
        response = ctx.ports.http.request(_request(config, ctx))
        media = response.headers.get("content-type", "")
        response_output = {
            "status": response.status,
            "excerpt": legible(response.content[:_MAX_EXCERPT], media),
        }
        expected = [int(status) for status in config.expected_status]
        if response.status not in (expected or range(200, 300)):
            return Fail(
                f"The service answered {response.status}.",
                kind="status",
                retryable=response.status in _RETRYABLE,
                retry_after=requested_delay(response.headers.get("retry-after"), ctx.now),
                output=response_output,
            )
        try:
            body = body_of(response.content, media, config.answer_as)
        except ValueError as error:
            # The service has done what it was asked for: another attempt would do it again.
            return Fail(
                f"The answer {error}. With answerAs set to base64, its bytes are the body.",
                kind="body",
                output=response_output,
            )
        headers: dict[str, JSON] = dict(response.headers)
        if response.cookies:
            headers["set-cookie"] = list(response.cookies)
        output = {
            "status": response.status,
            "headers": headers,
            "body": body,
            "url": response.url,
        }
        if config.wait_for_callback:
            return WaitForCallback(output, parse_duration(config.callback_timeout))
        return Done(output)

    def resume(self, config: HttpRequestConfig, ctx: StepContext, answer: Answer) -> Outcome:
        if answer.decision == Decision.EXPIRED:
            return Fail("The callback was not called in time.", "expired", output=dict(ctx.kept))
        return Done({**ctx.kept, "callback": answer.data})


def _request(config: HttpRequestConfig, ctx: StepContext) -> HttpRequest:
    headers = {name.lower(): value for name, value in config.own_headers.items()}
    url = config.url
    if config.conn_id is not None:
        base = base_of(ctx.connection(config.conn_id))
        url = base.at(url)
        headers = _merge_headers(headers, base.headers, config.conn_id)
    content = _content(config, headers)
    if config.method not in _SAFE:
        headers.setdefault("idempotency-key", ctx.idempotency_key)
    if ctx.traceparent is not None:
        headers.setdefault("traceparent", ctx.traceparent)
    query = dict(config.own_query)
    if config.auth is not None:
        config.auth.sign(headers, query)
    return HttpRequest(
        method=config.method,
        url=url,
        timeout=ctx.timeout,
        query=pairs_of(query),
        headers=headers,
        content=content,
        follow_redirects=config.follow_redirects,
        max_bytes=config.max_bytes,
    )


def _merge_headers(
    headers: dict[str, str], more: Mapping[str, str], conn_id: str
) -> dict[str, str]:
    """A request's headers, and those of its connection that it has not itself."""
    try:
        check_headers(more)
    except ValueError as error:
        raise StepError(f"Connection {conn_id}: {error}.", kind="config") from error
    return {**more, **headers}


def _content(config: HttpRequestConfig, headers: dict[str, str]) -> bytes | None:
    """The body in the charset that its content type names, which is added where it is absent."""
    where = "text"
    try:
        if config.body is not None:
            where = "body"
            media = headers.setdefault("content-type", "application/json")
            return encode(json.dumps(config.body, ensure_ascii=False), media)
        if isinstance(config.form, dict):
            where = "form"
            media = headers.setdefault("content-type", "application/x-www-form-urlencoded")
            pairs = [
                (encode(name, media), encode(value, media)) for name, value in pairs_of(config.form)
            ]
            return urlencode(pairs).encode()
        if config.text is not None:
            media = headers.setdefault("content-type", "text/plain; charset=utf-8")
            return encode(config.text, media)
    except ValueError as error:
        raise StepError(f"config.{where} {error}.", kind="config") from error
    return None
