"""Renders the page of a form for whoever fills it in."""

from __future__ import annotations

import secrets
from typing import Any

from fastapi.responses import Response

from api_bridge.public_pages import form_groups, pages
from automations.services.waits.form_requests import FormView

TEMPLATE = "form.html"


def page(
    view: FormView,
    status: int,
    typed: dict[str, Any] | None = None,
    problems: dict[str, list[str]] | None = None,
    focus: str | None = None,
) -> Response:
    """The page of a form, with what was typed into it and what is wrong with that."""
    values = view.prefill if typed is None else typed
    groups = form_groups.build(view.schema, values, problems, focus)
    return pages.page(
        TEMPLATE,
        status,
        view=view,
        groups=groups,
        # A link of one's own is for one answer anyway.
        mark=None if view.recipient else secrets.token_urlsafe(12),
        files=form_groups.takes_files(view.schema),
        problems=problems or {},
        elsewhere=form_groups.elsewhere(groups, problems or {}),
    )
