"""Records denied requests as security events, without anything secret."""

from __future__ import annotations

import logging

from fastapi import Request

from automations import errors
from automations.domain.statuses import Severity
from automations.services.audit import security_events

log = logging.getLogger(__name__)

_EVENTS: dict[type[errors.DomainError], tuple[str, Severity]] = {
    errors.NotAuthenticated: ("auth.failed", Severity.WARNING),
    errors.NotAllowed: ("auth.forbidden", Severity.WARNING),
    errors.TooManyRequests: ("rate.limited", Severity.WARNING),
}
_LINK_EVENTS: dict[type[errors.DomainError], tuple[str, Severity]] = {
    **_EVENTS,
    errors.NotFound: ("token.unknown", Severity.WARNING),
    errors.Gone: ("token.spent", Severity.INFO),
}


def note(request: Request, error: errors.DomainError, *, link: bool = False) -> None:
    """Note an error that matters to security as an event.

    Args:
        link: whether a token in the address was all that was needed.
    """
    event = (_LINK_EVENTS if link else _EVENTS).get(type(error))
    if event is None:
        return
    # The route's own path: what stands in its place in the address may be a token.
    path = getattr(request.scope.get("route"), "path", None)
    try:
        security_events.note(
            *event, method=request.method, path=path, code=error.code, reason=error.message
        )
    except errors.DatabaseUnavailable as away:
        log.warning("A security event could not be noted: %s", away.__cause__)
