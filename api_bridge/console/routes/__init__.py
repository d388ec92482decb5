"""The console's pages and what their forms do, one module per noun."""

from __future__ import annotations

from api_bridge.console.routes import (
    approvals,
    events,
    home,
    notifications,
    runs,
    sign_in,
    workflows,
)

ROUTERS = (
    home.router,
    sign_in.router,
    workflows.router,
    runs.router,
    approvals.router,
    events.router,
    notifications.router,
)
