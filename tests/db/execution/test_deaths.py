"""A step whose process is killed: begun again, and failed when it happens again and again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from automations.errors import StepError
from automations.execution.deaths import MAX_DEATHS
from automations.execution.engine import Engine
from automations.execution.verdicts import GiveUp, Proceed, Retry, Sleep, TaskRef
from automations.services.runs import killed, reading
from automations.services.waits import decisions
from tests.db.cutting import Killed
from tests.db.delays import let_pass
from tests.db.roles import Outbox
from tests.db.runs import MAIL, begin, logs, reload, row, step, task
from tests.db.workspace import principal


def kill(engine: Engine, outbox: Outbox, ref: TaskRef) -> None:
    outbox.failures = [Killed()]  # type: ignore[list-item]  # raised like any other
    with pytest.raises(Killed):
        engine.run(ref)


def after(deaths: int, ref: TaskRef) -> TaskRef:
    return replace(ref, deaths=deaths)


def test_a_step_whose_process_was_killed_is_begun_again_and_loses_no_attempt(
    engine: Engine, outbox: Outbox
) -> None:
    run = begin(step("mail", "email", 0, MAIL, retry={"maxAttempts": 2, "delay": "PT1S"}))
    kill(engine, outbox, task(run, "mail"))
    outbox.failures = [StepError("busy", retryable=True)]
    assert isinstance(engine.run(after(1, task(run, "mail"))), Retry)
    let_pass(run, "mail")
    assert isinstance(engine.run(task(run, "mail")), Proceed)
    done = row(run, "mail")
    assert done is not None
    assert (done.deaths, done.attempt, done.retries) == (1, 2, 2)
    assert [line.status for line in logs(run)] == ["retrying", "retrying", "success"]
    assert "its process was killed once" in logs(run)[0].output


def test_a_process_that_is_killed_again_and_again_fails_its_step_with_the_reason(
    engine: Engine, outbox: Outbox
) -> None:
    run = begin(step("mail", "email", 0, MAIL), step("more", "email", 1, MAIL))
    kill(engine, outbox, task(run, "mail"))
    for _ in range(MAX_DEATHS - 1):
        kill(engine, outbox, after(1, task(run, "mail")))
    assert isinstance(engine.run(after(1, task(run, "mail"))), GiveUp)
    ended = reload(run)
    assert ended.status == "FAILED"
    assert (ended.error or "").startswith("mail: its process was killed 4 times")
    assert [line.status for line in logs(run)] == ["retrying"] * 3 + ["failed"]
    detail = reading.detail(ended.workspace_id, ended.workflow_id, ended.id)
    (mail,) = detail.steps
    assert (mail.status, mail.retries) == ("FAILED", MAX_DEATHS - 1)
    assert (mail.output or {})["error"]["kind"] == "killed"


def test_deaths_that_nobody_could_note_in_between_count_one_by_one(engine: Engine) -> None:
    run = begin(step("mail", "email", 0, MAIL))
    assert isinstance(engine.run(after(MAX_DEATHS, task(run, "mail"))), GiveUp)
    assert [line.status for line in logs(run)] == ["retrying"] * 3 + ["failed"]


def test_a_new_scheduler_that_begins_a_step_again_is_no_death(
    engine: Engine, outbox: Outbox
) -> None:
    run = begin(step("mail", "email", 0, MAIL))
    for _ in range(3 * MAX_DEATHS):
        kill(engine, outbox, task(run, "mail"))
    assert isinstance(engine.run(task(run, "mail")), Proceed)
    assert reload(run).status == "COMPLETED"


def test_what_a_killed_worker_had_recorded_is_answered_and_no_death_of_the_step(
    engine: Engine,
) -> None:
    run = begin(step("mail", "email", 0, MAIL))
    verdict = engine.run(task(run, "mail"))
    assert engine.run(after(MAX_DEATHS, task(run, "mail"))) == verdict
    assert reload(run).status == "COMPLETED"


def test_the_failure_may_be_passed_over(engine: Engine) -> None:
    run = begin(step("mail", "email", 0, MAIL, onError="continue"))
    assert isinstance(engine.run(after(MAX_DEATHS, task(run, "mail"))), Proceed)
    assert reload(run).status == "COMPLETED"


def test_what_a_user_has_done_anew_begins_with_no_death(engine: Engine, outbox: Outbox) -> None:
    run = begin(step("mail", "email", 0, MAIL))
    engine.run(after(MAX_DEATHS, task(run, "mail")))
    kill(engine, outbox, task(run, "mail", generation=1))
    assert isinstance(engine.run(after(1, task(run, "mail", generation=1))), Proceed)


def test_a_death_that_nobody_has_seen_is_none_of_what_a_user_has_done_anew(
    engine: Engine, outbox: Outbox
) -> None:
    run = begin(step("mail", "email", 0, MAIL))
    kill(engine, outbox, task(run, "mail"))
    killed.note(run.id)
    kill(engine, outbox, task(run, "mail", generation=1))
    assert isinstance(engine.run(task(run, "mail", generation=1)), Proceed)
    done = row(run, "mail")
    assert done is not None
    assert (done.deaths, done.unseen_deaths) == (0, 0)


def test_a_step_that_is_killed_whenever_it_goes_on_after_its_wait_fails_too(
    engine: Engine,
) -> None:
    run = begin(step("wait", "delay", 0, {"duration": "PT1H"}))
    parked = engine.run(task(run, "wait"))
    assert isinstance(parked, Sleep)
    assert engine.run(after(MAX_DEATHS, task(run, "wait"))) == parked  # its work was done
    decisions.resume(principal(run.workspace_id), run.id, decision=None, data=None)
    for _ in range(MAX_DEATHS - 1):
        assert isinstance(engine.run(after(1, task(run, "wait"))), Sleep)
    assert isinstance(engine.run(after(1, task(run, "wait"))), GiveUp)


def test_deaths_that_a_worker_has_noted_are_counted_when_the_step_is_begun_again(
    engine: Engine, outbox: Outbox
) -> None:
    run = begin(step("mail", "email", 0, MAIL))
    for _ in range(MAX_DEATHS):
        kill(engine, outbox, task(run, "mail"))
        killed.note(run.id)
    assert isinstance(engine.run(task(run, "mail")), GiveUp)
    assert [line.status for line in logs(run)] == ["retrying"] * 3 + ["failed"]
    ended = row(run, "mail")
    assert ended is not None
    assert (ended.deaths, ended.unseen_deaths) == (MAX_DEATHS, 0)


def test_a_death_of_what_had_begun_nothing_is_no_steps(engine: Engine) -> None:
    run = begin(step("mail", "email", 0, MAIL))
    killed.note(run.id)
    assert isinstance(engine.run(task(run, "mail")), Proceed)
    killed.note(run.id)
    done = row(run, "mail")
    assert done is not None
    assert (done.deaths, done.unseen_deaths) == (0, 0)
