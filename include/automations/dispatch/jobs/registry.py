"""Finds the job handlers: every class of this package that names its kind of job."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping, Sequence

from automations.db.tables import Job, JobKind
from automations.dispatch import jobs
from automations.dispatch.jobs.base import Handler, Tools
from automations.dispatch.jobs.visibility import VisibleDags
from automations.ports import Orchestrator, Ports

_INFRASTRUCTURE = {"base", "registry", "visibility"}


class UnknownKind(LookupError):
    """There is a job of a kind that nothing handles."""


class Registry(Mapping[str, type[Handler]]):
    """Which class handles the jobs of which kind."""

    def __init__(self) -> None:
        self._handlers: dict[str, type[Handler]] = {}

    def register(self, handler: type[Handler]) -> None:
        """Have a class handle the jobs of its kind.

        Raises:
            TypeError: another one does.
        """
        other = self._handlers.setdefault(handler.kind, handler)
        if other is not handler:
            raise TypeError(
                f"'{handler.kind}' jobs are handled by {other.__name__} already, "
                f"so {handler.__name__} must name another kind."
            )

    def __getitem__(self, kind: str) -> type[Handler]:
        try:
            return self._handlers[kind]
        except KeyError:
            kinds = ", ".join(sorted(self._handlers))
            raise UnknownKind(f"Nothing handles '{kind}' jobs; the kinds are {kinds}.") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._handlers)

    def __len__(self) -> int:
        return len(self._handlers)


def _discover() -> Registry:
    registry = Registry()
    for info in pkgutil.iter_modules(jobs.__path__):
        if info.name in _INFRASTRUCTURE:
            continue
        module = importlib.import_module(f"{jobs.__name__}.{info.name}")
        for member in vars(module).values():
            # What a module imports is registered by the one that defines it.
            if (
                isinstance(member, type)
                and issubclass(member, Handler)
                and not inspect.isabstract(member)
                and member.__module__ == module.__name__
            ):
                registry.register(member)
    if missing := set(JobKind) - set(registry):
        raise TypeError(f"Nothing handles jobs of these kinds: {', '.join(sorted(missing))}.")
    return registry


HANDLERS = _discover()
"""The class for every kind of job that there is."""


class Handlers:
    """Handles one job at a time by the handler of its kind; thread-safe."""

    def __init__(self, orchestrator: Orchestrator, ports: Ports) -> None:
        tools = Tools(orchestrator, VisibleDags(orchestrator), ports)
        self._made = {handler: handler(tools) for handler in HANDLERS.values()}

    def handle(self, job: Job) -> None:
        """Do a job and remove it."""
        self._made[HANDLERS[job.kind]].handle(job)

    def handle_all(self, claimed: Sequence[Job]) -> dict[int, Exception]:
        """Do jobs in one go, those of a kind, and remove them; what kept the others, by their ids.

        What keeps all of a kind keeps no other one.
        """
        failures: dict[int, Exception] = {}
        for handler in dict.fromkeys(HANDLERS[job.kind] for job in claimed):
            own = [job for job in claimed if HANDLERS[job.kind] is handler]
            try:
                failures |= self._made[handler].handle_all(own)
            except Exception as error:  # noqa: BLE001 -- the dispatcher tells them apart
                failures |= dict.fromkeys((job.id for job in own), error)
        return failures

    def give_up(self, job: Job, error: str) -> None:
        """Bury a job, and end what cannot go on without it."""
        self._made[HANDLERS[job.kind]].give_up(job, error)
