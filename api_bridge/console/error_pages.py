"""Errors as pages: what is wrong, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import Response

from api_bridge.console import responses, texts, urls


def render(
    request: Request,
    status: int,
    error: str,
    details: Mapping[str, Any],
    headers: Mapping[str, str],
) -> Response | None:
    """An error as a page; None for who wants none."""
    if not _is_for_people(request):
        return None
    if status == 401:
        # Of a form the page that it stood on: what it would have done is to be asked again.
        return responses.redirect(urls.sign_in(_page_of(request)))
    answer = responses.page(
        request,
        "error.html",
        getattr(request.state, "caller", None),
        status,
        title=texts.status_text(status, "title"),
        hint=texts.status_text(status, "hint"),
        message=error,
        problems=details.get("fieldErrors") or {},
        request_id=request.state.request_id,
    )
    for name, value in headers.items():
        if name != "WWW-Authenticate":
            answer.headers[name] = value
    return answer


def _page_of(request: Request) -> str:
    """The page that was asked for; of what a form sent, the page that it stood on."""
    if request.method == "GET":
        return urls.build(request.url.path, request.url.query)
    try:
        stood = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return urls.HOME
    is_ours = stood.netloc == request.url.netloc
    return urls.build(stood.path, stood.query) if is_ours else urls.HOME


def _is_for_people(request: Request) -> bool:
    path = request.url.path
    in_console = path == urls.ROOT or path.startswith(f"{urls.ROOT}/")
    return in_console and "text/html" in request.headers.get("accept", "").lower()
