"""Figures: runs over time, how long they took, where they failed, what waits, what models cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from api_bridge.console import responses
from api_bridge.console.queries import Text
from api_bridge.console.views import figures as shown
from api_bridge.console.views import overviews as overview_views
from api_bridge.deps import Viewer
from api_bridge.routing import Router
from automations.domain.figures import PERIODS, Figures, Period, period_named
from automations.kit import common_clock
from automations.services.runs import figures
from automations.services.workflows import overviews

router = Router(prefix="/console", tags=["runs"])


@router.get("/figures")
def show_all(request: Request, caller: Viewer, period: Text = "", until: Text = "") -> Response:
    """The figures of all automations."""
    computed = figures.compute(caller.workspace_id, None, _period(period, until))
    names = overviews.names(caller.workspace_id)
    return responses.page(
        request,
        "figures.html",
        caller,
        automations=shown.automations(computed, names),
        **_context(computed, names, period, until),
    )


@router.get("/workflows/{workflow_id}/figures")
def show_one(
    request: Request, caller: Viewer, workflow_id: str, period: Text = "", until: Text = ""
) -> Response:
    """The figures of one automation."""
    overview = overviews.get_one(caller.workspace_id, workflow_id)
    computed = figures.compute(caller.workspace_id, workflow_id, _period(period, until))
    return responses.page(
        request,
        "workflow_figures.html",
        caller,
        one=overview_views.row(overview),
        tab="figures",
        automations=None,
        **_context(computed, {workflow_id: overview.workflow.name}, period, until),
    )


def _context(
    computed: Figures, names: Mapping[str, str], period: str, until: str
) -> dict[str, Any]:
    return {
        "figures": shown.build_page(computed, names),
        "period": period or "week",
        "periods": list(PERIODS),
        "until": until,
        "most": figures.MAX_RUNS,
    }


def _period(name: str, until: str) -> Period:
    return period_named(name or "week", until, common_clock.now())
