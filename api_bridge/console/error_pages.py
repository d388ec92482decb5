"""Errors as pages, for whoever loads a page: what is wrong, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from api_bridge.console import addresses, answers, texts


def shown(
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
        # Of a form the page that it stood on: what it would have done is to be asked anew.
        then = request.url.path if request.method == "GET" else addresses.HOME
        query = f"?{request.url.query}" if request.url.query and request.method == "GET" else ""
        return answers.lead_on(addresses.sign_in(f"{then}{query}"))
    answer = answers.page(
        request,
        "error.html",
        getattr(request.state, "caller", None),
        status,
        title=texts.of_status(status, "title"),
        hint=texts.of_status(status, "hint"),
        message=error,
        problems=details.get("fieldErrors") or {},
        request_id=request.state.request_id,
    )
    for name, value in headers.items():
        if name != "WWW-Authenticate":
            answer.headers[name] = value
    return answer


def _is_for_people(request: Request) -> bool:
    path = request.url.path
    in_console = path == addresses.ROOT or path.startswith(f"{addresses.ROOT}/")
    return in_console and "text/html" in request.headers.get("accept", "").lower()
