"""Trials: a whole automation with sample data, of which nothing is done outside or kept."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from automations.adapters.quickjs.runner import QuickJsRunner
from automations.db.session import unit_of_work
from automations.db.tables import Run
from automations.definitions.checking import parse
from automations.domain.statuses import Decision
from automations.errors import NotFound, ValidationFailed
from automations.execution import trials
from automations.execution.trial_data import TrialData
from automations.execution.trial_steps import SampleAnswer, TriedStep
from automations.execution.trials import Trial
from automations.ports import Ports
from automations.services.integrations import secrets
from automations.steps.outcomes import WaitForDecision, WaitUntil
from tests import whole_tables
from tests.db.runs import begin, step
from tests.doubles import ports

pytestmark = pytest.mark.usefixtures("database")

CALL = step("call", "http_request", 0, {"method": "POST", "url": "https://a.example/{{input.x}}"})


def outside() -> Ports:
    """Nothing but a sandbox: whatever else is asked fails the test."""
    return ports(scripts=QuickJsRunner())


def tried(run: Run, answers: dict[str, SampleAnswer] | None = None, **given: Any) -> Trial:
    return trials.run(
        outside(), run.workspace_id, run.workflow_id, TrialData(**given), dict(answers or {})
    )


def mail(name: str, body: str, order: int = 1, **more: Any) -> dict[str, Any]:
    config = {"to": "ada@b.example", "subject": "Hi", "body": body}
    return step(name, "email", order, config, **more)


def by_name(trial: Trial) -> dict[str, TriedStep]:
    return {one.step.name: one for one in trial.steps}


def everything() -> dict[str, Any]:
    with unit_of_work() as session:
        return {
            name: session.scalar(text(f"SELECT count(*) FROM {name}"))
            for name in whole_tables.names(session)
        }


def test_each_step_says_what_it_would_do_and_with_what() -> None:
    run = begin(CALL, mail("tell", "It answered {{steps.call.status}}."))
    before = everything()
    trial = tried(run, input={"x": "acme"})
    call, told = trial.steps
    assert (trial.status, trial.error) == ("completed", None)
    assert [effect.what for effect in call.effects] == ["POST https://a.example/acme"]
    assert (told.effects[0].what, told.effects[0].details["body"]) == (
        "Mail to ada@b.example: Hi",
        "It answered 200.",
    )
    assert everything() == before, "no run, no wait, no line"


def test_what_others_answer_is_of_the_sample_else_of_the_run_else_made_up() -> None:
    run = begin(CALL, mail("tell", "{{steps.call.body.id}}"))
    sampled = tried(run, input={"x": 1}, steps={"call": {"body": {"id": 7}}})
    assert sampled.steps[1].effects[0].details["body"] == "7"
    assert (sampled.steps[0].assumed, sampled.steps[0].output["status"]) == (True, 200)
    made_up = tried(run, input={"x": 1})
    assert made_up.status == "completed", "what is not known ends nothing"
    unknown = made_up.steps[1]
    assert (unknown.status, unknown.fail is not None) == ("unknown", True)


def test_what_a_step_can_find_out_is_real() -> None:
    script = {"code": "return {twice: input.x * 2}", "input": {"x": "{{input.x}}"}}
    rule = [{"field": "{{steps.script.twice}}", "operator": "gt", "value": 5}]
    asked = {
        "rules": rule,
        "then": [mail("large", "{{steps.script.twice}}", 0)],
        "else": [mail("small", "…", 0)],
    }
    run = begin(step("script", "code", 0, script), step("asked", "condition", 1, asked))
    large, small = (tried(run, input={"x": x}) for x in (3, 2))
    assert [one.step.name for one in large.steps] == ["script", "asked", "large"]
    assert large.steps[2].effects[0].details["body"] == "6"
    assert (small.steps[1].arm, small.steps[2].step.name) == ("else", "small")
    assert not small.steps[1].assumed


def test_an_answer_that_is_made_up_does_not_fail_a_step() -> None:
    config = {"url": "https://a.example", "expectedStatus": [201], "answerAs": "base64"}
    trial = tried(begin(step("call", "http_request", 0, config), mail("after", "x")))
    assert [one.status for one in trial.steps] == ["done", "done"]


@pytest.mark.parametrize(
    ("decision", "names", "status"),
    [
        (None, ["ask", "after"], "completed"),
        (Decision.REJECTED, ["ask", "regret", "after"], "completed"),
        (Decision.EXPIRED, ["ask"], "failed"),
    ],
)
def test_pauses_are_shown_and_passed_with_a_sample_answer(
    decision: Decision | None, names: list[str], status: str
) -> None:
    config = {
        "message": "May {{input.x}}?",
        "approvers": ["boss@b.example"],
        "onReject": [mail("regret", "{{steps.ask.data.why}}", 0)],
    }
    run = begin(step("ask", "approval", 0, config), mail("after", "{{steps.ask.decision}}"))
    answers = {"ask": SampleAnswer(decision, {"why": "too dear"})}
    trial = tried(run, answers, input={"x": "we"})
    assert ([one.step.name for one in trial.steps], trial.status) == (names, status)
    ask = trial.steps[0]
    assert isinstance(ask.waits, WaitForDecision)
    assert (ask.waits.question.body, ask.waits.question.approvers) == (
        "May we?",
        ("boss@b.example",),
    )
    assert ask.answer is not None
    assert ask.answer.decision == (decision or Decision.APPROVED)
    if decision == Decision.REJECTED:
        assert by_name(trial)["regret"].effects[0].details["body"] == "too dear"


def test_a_delay_takes_no_time_and_a_run_that_is_waited_for_puts_out_the_sample() -> None:
    child = {"workflowId": "w2", "input": {"a": 1}, "waitForCompletion": True}
    run = begin(
        step("later", "delay", 0, {"duration": "P7D"}),
        step("child", "run_workflow", 1, child),
        mail("tell", "{{steps.child.outputs.score}}", 2),
    )
    trial = tried(run, {"child": SampleAnswer(data={"score": 9})})
    later, started, told = trial.steps
    assert isinstance(later.waits, WaitUntil)
    assert started.effects[0].details == {"workflowId": "w2", "input": {"a": 1}}
    assert told.effects[0].details["body"] == "9"


def test_of_a_loop_the_first_items_are_tried_with_all_that_is_in_them() -> None:
    inner = mail("hello", "{{loop.item}} {{loop.index}} {{loop.parent.item}}", 0)
    within = step("inner", "loop", 0, {"collection": ["x"], "steps": [inner]})
    run = begin(step("each", "loop", 0, {"collection": list("abcdefg"), "steps": [within]}))
    trial = tried(run)
    assert trial.steps[0].output["count"] == 7
    told = [one for one in trial.steps if one.step.name == "hello"]
    assert [one.iteration for one in told] == [(0, 0), (1, 0), (2, 0)]
    assert [one.effects[0].details["body"] for one in told] == ["x 0 a", "x 0 b", "x 0 c"]
    assert [one.step.name for one in trial.steps[:3]] == ["each", "inner", "hello"]


def test_a_step_that_fails_ends_it_or_is_gone_around_as_its_author_says() -> None:
    wrong = {"code": "throw new Error('no')"}
    ends = tried(begin(step("bad", "code", 0, wrong), mail("after", "x")))
    assert (ends.status, len(ends.steps)) == ("failed", 1)
    assert "no" in str(ends.error)
    rescued = step("bad", "code", 0, wrong, onError=[mail("rescue", "{{steps.bad.error.kind}}", 0)])
    goes_on = tried(begin(rescued, mail("after", "x")))
    assert [one.step.name for one in goes_on.steps] == ["bad", "rescue", "after"]
    assert goes_on.steps[1].effects[0].details["body"] == "script"


def test_secrets_are_looked_up_and_never_used() -> None:
    config = {"url": "https://a.example", "auth": {"type": "bearer", "secret": "KEY"}}
    run = begin(step("call", "http_request", 0, config))
    missing = tried(run)
    assert (missing.status, missing.steps[0].effects) == ("failed", ())
    assert "no secret KEY" in str(missing.error)
    secrets.put(run.workspace_id, "KEY", "s3cret-v4lue")
    headers = tried(run).steps[0].effects[0].details["headers"]
    assert isinstance(headers, dict)
    assert headers["authorization"] == "Bearer ***"


def test_what_is_not_saved_yet_can_be_tried() -> None:
    run = begin(mail("old", "x", 0))
    definition, errors = parse({"name": "Test", "steps": [mail("new", "{{input.x}}", 0)]})
    assert not errors
    given = TrialData(input={"x": "y"})
    trial = trials.run(
        outside(), run.workspace_id, run.workflow_id, given, {}, definition=definition
    )
    assert trial.steps[0].effects[0].details["body"] == "y"


def test_what_is_not_there_is_refused() -> None:
    run = begin(CALL)
    with pytest.raises(ValidationFailed) as wrong:
        tried(run, {"nobody": SampleAnswer()})
    assert list(wrong.value.field_errors) == ["answers.nobody"]
    with pytest.raises(NotFound):
        trials.run(outside(), "another", run.workflow_id, TrialData(), {})


def test_what_a_trial_tells_is_no_longer_than_one_can_read() -> None:
    many = [mail(f"m{number}", "{{input.long}}", number) for number in range(60)]
    trial = tried(begin(*many), input={"long": "x" * 200_000})
    assert trial.status == "cut"
    told = sum(one.characters for one in trial.steps)
    assert trials.MAX_TOLD < told < trials.MAX_TOLD + 1_000_000


def test_no_trial_goes_on_for_ever() -> None:
    many = [mail(f"m{number}", "x", number) for number in range(trials.MAX_TRIED + 1)]
    trial = tried(begin(*many))
    assert (trial.status, len(trial.steps)) == ("cut", trials.MAX_TRIED)
