"""The first steps of a run, done before Airflow has it."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from automations.db.queue import jobs
from automations.db.runs import run_steps
from automations.db.session import unit_of_work
from automations.db.tables import Job, JobKind, Run, Workflow
from automations.dispatch.jobs.registry import Handlers
from automations.domain.statuses import StepStatus
from automations.errors import DatabaseUnavailable, NotVisibleYet, StepError
from automations.execution.captured_logs import CapturedLog
from automations.execution.engine import Engine
from automations.execution.express import ExpressLeg
from automations.execution.verdicts import AskPeople, GiveUp, Proceed, Retry
from automations.ports import Mail
from automations.services.integrations import secrets
from automations.services.runs import admission, by_hand, cancellations, replays
from automations.services.workflows import workflows
from tests.db.counting import commits, statements
from tests.db.cutting import Killed, at, cut_off, killed_at
from tests.db.expressing import MINUTE, claimed, come_back, lead, queued, started
from tests.db.roles import Outbox
from tests.db.runs import MAIL, logs, reload, row, step, task
from tests.db.workspace import principal, workspace
from tests.doubles import ports
from tests.environment import Environment


def mail(name: str, order: int = 0, **more: Any) -> dict[str, Any]:
    return step(name, "email", order, {**MAIL, "subject": name}, **more)


def mails(names: str) -> list[dict[str, Any]]:
    return [mail(name, order) for order, name in enumerate(names)]


def subjects(outbox: Outbox) -> list[str]:
    return [sent.subject for sent in outbox.sent]


def fail_at(outbox: Outbox, wanted: str, *, retryable: bool = False) -> None:
    """Have one mail fail."""

    def watch(sent: Mail) -> None:
        if sent.subject == wanted:
            outbox.failures = [StepError("no", kind="mail", retryable=retryable)]

    outbox.watch = watch


def test_all_light_steps_are_done_and_recorded_and_the_run_is_to_be_shown(
    engine: Engine, outbox: Outbox
) -> None:
    run = started(*mails("abcde"))
    lead(engine)
    assert subjects(outbox) == ["a", "b", "c", "d", "e"]
    assert reload(run).status == "COMPLETED"
    assert [line.step_id for line in logs(run)] == ["a", "b", "c", "d", "e"]
    assert queued(run) == ["show_run"]
    done = row(run, "c")
    assert done is not None
    assert (done.status, done.attempt, done.generation) == ("DONE", 1, 0)
    assert (done.input or {})["subject"] == "c"
    assert (done.output or {})["provider"] == "test"
    assert done.ended_at is not None
    assert done.started_at <= done.ended_at
    assert [sent.key for sent in outbox.sent] == [f"{run.id}:{name}:0" for name in "abcde"]


def test_what_the_log_of_each_task_is_to_say_is_kept(engine: Engine, outbox: Outbox) -> None:
    run = started(*mails("ab"))
    lead(engine)
    done = row(run, "b")
    assert done is not None
    told = [text for _, _, _, text in done.log_lines or []]
    assert told[0].startswith("Step 'b'")
    assert told[1] == "Configuration:"
    assert not any("'a'" in text for text in told)


def test_later_steps_see_what_earlier_ones_have_put_out(engine: Engine, outbox: Outbox) -> None:
    config = {**MAIL, "subject": "{{steps.a.provider}} of {{input.text}}"}
    run = started(mail("a"), step("b", "email", 1, config), text="spring")
    lead(engine)
    assert subjects(outbox) == ["a", "test of spring"]
    assert reload(run).status == "COMPLETED"


def test_a_task_that_comes_after_all_is_answered_what_is_on_record(
    engine: Engine, outbox: Outbox
) -> None:
    run = started(*mails("ab"))
    lead(engine)
    verdict = engine.run(task(run, "b"))
    assert isinstance(verdict, Proceed)
    assert verdict.repeated
    assert subjects(outbox) == ["a", "b"]


def test_it_goes_through_branches(engine: Engine, outbox: Outbox) -> None:
    arms = {"then": [mail("x")], "else": [mail("y")]}
    branch = step("b", "condition", 1, {"expression": "false", **arms})
    run = started(mail("a"), branch, mail("c", 2))
    lead(engine)
    assert subjects(outbox) == ["a", "y", "c"]
    left_out = row(run, "x")
    assert left_out is not None
    assert left_out.status == "SKIPPED"
    assert reload(run).status == "COMPLETED"


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("delay", {"duration": "PT1H"}),
        ("approval", {"approvers": ["boss@b.example"], "message": "OK?"}),
        ("ai", {"prompt": "Hello"}),
        ("loop", {"collection": [1], "steps": [mail("inner")]}),
    ],
)
def test_what_may_wait_or_is_heavy_is_left_to_airflow_with_all_behind_it(
    engine: Engine, outbox: Outbox, kind: str, config: dict[str, Any]
) -> None:
    run = started(mail("a"), mail("b", 1), step("own", kind, 2, config), mail("c", 3))
    lead(engine)
    assert subjects(outbox) == ["a", "b"]
    assert row(run, "own") is None
    assert reload(run).status == "RUNNING"
    assert queued(run) == ["start_run"]


def test_a_run_whose_first_step_waits_goes_to_airflow_as_it_is(
    engine: Engine, outbox: Outbox
) -> None:
    config = {"approvers": ["boss@b.example"], "message": "OK?"}
    run = started(step("ask", "approval", 0, config), mail("b", 1))
    lead(engine)
    assert queued(run) == ["start_run"]
    assert isinstance(engine.run(task(run, "ask")), AskPeople)


def test_a_run_without_steps_goes_to_airflow(engine: Engine) -> None:
    run = started()
    lead(engine)
    assert queued(run) == ["start_run"]


def test_a_step_that_is_tried_again_is_airflows_and_keeps_its_delay(
    engine: Engine, outbox: Outbox
) -> None:
    retry = {"maxAttempts": 2, "delay": "PT5M", "backoff": "fixed"}
    run = started(mail("a"), mail("b", 1, retry=retry), mail("c", 2))
    fail_at(outbox, "b", retryable=True)
    lead(engine)
    assert queued(run) == ["start_run"]
    tried = row(run, "b")
    assert tried is not None
    assert (tried.attempt, tried.retries) == (2, 1)
    assert any("Failed after" in text for _, _, _, text in tried.log_lines or [])
    early = engine.run(task(run, "b"))
    assert isinstance(early, Retry)
    assert timedelta(minutes=4) < early.delay < timedelta(minutes=5)
    assert [line.status for line in logs(run)] == ["success", "retrying"]


def test_a_run_that_fails_has_failed_and_fails_in_airflow_by_its_own_task(
    engine: Engine, outbox: Outbox
) -> None:
    run = started(*mails("abc"))
    fail_at(outbox, "b")
    lead(engine)
    assert reload(run).status == "FAILED"
    assert reload(run).error == "b: no"
    assert queued(run) == ["start_run"]
    assert isinstance(engine.run(task(run, "b")), GiveUp)
    assert row(run, "c") is None


def test_a_failure_that_is_passed_over_does_not_end_it(engine: Engine, outbox: Outbox) -> None:
    run = started(mail("a"), mail("b", 1, onError="continue"), mail("c", 2))
    fail_at(outbox, "b")
    lead(engine)
    assert subjects(outbox) == ["a", "c"]
    assert reload(run).status == "COMPLETED"


def test_no_step_is_begun_when_the_time_is_over(engine: Engine, outbox: Outbox) -> None:
    run = started(*mails("ab"))
    lead(engine, budget=timedelta(0))
    assert subjects(outbox) == []
    assert queued(run) == ["start_run"]


def test_a_process_that_is_not_known_to_be_there_any_more_begins_nothing(
    engine: Engine, outbox: Outbox
) -> None:
    run = started(*mails("abc"))
    lead(engine, may_go_on=lambda: not outbox.sent)
    assert subjects(outbox) == ["a"]
    assert queued(run) == ["start_run"]


def test_a_run_that_is_cancelled_meanwhile_goes_no_further_and_is_shown(
    engine: Engine, outbox: Outbox
) -> None:
    run = started(*mails("abc"))

    def cancel(_: Mail) -> None:
        cancellations.cancel(principal(run.workspace_id), run.workflow_id, run.id)

    outbox.watch = cancel
    lead(engine)
    assert subjects(outbox) == ["a"]
    assert reload(run).status == "CANCELLED"
    assert [line.step_id for line in logs(run)] == ["a"], "its effect stays on record"
    assert queued(run) == ["show_run"]


def test_a_run_that_is_cancelled_before_it_begins_is_done_by_nobody(
    engine: Engine, outbox: Outbox
) -> None:
    run = started(*mails("ab"))
    cancellations.cancel(principal(run.workspace_id), run.workflow_id, run.id)
    lead(engine)
    assert subjects(outbox) == []
    assert queued(run) == []


def test_where_somebody_has_paused_the_dag_in_airflow_nothing_is_begun(
    engine: Engine, outbox: Outbox
) -> None:
    run = started(*mails("ab"))
    with unit_of_work() as session:
        session.execute(update(Workflow).values(held_up="paused"))
    lead(engine)
    assert subjects(outbox) == []
    assert queued(run) == ["start_run"]


def test_a_secret_that_only_airflow_may_have_is_left_to_airflow(
    engine: Engine, outbox: Outbox, environment: Environment
) -> None:
    config = {**MAIL, "subject": "{{secret.TOKEN}}"}
    run = started(mail("a"), step("b", "email", 1, config))
    lead(engine)
    assert subjects(outbox) == ["a"]
    assert queued(run) == ["start_run"]
    environment.set(AUTOMATIONS_SECRET_TOKEN="of the installation")
    secrets.read(run.workspace_id, {"TOKEN"})


@pytest.mark.parametrize("looped", [False, True])
def test_a_connection_of_airflow_is_left_to_airflow(
    engine: Engine, outbox: Outbox, looped: bool
) -> None:
    by = step("b", "email", 1, {**MAIL, "connId": "smtp_office"})
    if looped:
        by = step("each", "loop", 1, {"collection": [1], "steps": [{**by, "order": 0}]})
    run = started(mail("a"), by)
    lead(engine)
    assert subjects(outbox) == ["a"]
    assert queued(run) == ["start_run"]


def test_a_secret_that_is_known_here_is_used_and_hidden(
    engine: Engine, outbox: Outbox, environment: Environment
) -> None:
    environment.set(AUTOMATIONS_SECRET_TOKEN="of the installation")
    config = {**MAIL, "subject": "{{secret.TOKEN}}"}
    run = started(mail("a"), step("b", "email", 1, config))
    lead(engine)
    assert subjects(outbox) == ["a", "of the installation"]
    done = row(run, "b")
    assert done is not None
    assert (done.input or {})["subject"] == "***"
    assert "of the installation" not in str(done.log_lines)


def airflow_does(engine: Engine, run: Run, names: str) -> None:
    """What is left to Airflow: it begins the tasks, one after the other."""
    for name in names:
        assert isinstance(engine.run(task(run, name)), Proceed), name


@pytest.mark.slow
def test_a_process_that_is_killed_at_any_statement_loses_nothing_and_airflow_goes_on(
    engine: Engine, outbox: Outbox
) -> None:
    position, was_killed = 1, True
    while was_killed:
        outbox.sent.clear()
        run = started(*mails("abc"))
        job = claimed()
        with killed_at(position) as killed:
            ExpressLeg(engine, job, MINUTE, lambda: True).run()
        was_killed = bool(killed)
        if JobKind.EXPRESS_RUN in queued(run):
            # Seen by whoever is there when the holder's connection has ended.
            come_back()
            lead(engine)
        # It is Airflow's, or has ended and is to be shown: never in nobody's hand.
        left = queued(run)
        assert left in (["start_run"], ["show_run"]), position
        assert (reload(run).status == "COMPLETED") == (left == ["show_run"])
        airflow_does(engine, run, "abc")
        assert reload(run).status == "COMPLETED"
        # What was not on record is done once more, under the same key.
        assert list(dict.fromkeys(sent.key for sent in outbox.sent)) == [
            f"{run.id}:{name}:0" for name in "abc"
        ]
        assert len(outbox.sent) <= 4, position
        with unit_of_work() as session:
            jobs.cancel(session, JobKind.START_RUN, run.id)
        forget(run)
        position += 1
    assert position > 15


def forget(run: Run) -> None:
    """Have the next run be the only one."""
    with unit_of_work() as session:
        session.execute(update(Run).where(Run.id == run.id).values(express=False))


@pytest.mark.slow
def test_a_run_goes_on_in_airflow_whichever_statement_its_connection_is_lost_at(
    engine: Engine, outbox: Outbox
) -> None:
    position, was_cut = 1, True
    while was_cut:
        outbox.sent.clear()
        run = started(*mails("ab"))
        job = claimed()
        with at(position, cut_off) as cuts:
            try:
                ExpressLeg(engine, job, MINUTE, lambda: True).run()
            except DatabaseUnavailable:
                with unit_of_work() as session:
                    jobs.reschedule(session, job, timedelta(0), "away")
        was_cut = bool(cuts)
        if JobKind.EXPRESS_RUN in queued(run):
            come_back()
            lead(engine)
        assert queued(run) in (["start_run"], ["show_run"]), position
        airflow_does(engine, run, "ab")
        assert reload(run).status == "COMPLETED"
        assert {sent.key for sent in outbox.sent} == {f"{run.id}:{name}:0" for name in "ab"}
        # Not each of them, for what that would take.
        position += 2
    assert position > 10


def test_a_run_that_another_process_has_begun_is_left_to_airflow(
    engine: Engine, outbox: Outbox
) -> None:
    run = started(*mails("ab"))
    outbox.failures = [Killed()]  # type: ignore[list-item]  # raised like any other
    with pytest.raises(Killed):
        lead(engine)
    come_back()
    lead(engine)
    assert subjects(outbox) == []
    assert queued(run) == ["start_run"]
    airflow_does(engine, run, "ab")
    assert reload(run).status == "COMPLETED"


def test_who_has_lost_the_job_records_the_step_it_is_in_and_begins_no_other(
    engine: Engine, outbox: Outbox
) -> None:
    run = started(*mails("abc"))
    job = claimed()

    def lose(sent: Mail) -> None:
        if sent.subject == "a" and not outbox.sent:
            come_back()
            lead(engine)  # another worker, which gives it to Airflow

    outbox.watch = lose
    ExpressLeg(engine, job, MINUTE, lambda: True).run()
    assert queued(run) == ["start_run"]
    assert subjects(outbox) == ["a"]
    done = row(run, "a")
    assert done is not None
    assert done.status == "DONE"
    airflow_does(engine, run, "abc")
    assert subjects(outbox) == ["a", "b", "c"]


def test_a_step_is_one_transaction_and_few_statements(engine: Engine, outbox: Outbox) -> None:
    started(*mails("abcdefghij"))
    lead(engine)
    with unit_of_work() as session:
        session.execute(update(Job).values(kind="admit_run"))
    started(*mails("abcdefghijk"))
    job = claimed()
    with commits() as made, statements() as sent:
        ExpressLeg(engine, job, MINUTE, lambda: True).run()
    assert len(made) == 12
    assert len(sent) <= 60


def express(here: str, **more: Any) -> str:
    look = step("look", "condition", 0, {"expression": "true"})
    payload = {"name": "Test", "status": "ACTIVE", "execution": "express", "steps": [look], **more}
    return workflows.create(principal(here), payload, ports()).id


def kinds_after_execute(workflow: str, here: str) -> list[str]:
    run = by_hand.execute(principal(here), workflow, {})
    with unit_of_work() as session:
        return list(session.scalars(select(Job.kind).where(Job.subject_id == run.id)))


def test_a_run_of_an_express_automation_is_for_express_workers(database: str) -> None:
    here = workspace()
    assert kinds_after_execute(express(here), here) == ["express_run"]
    assert kinds_after_execute(express(here, execution="airflow"), here) == ["start_run"]


def test_where_it_is_switched_off_all_runs_are_airflows(
    database: str, environment: Environment
) -> None:
    environment.set(AUTOMATIONS_EXPRESS_SECONDS="0")
    here = workspace()
    assert kinds_after_execute(express(here), here) == ["start_run"]


def test_it_waits_for_its_turn_as_any_other_run_does(
    database: str, handlers: Handlers, engine: Engine
) -> None:
    here = workspace("other")
    workflow = express(here, concurrency={"limit": 1})
    runs = [by_hand.execute(principal(here), workflow, {}).id for _ in range(2)]
    for _ in range(2):
        handle(handlers, JobKind.ADMIT_RUN)
    lead(engine)
    with unit_of_work() as session:
        assert session.get_one(Run, runs[0]).status == "COMPLETED"
        assert session.get_one(Run, runs[1]).status == "RUNNING"
        none_left = jobs.claim(session, 1, [JobKind.EXPRESS_RUN])
    assert none_left == []
    handle(handlers, JobKind.NEXT_RUN)
    lead(engine)
    with unit_of_work() as session:
        assert session.get_one(Run, runs[1]).status == "COMPLETED"


def handle(handlers: Handlers, kind: JobKind) -> None:
    with unit_of_work() as session:
        found = jobs.claim(session, 1, [kind])
    for job in found:
        handlers.handle(job)


def test_a_run_that_has_failed_is_retried_in_airflow_once_that_has_it(
    engine: Engine, outbox: Outbox, handlers: Handlers
) -> None:
    run = started(mail("a"))
    outbox.failures = [StepError("no", kind="mail")]
    lead(engine)
    replays.retry(run.workspace_id, run.workflow_id, run.id)
    assert reload(run).reviving
    assert queued(run) == ["start_run"]
    with unit_of_work() as session:
        (job,) = jobs.claim(session, 1, [JobKind.RETRY_RUN])
    with pytest.raises(NotVisibleYet):
        handlers.handle(job)
    # Airflow is told when its own task has failed by what is on record.
    assert isinstance(engine.run(task(run, "a")), GiveUp)
    assert isinstance(engine.run(task(run, "a", generation=1)), Proceed)


@pytest.mark.parametrize("failed", [True, False])
def test_a_retry_brings_a_run_to_airflow_that_was_given_up_on_the_way(
    engine: Engine, outbox: Outbox, handlers: Handlers, failed: bool
) -> None:
    run = started(*mails("ab"))
    if failed:
        fail_at(outbox, "b")
    lead(engine, budget=MINUTE if failed else timedelta(0))
    if not failed:
        with unit_of_work() as session:
            run_steps.begin(session, run.id, "a", 0, StepStatus.RUNNING)
    with unit_of_work() as session:
        (job,) = jobs.claim(session, 1, [JobKind.START_RUN])
    handlers.give_up(job, "Airflow refuses it.")
    assert reload(run).status == "FAILED"
    assert dead(run) == ["start_run"]
    replays.retry(run.workspace_id, run.workflow_id, run.id)
    assert dead(run) == []
    assert (reload(run).status, reload(run).reviving) == ("RUNNING", failed)
    with unit_of_work() as session:
        assert jobs.is_queued(session, JobKind.RETRY_RUN, run.id) is failed


def test_a_turn_that_comes_after_express_steps_is_not_for_express_workers(
    engine: Engine, outbox: Outbox, handlers: Handlers
) -> None:
    run = started(*mails("ab"))
    with unit_of_work() as session:
        session.execute(update(Run).values(slot_key="key", slot="HELD"))
        run_steps.begin(session, run.id, "a", 0, StepStatus.RUNNING)
    handlers.give_up(claimed(), "Nobody can do it.")
    replays.retry(run.workspace_id, run.workflow_id, run.id)
    with unit_of_work() as session:
        jobs.cancel(session, JobKind.EXPRESS_RUN, run.id)
        admission.admit(session, session.get_one(Run, run.id))
    assert reload(run).slot == "HELD"
    assert queued(run) == ["start_run"]


def dead(run: Run) -> list[str]:
    with unit_of_work() as session:
        query = select(Job.kind).where(Job.subject_id == run.id, Job.dead_at.is_not(None))
        return list(session.scalars(query))


def test_a_pause_meanwhile_is_heeded_before_the_next_step(engine: Engine, outbox: Outbox) -> None:
    run = started(*mails("abc"))

    def pause(sent: Mail) -> None:
        if sent.subject == "b":
            with unit_of_work() as session:
                session.execute(update(Workflow).values(held_up="paused"))

    outbox.watch = pause
    lead(engine)
    assert subjects(outbox) == ["a", "b"]
    assert queued(run) == ["start_run"]


def test_of_what_a_step_says_only_so_much_is_kept() -> None:
    with CapturedLog() as told:
        for _ in range(100):
            told.say(logging.INFO, "x" * 3_000)
    assert sum(len(line[3]) for line in told.lines) == 64_000


def test_where_no_express_worker_is_there_a_dispatcher_gives_it_to_airflow(
    engine: Engine, handlers: Handlers
) -> None:
    run = started(*mails("ab"))
    handlers.handle(claimed())
    assert queued(run) == ["start_run"]
