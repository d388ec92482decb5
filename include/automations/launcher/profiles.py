"""The profile of an installation on this machine: how many of each part, at which ports."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from urllib.parse import quote

from automations.errors import SettingsFault
from automations.settings import Settings

BACKEND = "127.0.0.1"
"""Where what is behind the proxy listens, and the queue."""
_SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/sbin")
"""Where servers' programs are, which not everybody's PATH has."""


@dataclass(frozen=True)
class Profile:
    """How many there are of each part that there may be several of.

    Args:
        dispatchers: of their own; without any, bridges dispatch.
        celery_workers: without any, tasks are run by our executor, in the scheduler's process.
    """

    bridges: int = 1
    api_servers: int = 1
    schedulers: int = 1
    triggerers: int = 1
    express_workers: int = 1
    dispatchers: int = 0
    celery_workers: int = 0

    @property
    def has_proxy(self) -> bool:
        """Whether several servers are reached at one address."""
        return self.bridges > 1 or self.api_servers > 1


@dataclass(frozen=True)
class Backends:
    """Ports on the loopback, which nobody asks but the proxy and our own parts."""

    bridges: Sequence[int]
    api_servers: Sequence[int]
    queue: int


def profile(settings: Settings) -> Profile:
    """That of an installation."""
    return _PROFILES[settings.profile](settings)


def _single(settings: Settings) -> Profile:
    return Profile(express_workers=settings.express_workers)


def _distributed(settings: Settings) -> Profile:
    chosen = "express_workers" in settings.model_fields_set
    return Profile(
        bridges=2,
        api_servers=2,
        schedulers=2,
        triggerers=2,
        express_workers=settings.express_workers if chosen else 2,
        dispatchers=2,
        celery_workers=settings.celery_workers,
    )


_PROFILES = {"single": _single, "distributed": _distributed}


def backends(settings: Settings) -> Backends:
    """The ports from the first one on: of bridges, of api-servers, of the queue."""
    chosen = profile(settings)
    first = settings.backend_port
    servers = first + chosen.bridges
    queue = servers + chosen.api_servers
    return Backends(range(first, servers), range(servers, queue), queue)


def names(part: str, count: int) -> list[str]:
    """What several of one part are called: the first as if it were alone."""
    return [part, *(f"{part}-{number}" for number in range(2, count + 1))][:count]


def queue_url(settings: Settings) -> str:
    """Where Celery's workers are given tasks."""
    password = quote(settings.queue_password, safe="")
    return settings.queue_url or f"redis://:{password}@{BACKEND}:{backends(settings).queue}/0"


def celery_options(settings: Settings) -> Mapping[str, Mapping[str, object]]:
    """Airflow's options by section, beside or instead of others, where Celery runs tasks."""
    return {
        "core": {"executor": "automations_airflow.executors.celery_executor.QueueExecutor"},
        "celery": {
            "broker_url": queue_url(settings),
            "result_backend": f"db+{settings.airflow_dsn}",
            # By the scheduler itself: a process for each of a few tasks takes longer than these.
            "sync_parallelism": 1,
            # A queue that is away is asked for so long in each round, and for so many rounds.
            "operation_timeout": 5,
            "task_publish_max_retries": 20,
            "celery_config_options": "automations_airflow.executors.celery_workers.CONFIG",
        },
        # Else two lines for each task.
        "logging": {"celery_logging_level": "WARNING"},
        # What a worker had taken that is gone is given to another one. Of a task that runs for
        # longer the second worker hears that it is running, and leaves it.
        "celery_broker_transport_options": {
            "visibility_timeout": 60,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
        },
        "scheduler": {"task_instance_heartbeat_timeout_detection_interval": 5},
    }


def program(*alternatives: str) -> str:
    """The first of some programs that is there.

    Raises:
        SettingsFault: none is.
    """
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_SYSTEM_FOLDERS])
    for name in alternatives:
        if path_found := shutil.which(name, path=path):
            return path_found
    raise SettingsFault(
        [
            f"{' or '.join(alternatives)} is not there, which the profile distributed needs: "
            "./automations up --profile distributed installs what it needs as root on Debian; "
            "elsewhere install what requirements-debian-distributed.txt names"
        ]
    )


def check(settings: Settings) -> None:
    """See that what a profile needs is installed.

    Raises:
        SettingsFault: it is not.
    """
    if profile(settings).celery_workers and find_spec("celery") is None:
        raise SettingsFault(
            [
                "AUTOMATIONS_PROFILE: Celery is not there, which the profile distributed needs: "
                "./automations up --profile distributed installs it"
            ]
        )
