"""The bridge as a process: ``python -m api_bridge``."""

from __future__ import annotations

import uvicorn

from automations import logs
from automations.settings import get_settings


def main() -> None:
    """Serve until told to stop."""
    settings = get_settings()
    logs.configure(settings.log_format, settings.log_level, settings.confidential)
    uvicorn.run(
        "api_bridge.app:app",
        host=settings.host,
        port=settings.bridge_port,
        # Ours names the route, never the address, which may hold a token.
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
