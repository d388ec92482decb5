"""Maps domain errors to HTTP, in one place, in the platform's envelope."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from api_bridge import denied_requests
from api_bridge.error_bodies import error_body
from automations import errors
from automations.definitions.field_errors import describe

log = logging.getLogger(__name__)

Pages = Callable[[Request, int, str, Mapping[str, Any], Mapping[str, str]], Response | None]
"""Makes an error's page from its status, text, details and headers; None for who wants none."""

STATUSES: dict[type[errors.DomainError], int] = {
    errors.ValidationFailed: 400,
    errors.NotAuthenticated: 401,
    errors.SignatureRefused: 401,
    errors.NotAllowed: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.InProgress: 409,
    errors.InUse: 409,
    errors.Unreadable: 409,
    errors.Gone: 410,
    errors.TooLarge: 413,
    errors.RuleBroken: 422,
    errors.TooManyRequests: 429,
    errors.RateLimited: 429,
    errors.ProviderFailed: 502,
    errors.Unavailable: 503,
}
_CODES = {
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
}


def envelope(
    request: Request,
    status: int,
    error: str,
    code: str,
    details: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """The platform's error envelope, or a problem of RFC 9457, or a page for who asks for that."""
    pages: Pages | None = getattr(request.app.state, "error_pages", None)
    if pages and (page := pages(request, status, error, details or {}, headers or {})):
        return page
    body, media_type = error_body(
        request.headers.get("accept", ""),
        status,
        error,
        code,
        request.state.request_id,
        details or {},
    )
    return JSONResponse(body, status, headers=headers, media_type=media_type)


def domain_error(request: Request, error: errors.DomainError) -> Response:
    """An error of the domain as an HTTP answer."""
    headers: dict[str, str] = {}
    if isinstance(error, errors.NotAuthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, errors.TooManyRequests):
        headers["Retry-After"] = str(error.retry_after)
    return envelope(
        request, STATUSES[type(error)], error.message, error.code, error.details, headers
    )


def _allowed_methods(request: Request) -> str:
    """The methods of an address: each method is a route of its own, and knows only itself."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    paths = [route.path for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    # /runs/replay is also a run's address, as far as patterns go.
    path = min(paths, key=lambda path: path.count("{"))
    methods = {method for route in routes if route.path == path for method in route.methods or ()}
    methods |= {"HEAD"} if "GET" in methods else set()
    return ", ".join(sorted(methods))


def install(app: FastAPI, pages: Pages) -> None:
    """Let every error of the app leave in the envelope or as a page, and no stack trace ever."""
    app.state.error_pages = pages

    @app.exception_handler(errors.DomainError)
    def _domain(request: Request, error: errors.DomainError) -> Response:
        denied_requests.note(request, error)
        return domain_error(request, error)

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, error: RequestValidationError) -> Response:
        problems: dict[str, list[str]] = {}
        for item in error.errors():
            where = [str(part) for part in item["loc"] if part not in ("body", "query", "path")]
            problems.setdefault(".".join(where) or "body", []).append(describe(item))
        return domain_error(request, errors.ValidationFailed(problems))

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        code = _CODES.get(error.status_code, "ERROR")
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = _allowed_methods(request)
        return envelope(request, error.status_code, str(error.detail), code, headers=headers)

    @app.exception_handler(errors.DatabaseUnavailable)
    def _away(request: Request, error: errors.DatabaseUnavailable) -> Response:
        log.warning("The database cannot be used: %s", error.__cause__)
        return domain_error(request, errors.Unavailable(error.message))

    @app.exception_handler(Exception)
    def _bug(request: Request, error: Exception) -> Response:
        log.exception("Request %s failed", request.state.request_id, exc_info=error)
        # Starlette answers a bug outside of our middleware, which would have named the request.
        headers = {"X-Request-Id": request.state.request_id}
        error_text = "Something went wrong on our side."
        return envelope(request, 500, error_text, "INTERNAL_ERROR", headers=headers)
