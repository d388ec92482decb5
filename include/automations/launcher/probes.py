"""Probes: whether a part works."""

from __future__ import annotations

import json
import smtplib
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg2
from sqlalchemy.engine import make_url

from automations.db.queue import jobs
from automations.db.session import reading
from automations.errors import DatabaseUnavailable
from automations.launcher.fork_server import ForkServer
from automations.launcher.run_state import RunFolder

# Given when the part's process was created; answers whether it works.
Probe = Callable[[float], bool]

# A starved server answers late, and one that is asked again meanwhile answers later still.
TIMEOUT = 30.0
HEARTBEAT_TIMEOUT = 30.0
"""Seconds: Airflow beats every five; some beats may be missed while the machine is busy."""
_CLOCK_SKEW = 1.0
_HEARTBEAT = """
SELECT extract(epoch FROM now() - max(j.latest_heartbeat))
FROM automations_job_process p JOIN job j ON j.id = p.job_id
WHERE p.host = %(host)s AND p.pid = %(pid)s AND j.state = 'running'
"""
# No proxy: every part listens on this machine.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Unknown(Exception):
    """The part cannot be asked now, because another part is away."""


class Blocked(Exception):
    """The part answers, but what it needs does not work."""


def works(probe: Probe, since: float = 0.0) -> bool:
    """The probe's answer, where only yes and no matter."""
    try:
        return probe(since)
    except (Unknown, Blocked):
        return False


def bridge(base: str) -> Probe:
    """The bridge, with its database."""

    def probe(_since: float) -> bool:
        if _get(f"{base}/readyz") is not None:
            return True
        if _get(f"{base}/healthz") is not None:
            raise Blocked
        return False

    return probe


def airflow_api(base: str) -> Probe:
    """Airflow's api-server, with its database and with the part of it that tasks speak to.

    That part is made at its first request, which takes seconds: better this one than a first run's.
    """

    def probe(_since: float) -> bool:
        health = _health(base)
        if health and health["metadatabase"]["status"] != "healthy":
            raise Blocked
        return bool(health) and _get(f"{base}/execution/health") is not None

    return probe


def airflow_job(base: str, name: str) -> Probe:
    """A young heartbeat of one of Airflow's parts, later than the start of its process.

    Airflow's own word is not asked for: it takes a part for dead much later, since it cannot see
    whether the part is at work all the same.
    """

    def probe(since: float) -> bool:
        health = _health(base)
        if not health or health["metadatabase"]["status"] != "healthy":
            raise Unknown
        heartbeat = health.get(name, {}).get(f"latest_{name}_heartbeat")
        if not heartbeat:
            return False
        at = datetime.fromisoformat(heartbeat).timestamp()
        # A predecessor's does not count.
        return at >= since and time.time() - at < HEARTBEAT_TIMEOUT

    return probe


def airflow_process(dsn: str, home: Path, name: str) -> Probe:
    """A young heartbeat of one of several of Airflow's parts: of the job that its process is.

    Args:
        dsn: of Airflow's database.
        name: the part's.
    """
    url = make_url(dsn).set(drivername="postgresql").render_as_string(hide_password=False)

    def probe(_since: float) -> bool:
        part = RunFolder(home).read().parts.get(name)
        owner = {"host": socket.gethostname(), "pid": part.pid if part else 0}
        try:
            with closing(psycopg2.connect(url, connect_timeout=5)) as connection:
                cursor = connection.cursor()
                cursor.execute(_HEARTBEAT, owner)
                ((age,),) = cursor.fetchall()
        except psycopg2.errors.UndefinedTable:
            return False  # none of them has come so far
        except psycopg2.Error as away:
            raise Unknown from away
        return age is not None and age < HEARTBEAT_TIMEOUT

    return probe


def beat(path: Path) -> Probe:
    """A part that touches a file as long as it lives, every few seconds."""

    def probe(since: float) -> bool:
        try:
            touched = path.stat().st_mtime
        except OSError:
            return False
        return touched >= since and time.time() - touched < HEARTBEAT_TIMEOUT

    return probe


def proxy(urls: Sequence[str]) -> Probe:
    """A proxy that has a server to ask behind each of its addresses."""

    def probe(_since: float) -> bool:
        answers = [_status(f"{url}/healthz") for url in urls]
        if None in answers:
            return False
        if 503 in answers:
            raise Blocked
        return True

    return probe


def fork_server(server: ForkServer) -> Probe:
    """A fork server that is ready, as the process that has started it knows."""

    def probe(_since: float) -> bool:
        if not server.is_here:
            raise Unknown
        return server.is_ready()

    return probe


def smtp_greeting(host: str, port: int) -> Probe:
    """A mail server that greets."""

    def probe(_since: float) -> bool:
        try:
            with smtplib.SMTP(host, port, timeout=TIMEOUT) as client:
                return client.noop()[0] == 250
        except (OSError, smtplib.SMTPException):
            return False

    return probe


def registered(name: str) -> Probe:
    """An express worker or a dispatcher of this machine that listens for work."""

    def probe(since: float) -> bool:
        try:
            with reading() as session:
                # PostgreSQL's clock may be another one.
                return jobs.is_registered(session, name, since - _CLOCK_SKEW)
        except DatabaseUnavailable as away:
            raise Unknown from away

    return probe


def _status(url: str) -> int | None:
    try:
        with _opener.open(url, timeout=TIMEOUT) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code
    except (OSError, ValueError):
        return None


def _get(url: str) -> bytes | None:
    try:
        with _opener.open(url, timeout=TIMEOUT) as answer:
            body: bytes = answer.read()
            return body if answer.status == 200 else None
    except (OSError, urllib.error.HTTPError, ValueError):
        return None


def _health(base: str) -> dict[str, Any]:
    body = _get(f"{base}/api/v2/monitor/health")
    if body is None:
        return {}
    health: dict[str, Any] = json.loads(body)
    return health
