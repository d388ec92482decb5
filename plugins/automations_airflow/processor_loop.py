"""Changes the dag-processor's loop: it sleeps while idle, and parses changed files first.

Airflow's dag-processor asks each second, of every bundle, whether there is something new. Of ours
it can be told: with nothing to parse it rests for some seconds, and is woken when an automation is
published. What nobody tells of (a DAG's file, one that somebody wants parsed again in Airflow's UI)
waits for that long.

With very many files to parse, all are in its queue, and one that is changed meanwhile is put there
when the last one is done. So it has only a few in it at a time: what is next is always what was
changed last. And the more files there are, the more seldom each is parsed again unchanged, which
only mends what could not be written.

And a file that is changed while it is being parsed is parsed once more, however long that takes:
Airflow goes by when the parsing has ended, and would take the change for one that was seen.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any, Protocol

from airflow.configuration import conf
from airflow.dag_processing.manager import DagFileInfo, DagFileProcessorManager

from automations import wiring
from automations.errors import DatabaseUnavailable
from automations_airflow.airflow_versions import is_tested

log = logging.getLogger(__name__)

IDLE_SLEEP = 4.0
"""Seconds, beside the one that Airflow's loop takes itself."""
MAX_QUEUED = 6
"""Files: what a changed one waits for at most, beside those that are being parsed."""
REPARSE_INTERVAL = 10.0
"""Seconds at least between two files that are parsed unchanged, a third of one of work each."""


class Subscription(Protocol):
    """Hears of publications."""

    def wait(self, seconds: float) -> object: ...

    def close(self) -> None: ...


class Rest:
    """Waits for publications where the dag-processor of this process has nothing else to do."""

    def __init__(self, ear: Callable[[], Subscription] = wiring.announcements) -> None:
        self._new_ear = ear
        self._ear: Subscription | None = None

    def take(self) -> None:
        """Wait until something is published, or for as long as a rest is."""
        try:
            if self._ear is None:
                # What was published before is looked for first.
                self._ear = self._new_ear()
            else:
                self._ear.wait(IDLE_SLEEP)
        except DatabaseUnavailable:
            # It asks each second then, as it does by itself.
            if self._ear is not None:
                self._ear.close()
            self._ear = None


class _BeingParsed:
    """What files were when they began to be parsed."""

    def __init__(self) -> None:
        self._seen: dict[DagFileInfo, tuple[object, float | None]] = {}

    def look(self, manager: DagFileProcessorManager) -> None:
        """Have those parsed again that are not what they were any more; note those that began."""
        for file, (processor, before) in list(self._seen.items()):
            now = manager._processors.get(file)
            if now is processor:
                continue
            del self._seen[file]
            if now is None and _modified_at(file) != before:
                _request_parsing(manager, [file])
        for file, processor in manager._processors.items():
            if file not in self._seen:
                self._seen[file] = processor, _modified_at(file)


def take_over(rest: Rest | None = None) -> None:
    """Have the dag-processor of this process do so."""
    if not is_tested():
        return
    resting = rest or Rest()
    serve = DagFileProcessorManager._service_processor_sockets
    interval = conf.getint("dag_processor", "min_file_process_interval")
    being_parsed = _BeingParsed()

    def serve_or_rest(manager: DagFileProcessorManager, timeout: float | None = 1.0) -> None:
        serve(manager, timeout)
        manager._file_process_interval = max(interval, REPARSE_INTERVAL * len(manager._file_stats))
        being_parsed.look(manager)
        _shorten(manager)
        if not manager._processors and not manager._file_queue:
            resting.take()

    watched: Any = DagFileProcessorManager
    watched._service_processor_sockets = serve_or_rest


def _shorten(manager: DagFileProcessorManager) -> None:
    """Leave only the first files in the queue; the others come again when it is empty."""
    # What else there is to do with a file is asked for only once.
    further = [
        file
        for file in list(manager._file_queue)[MAX_QUEUED:]
        if file not in manager._callback_to_execute
    ]
    for file in further:
        del manager._file_queue[file]
    # So do those that somebody has asked for, which were parsed not long ago.
    _request_parsing(manager, further)


def _request_parsing(manager: DagFileProcessorManager, files: list[DagFileInfo]) -> None:
    """Have files parsed when there is time, whenever they were parsed before."""
    keys = {file.presence_key for file in files}
    for file, stat in manager._file_stats.items() if keys else ():
        if file.presence_key in keys:
            stat.last_finish_time = None


def _modified_at(file: DagFileInfo) -> float | None:
    """When a file was last changed; None while it is not there."""
    try:
        return os.path.getmtime(file.absolute_path)
    except OSError:
        return None
