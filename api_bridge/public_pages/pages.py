"""Public pages: how they are protected and rendered, and how their forms are read."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import HTTPException, Request
from fastapi.responses import Response
from jinja2 import Environment, FileSystemLoader, select_autoescape
from markupsafe import Markup
from starlette.datastructures import FormData

from api_bridge import denied_requests
from api_bridge.bodies import json_of
from api_bridge.deps import client_address
from api_bridge.error_bodies import PROBLEM
from api_bridge.errors import STATUSES, domain_error
from api_bridge.public_pages import form_inputs, public_texts, shown_values
from api_bridge.public_pages.form_inputs import SentFile
from api_bridge.server.threads import in_thread
from automations.domain.forms import uploads
from automations.errors import DomainError, TooManyRequests, ValidationFailed
from automations.kit import form_bodies
from automations.kit.json_text import is_json
from automations.kit.networks import network
from automations.services.access import rate_limits

TEMPLATES = Path(__file__).parent / "templates"
_STYLE = (TEMPLATES / "public.css").read_text()
STYLE_SOURCE = f"'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
"""The one style that the pages have, which stands in them: they load nothing."""
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": f"default-src 'none'; style-src {STYLE_SOURCE}; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}
SHOWN: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/html": {"schema": {"type": "string"}}}, "description": "The page."}
}
"""What a page's GET is documented to answer."""
TAKEN: dict[str, Any] = {
    "requestBody": {
        "content": {
            "multipart/form-data": {"schema": {"type": "object"}},
            "application/x-www-form-urlencoded": {"schema": {"type": "object"}},
            "application/json": {"schema": {"type": "object"}},
        }
    }
}
"""What a page's POST is documented to take: its form, or a program's JSON."""
_MAX_INPUTS = 10_000
"""Bounds the parser's work; how many a form's page may have is for ``form_inputs`` to say."""
PER_PERSON, _PER_ADDRESS = 20, 60
"""Tries a minute of one link, and of one address, behind which may be an office."""


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%d %b %Y, %H:%M UTC").lstrip("0")


_templates = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=select_autoescape(["html"]),
    trim_blocks=True,
    lstrip_blocks=True,
)
SHARED_GLOBALS = {
    "pretty": shown_values.pretty,
    "columns_of": shown_values.columns,
    "label_of": shown_values.label,
    "plain_of": shown_values.plain,
    "headline_of": shown_values.headline,
    "accepted": ",".join(f".{extension}" for extension in uploads.CONTENT_TYPES),
    "largest": uploads.MAX_BYTES // 1_000_000,
}
"""What templates of forms find, those of the console, too."""
_templates.globals.update(
    SHARED_GLOBALS,
    style=Markup(_STYLE),  # noqa: S704 -- a file of ours
    t=public_texts.text,
    utc=_utc,
)


def limit(
    request: Request,
    name: str,
    token: str,
    body: Mapping[str, Any] | None = None,
    *,
    per_token: int = PER_PERSON,
) -> None:
    """Bound how often one link, and one address, may be tried.

    Args:
        per_token: how often a minute by all together; a link is one person's, unless it is public.
        body: what was sent; a change of how many items there are is counted apart, so that who
            adds many may still send them.
    """
    if body and "form" in body and form_inputs.edits(body["form"]):
        name, per_token = f"{name}-items", max(per_token, _PER_ADDRESS)
    # A hash: the token itself is a secret and kept nowhere.
    hashed = hashlib.sha256(token.encode()).hexdigest()[:32]
    rate_limits.check(
        {
            f"{name}:token:{hashed}": per_token,
            f"{name}:address:{network(client_address(request))}": _PER_ADDRESS,
        }
    )


def refusal(
    request: Request, template: str, name: str, token: str, view: Callable[[str], object]
) -> Response | None:
    """Why nothing is sent by a link, before what is sent is read; None when it may be.

    Args:
        name: what tries are counted as.
        view: raises what is wrong with the link.
    """
    try:
        view(token)
    except DomainError as error:
        try:
            limit(request, name, token)
        except TooManyRequests as too_many:
            return render_error(request, template, too_many)
        return render_error(request, template, error)
    return None


async def read_body(request: Request) -> dict[str, Any]:
    """What a page's form (under ``form``) or a program's JSON has sent.

    Raises:
        HTTPException: 415, it is neither.
        ValidationFailed: it cannot be read.
    """
    content_type = request.headers.get("content-type", "")
    kind, body = form_bodies.media_type(content_type), await request.body()
    if is_json(content_type):
        return {"json": await in_thread(json_of, body, content_type) if body else {}}
    if kind in (form_bodies.URLENCODED, form_bodies.MULTIPART):
        try:
            return {"form": await in_thread(_form, body, content_type)}
        except ValueError as error:
            raise ValidationFailed({"body": [str(error)]}) from error
    if kind or body:
        raise HTTPException(415, "Send a form or JSON, and say so in Content-Type.")
    return {}


def _form(body: bytes, content_type: str) -> FormData:
    parts = form_bodies.fields(body, content_type, _MAX_INPUTS)
    texts = iter(form_bodies.texts(parts, content_type))
    items: list[tuple[str, Any]] = [
        next(texts) if part.filename is None else (part.name, SentFile(part.filename, part.content))
        for part in parts
    ]
    if any("\0" in part for pair in items for part in pair if isinstance(part, str)):
        raise ValueError("must not hold a NUL character")
    return FormData(items)


def page(template: str, status: int, **shown: Any) -> Response:
    """A rendered page."""
    return Response(_templates.get_template(template).render(**shown), status, HEADERS, "text/html")


def render_error(request: Request, template: str, error: DomainError) -> Response:
    """An error, as a page or as JSON."""
    denied_requests.note(request, error, link=True)
    if wants_json(request):
        answer: Response = domain_error(request, error)
        answer.headers.update(HEADERS)
        return answer
    problems = error.field_errors if isinstance(error, ValidationFailed) else {}
    answer = page(
        template, STATUSES[type(error)], view=None, message=error.message, problems=problems
    )
    if isinstance(error, TooManyRequests):
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def wants_json(request: Request) -> bool:
    """Whether a program asks, rather than a person."""
    accept = request.headers.get("accept", "").lower()
    content_type = request.headers.get("content-type", "")
    return PROBLEM in accept or "application/json" in accept or is_json(content_type)
