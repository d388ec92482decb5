"""The engine against a real database: what a step leaves behind, whatever happens to it."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from automations.db.runs import run_steps
from automations.db.session import unit_of_work
from automations.domain.statuses import Decision, StepStatus
from automations.errors import Conflict, StepError
from automations.execution import entry
from automations.execution.engine import Engine
from automations.execution.entered import Entered
from automations.execution.verdicts import AskPeople, GiveUp, Proceed, Retry, Skip, Sleep
from automations.services.waits import decisions
from automations.steps.outcomes import Answer, Done, Fail
from tests.db.delays import let_pass
from tests.db.roles import Outbox, Scripts
from tests.db.runs import MAIL, approval, begin, logs, open_wait, reload, row, step, task
from tests.db.workspace import principal


def test_the_last_step_completes_the_run_in_the_same_transaction(
    engine: Engine, outbox: Outbox
) -> None:
    run = begin(step("mail", "email", 0, MAIL))
    verdict = engine.run(task(run, "mail"))
    assert isinstance(verdict, Proceed)
    assert verdict.targets is None
    assert [mail.body for mail in outbox.sent] == ["hello"]
    ended = reload(run)
    assert (ended.status, ended.error) == ("COMPLETED", None)
    assert ended.completed_at is not None
    assert [(line.status, line.step_name) for line in logs(run)] == [("success", "mail")]


def test_a_repeat_after_the_record_answers_the_same_and_sends_nothing(
    engine: Engine, outbox: Outbox
) -> None:
    run = begin(step("mail", "email", 0, MAIL), step("more", "email", 1, MAIL))
    first = engine.run(task(run, "mail"))
    assert engine.run(task(run, "mail")) == first
    assert len(outbox.sent) == 1


def test_a_second_process_waits_for_the_first_and_sends_nothing(
    engine: Engine, outbox: Outbox
) -> None:
    run = begin(step("mail", "email", 0, MAIL), step("more", "email", 1, MAIL))
    outbox.go_on.clear()
    verdicts: list[Any] = []
    workers = [
        threading.Thread(target=lambda: verdicts.append(engine.run(task(run, "mail"))))
        for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    assert outbox.busy.wait(60)
    outbox.go_on.set()
    for worker in workers:
        worker.join(60)
    assert len(outbox.sent) == 1
    assert verdicts[0] == verdicts[1]


def test_an_effect_without_a_record_is_repeated_under_the_same_key(
    engine: Engine, outbox: Outbox
) -> None:
    run = begin(step("mail", "email", 0, MAIL), step("more", "email", 1, MAIL))
    engine.run(task(run, "mail"))
    with unit_of_work() as session:  # as if the process had died between effect and record
        crashed = run_steps.step(session, run.id, "mail")
        assert crashed is not None
        crashed.status, crashed.output, crashed.verdict = StepStatus.RUNNING, None, None
    engine.run(task(run, "mail"))
    first, second = outbox.sent
    assert first.key == second.key == f"{run.id}:mail:0"


def test_a_clear_in_airflow_redoes_the_step_and_revives_the_run(
    engine: Engine, outbox: Outbox
) -> None:
    run = begin(step("mail", "email", 0, MAIL))
    engine.run(task(run, "mail"))
    engine.run(task(run, "mail", generation=1))
    assert [mail.key for mail in outbox.sent] == [f"{run.id}:mail:0", f"{run.id}:mail:1"]
    assert reload(run).status == "RUNNING"  # the reconciler ends it: Airflow knows what follows


def test_a_retryable_failure_is_tried_again_and_counted(engine: Engine, outbox: Outbox) -> None:
    retry = {"maxAttempts": 2, "delay": "PT3S", "backoff": "fixed"}
    run = begin(step("mail", "email", 0, MAIL, retry=retry))
    outbox.failures = [StepError("busy", kind="mail", retryable=True)]
    verdict = engine.run(task(run, "mail"))
    assert isinstance(verdict, Retry)
    assert verdict.delay.total_seconds() == 3
    assert reload(run).status == "RUNNING"
    let_pass(run, "mail")
    assert isinstance(engine.run(task(run, "mail")), Proceed)
    done = row(run, "mail")
    assert done is not None
    assert done.retries == 1
    assert [line.status for line in logs(run)] == ["retrying", "success"]


def test_a_process_that_comes_before_the_delay_is_over_is_sent_away_for_the_rest_of_it(
    engine: Engine, outbox: Outbox
) -> None:
    retry = {"maxAttempts": 2, "delay": "PT5M", "backoff": "fixed"}
    run = begin(step("mail", "email", 0, MAIL, retry=retry))
    outbox.failures = [StepError("busy", kind="mail", retryable=True)]
    first = engine.run(task(run, "mail"))
    early = engine.run(replace(task(run, "mail"), deaths=1))
    assert isinstance(first, Retry)
    assert isinstance(early, Retry)
    assert early.error == first.error
    assert timedelta(minutes=4) < early.delay < first.delay
    assert outbox.sent == []
    let_pass(run, "mail")
    assert isinstance(engine.run(task(run, "mail")), Proceed)


def test_a_step_that_is_done_anew_waits_for_no_delay_of_before(
    engine: Engine, outbox: Outbox
) -> None:
    retry = {"maxAttempts": 2, "delay": "PT5M", "backoff": "fixed"}
    run = begin(step("mail", "email", 0, MAIL, retry=retry))
    outbox.failures = [StepError("busy", kind="mail", retryable=True)]
    assert isinstance(engine.run(task(run, "mail")), Retry)
    assert isinstance(engine.run(task(run, "mail", generation=1)), Proceed)


def test_the_last_failure_fails_the_run_with_the_steps_name(engine: Engine, outbox: Outbox) -> None:
    run = begin(step("mail", "email", 0, MAIL), step("more", "email", 1, MAIL))
    outbox.failures = [StepError("gone", retryable=True)]
    assert isinstance(engine.run(task(run, "mail")), GiveUp)
    ended = reload(run)
    assert (ended.status, ended.error) == ("FAILED", "mail: gone")
    assert isinstance(engine.run(task(run, "more")), Skip)
    assert outbox.sent == []


def test_a_failure_may_be_passed_over_or_lead_to_steps_of_its_own(
    engine: Engine, outbox: Outbox
) -> None:
    rescue = [step("rescue", "email", 0, {**MAIL, "body": "{{steps.b.error.message}}"})]
    run = begin(
        step("a", "email", 0, MAIL, onError="continue"),
        step("b", "email", 1, MAIL, onError=rescue),
    )
    outbox.failures = [StepError("one"), StepError("two")]
    assert isinstance(engine.run(task(run, "a")), Proceed)
    assert engine.run(task(run, "b")) == Proceed({"error": "two"}, ("rescue",))
    engine.run(task(run, "rescue"))
    assert [mail.body for mail in outbox.sent] == ["two"]
    assert reload(run).status == "COMPLETED"


def test_a_missing_name_fails_the_step_and_names_step_field_and_name(engine: Engine) -> None:
    run = begin(step("mail", "email", 0, {**MAIL, "body": "{{input.nothing}}"}))
    verdict = engine.run(task(run, "mail"))
    assert isinstance(verdict, GiveUp)
    assert "step 'mail', config.body" in verdict.error
    assert "input.nothing" in verdict.error


def test_the_arm_not_taken_is_left_out_and_the_run_completes(engine: Engine) -> None:
    rules = [{"field": "{{variables.limit}}", "operator": "gt", "value": 3}]
    condition = {
        "rules": rules,
        "then": [step("yes", "email", 0, MAIL)],
        "else": [step("no", "email", 0, MAIL)],
    }
    run = begin(step("if", "condition", 0, condition))
    assert engine.run(task(run, "if")) == Proceed({"result": True}, ("yes",))
    left_out = row(run, "no")
    assert left_out is not None
    assert left_out.status == "SKIPPED"
    engine.run(task(run, "yes"))
    assert reload(run).status == "COMPLETED"


def test_a_condition_that_stops_ends_the_run_successfully(engine: Engine) -> None:
    condition = {"expression": "input.text == 'other'", "stop": True}
    run = begin(step("if", "condition", 0, condition), step("mail", "email", 1, MAIL))
    assert engine.run(task(run, "if")) == Proceed({"result": False}, ())
    assert reload(run).status == "COMPLETED"
    assert isinstance(engine.run(task(run, "mail")), Skip)


def test_a_delay_parks_the_run_and_resume_ends_it_early_once(engine: Engine) -> None:
    run = begin(step("wait", "delay", 0, {"duration": "PT1H"}), step("mail", "email", 1, MAIL))
    parked = engine.run(task(run, "wait"))
    assert isinstance(parked, Sleep)
    assert (parked.until - datetime.now(UTC)).total_seconds() > 3500
    assert reload(run).status == "PAUSED"
    assert engine.run(task(run, "wait")) == parked
    assert engine.resume(task(run, "wait"), parked.wait_id, None) == parked
    resumed = decisions.resume(
        principal(run.workspace_id, name="key"), run.id, decision=None, data=None
    )
    assert resumed.status == "RUNNING"
    with pytest.raises(Conflict):
        decisions.resume(principal(run.workspace_id, name="key"), run.id, decision=None, data=None)
    assert isinstance(engine.resume(task(run, "wait"), parked.wait_id, None), Proceed)
    done = row(run, "wait")
    assert done is not None
    assert done.output is not None
    assert (done.output["resumedEarly"], done.output["by"]) == (True, "key")


def test_an_answer_given_in_airflow_comes_out_like_one_given_to_us(engine: Engine) -> None:
    run = begin(approval())
    parked = engine.run(task(run, "ask"))
    assert isinstance(parked, AskPeople)
    answer = Answer(Decision.APPROVED, "airflow:admin", datetime.now(UTC), {"note": "fine"})
    engine.resume(task(run, "ask"), parked.wait_id, answer)
    done = row(run, "ask")
    assert done is not None
    assert done.output is not None
    assert done.output["decision"] == "approved"
    assert done.output["decidedBy"] == "airflow:admin"
    assert done.output["data"] == {"note": "fine"}
    assert reload(run).status == "COMPLETED"


def test_the_first_answer_wins_over_a_later_one_from_airflow(engine: Engine) -> None:
    run = begin(approval(onReject="continue"))
    parked = engine.run(task(run, "ask"))
    assert isinstance(parked, AskPeople)
    decisions.resume(
        principal(run.workspace_id, name="key"), run.id, decision="rejected", data=None
    )
    late = Answer(Decision.APPROVED, "airflow:admin", datetime.now(UTC))
    engine.resume(task(run, "ask"), parked.wait_id, late)
    done = row(run, "ask")
    assert done is not None
    assert done.output is not None
    assert (done.output["decision"], done.output["decidedBy"]) == ("rejected", "key")


def test_a_rejection_fails_the_run_unless_told_otherwise(engine: Engine) -> None:
    run = begin(approval())
    parked = engine.run(task(run, "ask"))
    assert isinstance(parked, AskPeople)
    decisions.resume(
        principal(run.workspace_id, name="key"), run.id, decision="rejected", data=None
    )
    assert isinstance(engine.resume(task(run, "ask"), parked.wait_id, None), GiveUp)
    assert reload(run).error == "ask: Rejected by key."


def test_a_wait_that_was_answered_while_its_process_was_dead_goes_on(engine: Engine) -> None:
    run = begin(approval())
    parked = engine.run(task(run, "ask"))
    assert isinstance(parked, AskPeople)
    decisions.resume(
        principal(run.workspace_id, name="key"), run.id, decision="approved", data=None
    )
    again = engine.run(task(run, "ask"))
    assert isinstance(again, Sleep)
    assert isinstance(engine.resume(task(run, "ask"), again.wait_id, None), Proceed)


def test_clearing_a_waiting_step_cancels_what_it_asked(engine: Engine) -> None:
    run = begin(approval())
    first = engine.run(task(run, "ask"))
    second = engine.run(replace(task(run, "ask"), generation=1))
    assert isinstance(first, AskPeople)
    assert isinstance(second, AskPeople)
    assert first.wait_id != second.wait_id
    assert open_wait(run).id == second.wait_id


def test_a_process_that_comes_after_a_clear_does_not_take_the_step_back(engine: Engine) -> None:
    run = begin(approval())
    engine.run(task(run, "ask"))
    second = engine.run(task(run, "ask", generation=1))
    assert isinstance(engine.run(task(run, "ask")), Skip)
    assert engine.run(task(run, "ask", generation=1)) == second


def test_of_two_processes_that_have_both_done_a_step_the_first_record_counts(
    engine: Engine,
) -> None:
    run = begin(step("mail", "email", 0, MAIL))

    def entered() -> Entered:
        with unit_of_work() as session:
            found = entry.enter(session, task(run, "mail"))
        assert isinstance(found, Entered)
        return found

    first, second = entered(), entered()  # as when the lock of the first one was lost
    verdict = engine.record(first, Done({"n": 1}))
    assert engine.record(second, Fail("no")) == verdict
    done = row(run, "mail")
    assert done is not None
    assert (done.status, done.output) == ("DONE", {"n": 1})
    assert reload(run).status == "COMPLETED"


def test_templates_in_the_steps_inside_a_branch_are_left_for_those_steps(
    engine: Engine, outbox: Outbox
) -> None:
    inner = step("mail", "email", 0, {**MAIL, "to": "{{input.text}}@b.example"})
    run = begin(step("if", "condition", 0, {"expression": "true", "then": [inner]}), text="ada")
    assert isinstance(engine.run(task(run, "if")), Proceed)
    engine.run(task(run, "mail"))
    assert outbox.sent[0].to == ("ada@b.example",)


def test_a_template_may_give_a_list_of_recipients_and_a_number_for_a_text(
    engine: Engine, outbox: Outbox
) -> None:
    config = {**MAIL, "to": "{{['a@b.example', 'c@b.example']}}", "subject": "{{variables.limit}}"}
    run = begin(step("mail", "email", 0, config))
    assert isinstance(engine.run(task(run, "mail")), Proceed)
    assert outbox.sent[0].to == ("a@b.example", "c@b.example")
    assert outbox.sent[0].subject == "5"


def test_variables_that_a_step_sets_are_kept_with_its_output_for_the_steps_after_it(
    engine: Engine, outbox: Outbox, scripts: Scripts
) -> None:
    run = begin(
        step("count", "code", 0, {"code": "x"}),
        step("mail", "email", 1, {**MAIL, "body": "{{variables.total}}/{{variables.limit}}"}),
    )
    scripts.sets = {"total": 7}
    engine.run(task(run, "count"))
    assert scripts.seen == [run.variables]
    assert reload(run).variables == {**run.variables, "total": 7}
    engine.run(task(run, "count"))
    assert len(scripts.seen) == 1
    engine.run(task(run, "mail"))
    assert outbox.sent[0].body == "7/5"


def test_a_step_type_may_have_a_time_limit_of_its_own(engine: Engine, scripts: Scripts) -> None:
    run = begin(
        step("a", "code", 0, {"code": "x"}), step("b", "code", 1, {"code": "x"}, timeout="PT9S")
    )
    engine.run(task(run, "a"))
    engine.run(task(run, "b"))
    assert [limits.seconds for limits in scripts.limits] == [5, 9]
