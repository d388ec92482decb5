"""An express worker as a process: ``python -m automations.launcher.express_worker [NAME]``."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence

from automations import wiring
from automations.dispatch.express import ExpressWorker
from automations.kit import logs
from automations.settings import settings_of_process

_STUCK_CHECK_INTERVAL = 10.0
"""Seconds between two looks at whether it is stuck."""


def main(arguments: Sequence[str]) -> int:
    """Do runs until told to stop, or until one cannot be ended any more; returns the exit code.

    Args:
        arguments: the name by which its part of the installation is known.
    """
    settings = settings_of_process()
    logs.configure(settings.log_format, settings.log_level, settings.confidential)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    wiring.begin_tracing("automations-express")
    name = arguments[0] if arguments else "express"
    worker = ExpressWorker(wiring.engine(), name)
    worker.start()
    while not stopped.wait(_STUCK_CHECK_INTERVAL) and not worker.is_stuck:
        pass
    worker.stop()
    return 0 if stopped.is_set() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
