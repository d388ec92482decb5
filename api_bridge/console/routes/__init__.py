"""The console's pages and what their forms do, one module per noun."""

from __future__ import annotations

from api_bridge.console.routes import (
    approvals,
    audit,
    events,
    home,
    members,
    notifications,
    runs,
    sign_in,
    submissions,
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
    submissions.router,
    members.router,
    audit.router,
)
