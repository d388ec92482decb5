"""The bridge as a process: ``python -m api_bridge``."""

from __future__ import annotations

import uvicorn

from api_bridge import processes
from automations.settings import get_settings


def main() -> None:
    """Serve until told to stop."""
    settings = get_settings()
    processes.configure_logs()
    alone = settings.bridge_processes == 1
    uvicorn.run(
        "api_bridge.app:app" if alone else "api_bridge.processes:app_of_process",
        factory=not alone,
        workers=settings.bridge_processes,
        host=settings.host,
        port=settings.bridge_port,
        # Who asks is found out by client_address, from the proxies that a setting names.
        proxy_headers=False,
        # Ours names the route, never the address, which may hold a token.
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=5,
        timeout_worker_healthcheck=30,
    )


if __name__ == "__main__":
    main()
