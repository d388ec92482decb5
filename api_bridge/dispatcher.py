"""The dispatcher alone: ``python -m api_bridge.dispatcher [NAME]``."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence

from api_bridge.airflow.client import AirflowClient
from automations import wiring
from automations.dispatch.dispatcher import Dispatcher
from automations.kit import logs
from automations.settings import settings_of_process


def main(arguments: Sequence[str]) -> None:
    """Dispatch until told to stop.

    Args:
        arguments: the name by which its part of the installation is known.
    """
    settings = settings_of_process()
    logs.configure(settings.log_format, settings.log_level, settings.confidential)
    wiring.begin_tracing("automations-dispatcher")
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    dispatcher = Dispatcher(AirflowClient(settings), wiring.ports(), *arguments[:1])
    dispatcher.start()
    stopped.wait()
    dispatcher.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
