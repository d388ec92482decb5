"""The apps that the plugin adds to Airflow's api-server, imported only there.

Every process of Airflow's imports the plugin, each task's, too, and none but the api-server needs
a web framework.
"""

from __future__ import annotations

import importlib
from typing import Any

from automations_airflow import installation
from automations_airflow.server.run_limits import NoRunLimit


class ServerApp:
    """An application that is imported by the first request.

    Args:
        module: of this package; its ``app`` is given the server's bag of DAGs.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self._app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._app is None:
            self._app = importlib.import_module(f"{__package__}.{self._module}").app
            self._app.state.dag_bag = scope["app"].state.dag_bag
        await self._app(scope, receive, send)


class LoggedRoutes:
    """Has those of Airflow's own routes logged that it does not log, as the server starts."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan" and installation.publishes():
            module = importlib.import_module(f"{__package__}.unlogged_routes")
            module.log_them(scope["app"].routes)
        await self._app(scope, receive, send)


MIDDLEWARES = [
    {"middleware": LoggedRoutes, "name": "Automations: acts that are logged"},
    {"middleware": NoRunLimit, "name": "Automations: runs without a limit"},
]

APPS = [
    {
        "app": ServerApp("run_batches"),
        "url_prefix": "/automations/batches",
        "name": "Automations: batches of runs",
    },
    {
        "app": ServerApp("operator_list"),
        "url_prefix": "/automations/operators",
        "name": "Automations: operators that steps may run",
    },
    {
        "app": ServerApp("acts_on_many"),
        "url_prefix": "/automations/acts",
        "name": "Automations: what was done to several runs at once",
    },
    {
        "app": ServerApp("connection_reader"),
        "url_prefix": "/automations/connections",
        "name": "Automations: connections for tests of steps",
    },
    {
        "app": ServerApp("console_sign_in"),
        "url_prefix": "/automations/console",
        "name": "Automations: sign-in to the console",
    },
]
