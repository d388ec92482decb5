"""What was refused: security events, as a list and as a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from api_bridge.console import queries, responses
from api_bridge.deps import Admin
from api_bridge.endpoint_marks import slow
from api_bridge.routing import Router
from api_bridge.views import audit as audit_views
from api_bridge.views import pagination
from automations.domain.audit import SecurityEvent, SecurityFilter
from automations.domain.statuses import Severity
from automations.services.audit import security_events

router = Router(prefix="/console/security-events", tags=["security-events"])


class SecurityEventForm(BaseModel):
    """Which events are asked for; what is empty asks for nothing."""

    type: str = Field("", max_length=500)
    severity: str = Field("", max_length=500)
    who: str = Field("", max_length=500)
    ip: str = Field("", max_length=500)
    since: str = Field("", max_length=500)

    def filter(self) -> SecurityFilter:
        """The same as the service takes it.

        Raises:
            ValidationFailed: there is no such severity or period.
        """
        return SecurityFilter(
            self.type.strip() or None,
            queries.choice(Severity, "severity", self.severity),
            self.ip.strip() or None,
            self.who.strip() or None,
            queries.parse_since(self.since),
        )


class AskedPage(SecurityEventForm):
    """The same, and which part of the list."""

    cursor: str = Field("", max_length=500)


@router.get("")
def show_list(request: Request, caller: Admin, asked: Annotated[AskedPage, Query()]) -> Response:
    """What was refused, newest first."""
    page, following = security_events.page_after(
        caller.workspace_id, asked.filter(), asked.cursor or None, queries.PAGE_SIZE
    )
    return responses.page(
        request,
        "security_events.html",
        caller,
        rows=page,
        **asked.model_dump(exclude={"cursor"}),
        severities=list(Severity),
        periods=list(queries.PERIODS),
        following=queries.following(request, following),
        export=queries.export_url(request, "export"),
        is_first=not asked.cursor,
    )


@router.get("/export")
@slow
def export(caller: Admin, asked: Annotated[SecurityEventForm, Query()]) -> Response:
    """The same as a file, as the API answers it."""
    criteria = asked.filter()

    def page_after(cursor: str | None, size: int) -> tuple[Sequence[SecurityEvent], str | None]:
        return security_events.page_after(caller.workspace_id, criteria, cursor, size)

    events, following = queries.whole(page_after)
    content = {
        "securityEvents": [audit_views.security_event(event) for event in events],
        "pagination": pagination.by_cursor(len(events), following),
    }
    return responses.as_file("security-events.json", content)
