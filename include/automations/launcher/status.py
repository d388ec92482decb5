"""``./automations status``: probes every part."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from automations.db.migrate import fault
from automations.db.session import unit_of_work
from automations.db.workflows import held_up
from automations.errors import DatabaseUnavailable
from automations.launcher import processes
from automations.launcher.part import Part
from automations.launcher.parts import all_parts
from automations.launcher.probes import Blocked, Unknown
from automations.launcher.run_state import PartState, PartStatus, RunFolder
from automations.launcher.supervisor import START_TIMEOUT
from automations.settings import Settings


def part_states(settings: Settings) -> dict[str, PartStatus]:
    """The state of every part: healthy, starting, unhealthy or stopped."""
    recorded = RunFolder(settings.home).read().parts
    parts = [part for part in all_parts(settings) if not part.once]
    with ThreadPoolExecutor(max_workers=len(parts)) as pool:
        states = pool.map(lambda part: _state(part, recorded.get(part.name, PartState())), parts)
        return dict(zip((part.name for part in parts), states, strict=True))


def report(settings: Settings) -> dict[str, object]:
    """The answer of ``status --json``."""
    return {
        "bridge": settings.bridge_base,
        "airflow": settings.airflow_base,
        "mail": None if settings.smtp_host else settings.mail_base,
        "parts": part_states(settings),
        **_of_database(settings.dsn),
    }


def _of_database(dsn: str) -> dict[str, object]:
    """Why our database cannot be used, and how many automations stand still, by the reason.

    Both are None where it does not answer: that it is away is said of its part.
    """
    try:
        if (problem := fault(dsn)) is not None:
            return {"database": problem, "heldUp": None}
        with unit_of_work(dsn) as session:
            counts = {str(kind): number for kind, number in held_up.count(session).items()}
            return {"database": None, "heldUp": counts}
    except DatabaseUnavailable:
        return {"database": None, "heldUp": None}


def _state(part: Part, recorded: PartState) -> PartStatus:
    if not recorded.pid or not processes.is_alive(recorded.pid, recorded.created):
        return "stopped"
    try:
        works = part.probe is None or part.probe(processes.to_unix_time(recorded.created))
    except Unknown:
        works = recorded.state == "healthy"
    except Blocked:
        works = False
    if works:
        return "healthy"
    young = time.time() - processes.to_unix_time(recorded.created) < START_TIMEOUT
    return "starting" if young and recorded.state == "starting" else "unhealthy"
