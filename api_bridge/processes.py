"""One of several processes of a bridge, which share its port."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys

from fastapi import FastAPI

from automations import logs
from automations.settings import get_settings

_PR_SET_PDEATHSIG = 1


def app_of_process() -> FastAPI:
    """The app, in a process that dies with the one that has started it."""
    _die_with_parent()
    configure_logs()
    from api_bridge.app import app

    return app


def configure_logs() -> None:
    """Log as the settings say."""
    settings = get_settings()
    logs.configure(settings.log_format, settings.log_level, settings.confidential)


def _die_with_parent() -> None:
    """A killed bridge must not leave a process behind that holds its port."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    parent = multiprocessing.parent_process()
    if prctl is None or parent is None:
        return
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent.pid:
        sys.exit("The bridge is gone.")
