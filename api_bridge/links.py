"""``Link`` headers for lists that are bare arrays."""

from __future__ import annotations

from fastapi import Request, Response


def add_next(request: Request, response: Response, cursor: str | None, limit: int) -> None:
    """Name the next page's address in the header ``Link``, as long as there is one."""
    if cursor is not None:
        address = request.url.include_query_params(limit=limit, cursor=cursor)
        response.headers["Link"] = f'<{address.path}?{address.query}>; rel="next"'
