"""The bridge as a process: ``python -m api_bridge``."""

from __future__ import annotations

import resource

import uvicorn

from api_bridge import processes
from api_bridge.server.connections import MAX_CONNECTIONS
from automations.settings import settings_of_process


def main() -> None:
    """Serve until told to stop."""
    settings = settings_of_process()
    processes.configure_logs()
    allow_files(2 * MAX_CONNECTIONS)
    alone = settings.bridge_processes == 1
    uvicorn.run(
        "api_bridge.app:app" if alone else "api_bridge.processes:app_of_process",
        factory=not alone,
        workers=settings.bridge_processes,
        host=settings.host,
        port=settings.bridge_port,
        http="api_bridge.server.connections:Connection",
        # There is no route for any; without, a request to upgrade is one like others.
        ws="none",
        # Who asks is found out by client_address, from the proxies that a setting names.
        proxy_headers=False,
        # Ours names the route, never the address, which may hold a token.
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=5,
        timeout_worker_healthcheck=30,
    )


def allow_files(number: int) -> None:
    """Have room for all connections: what systems allow at first is often less."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = number if hard == resource.RLIM_INFINITY else min(number, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


if __name__ == "__main__":
    main()
