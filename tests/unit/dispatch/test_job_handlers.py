"""Every kind of job has one handler, which says what such a job needs."""

from __future__ import annotations

from typing import ClassVar

import pytest

from automations.db.tables import Job, JobKind
from automations.dispatch.jobs.base import Handler
from automations.dispatch.jobs.registry import HANDLERS, Handlers, Registry, UnknownKind
from tests.doubles import Unreachable, ports


class First(Handler):
    kind: ClassVar = JobKind.MATCH_EVENT

    def handle(self, job: Job) -> None: ...


class Second(First):
    pass


def with_trait(trait: str) -> set[str]:
    return {kind for kind, handler in HANDLERS.items() if getattr(handler, trait)}


def test_every_kind_is_handled() -> None:
    assert set(HANDLERS) == set(JobKind)
    assert all(handler.kind == kind for kind, handler in HANDLERS.items())


def test_a_second_handler_of_a_kind_is_refused() -> None:
    registry = Registry()
    registry.register(First)
    registry.register(First)
    with pytest.raises(TypeError, match="'match_event' jobs are handled by First already"):
        registry.register(Second)
    assert registry[JobKind.MATCH_EVENT] is First


def test_a_job_that_nothing_handles_is_named() -> None:
    handlers = Handlers(Unreachable(), ports())
    job = Job(kind="make_tea", subject_id="x")
    with pytest.raises(UnknownKind, match="Nothing handles 'make_tea' jobs; the kinds are admit"):
        handlers.handle(job)


def test_who_needs_airflow_and_who_takes_room_in_it() -> None:
    assert with_trait("airflow") == {
        "start_run", "start_child", "show_run", "answer_wait", "fail_run", "retry_run",
        "retry_latest", "name_override", "call_dag", "end_dag_run",
    }  # fmt: skip
    assert with_trait("limited") == {"start_run"}
    assert with_trait("express") == {"express_run"}
    # Whatever speaks to a mail server or a source has workers of its own.
    assert with_trait("slow") == {
        "sync_pipeline", "ask_approver", "remind_approver", "send_form",
    }  # fmt: skip
