"""Whether a part works, found out by asking it."""

from __future__ import annotations

import json
import smtplib
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime
from typing import Any

# Given when the part's process was created; answers whether it works.
Probe = Callable[[float], bool]

# A starved server answers late, and one that is asked again meanwhile answers later still.
TIMEOUT = 30.0
HEARTBEAT_PATIENCE = 30.0
"""Seconds: Airflow beats every five; some beats may be missed while the machine is busy."""
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
        return at >= since and time.time() - at < HEARTBEAT_PATIENCE

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
