"""One of several processes of a bridge that share its port."""

from __future__ import annotations

import multiprocessing
import signal

from fastapi import FastAPI

from automations.kit import logs, parent_death
from automations.settings import get_settings


def app_of_process() -> FastAPI:
    """The app, in a process that dies with the one that has started it."""
    # A killed bridge must not leave a process behind that holds its port.
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None:
        parent_death.die_with(parent.pid, signal.SIGKILL)
    configure_logs()
    from api_bridge.app import app

    return app


def configure_logs() -> None:
    """Log as the settings say."""
    settings = get_settings()
    logs.configure(settings.log_format, settings.log_level, settings.confidential)
