"""Tests of single steps: what they find, do, answer and leave on record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from automations import wiring
from automations.db.session import unit_of_work
from automations.db.tables import AuditLog, Callback, Job, LoopCursor, Run, Wait
from automations.dispatch.reconciler import Reconciler
from automations.errors import StepError
from automations.execution.engine import Engine
from automations.ports import Mail, MailReceipt
from tests.api.conftest import Api
from tests.doubles import ports

RULE = [{"field": "{{input.n}}", "operator": "gt", "value": 5}]


class Outbox:
    """A mailer that keeps what it is given, and fails when told to."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []
        self.failure: StepError | None = None

    def send(self, mail: Mail) -> MailReceipt:
        if self.failure:
            raise self.failure
        self.sent.append(mail)
        return MailReceipt("<id>", "test", mail.to, ())


@pytest.fixture
def outbox(monkeypatch: pytest.MonkeyPatch) -> Outbox:
    """The bridge's engine with this mailer and nothing else outside."""
    made = Outbox()
    monkeypatch.setattr(wiring, "engine", lambda _: Engine(ports(mailer=made)))
    return made


def step(kind: str, config: dict[str, Any], name: str = "One", **more: Any) -> dict[str, Any]:
    return {"id": name, "name": name, "type": kind, "order": 0, "config": config, **more}


def mail(text: str, name: str = "One", **more: Any) -> dict[str, Any]:
    return step("email", {"to": "a@b.example", "subject": "Hi", "body": text}, name, **more)


def tried(api: Api, workflow: str, node: str = "One", **body: Any) -> dict[str, Any]:
    answer = api.call("POST", f"/api/workflows/{workflow}/steps/{node}/test", body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def waits_and_jobs() -> int:
    with unit_of_work() as session:
        tables = (Wait, Job, Callback, LoopCursor)
        return sum(session.scalar(select(func.count()).select_from(table)) or 0 for table in tables)


def test_a_step_is_done_for_real_with_the_data_that_is_given(api: Api, outbox: Outbox) -> None:
    text = "{{input.a}} {{variables.b}} {{variables.c}} {{steps.Before.x}} {{trigger.rowId}}"
    before = step("delay", {"duration": "PT1H"}, "Before")
    workflow = api.workflow(
        steps=[before, mail(text, order=1)], variables={"b": "declared", "c": "kept"}
    )["id"]
    answer = tried(
        api,
        workflow,
        input={"a": 1},
        variables={"b": 2},
        steps={"Before": {"x": 3}},
        trigger={"rowId": "r1"},
    )
    assert [one.body for one in outbox.sent] == ["1 2 kept 3 r1"]
    assert (answer["status"], answer["stepName"], answer["error"]) == ("success", "One", None)
    assert answer["config"]["body"] == "1 2 kept 3 r1"
    assert answer["output"]["accepted"] == ["a@b.example"]
    assert answer["durationMs"] >= 0
    run = api.call("GET", f"/api/workflows/{workflow}/runs/{answer['runId']}").json()["run"]
    assert (run["status"], run["triggerType"], run["startedBy"]) == ("COMPLETED", "test", "owner")
    assert [line["status"] for line in run["logs"]] == ["success"]
    assert run["state"]["stepOutputs"] == {"One": answer["output"]}
    assert run["state"]["stepInputs"] == {"One": answer["config"]}
    with unit_of_work() as session:
        (entry,) = session.scalars(
            select(AuditLog).where(AuditLog.action == "workflow.test_step")
        ).all()
    assert entry.details == {"name": "Test", "stepId": "One", "runId": answer["runId"]}
    assert waits_and_jobs() == 0


def test_a_dry_run_renders_only_and_masks_secrets(api: Api, outbox: Outbox) -> None:
    assert api.call("PUT", "/api/secrets/TOKEN", {"value": "s3cret-value"}).is_success
    workflow = api.workflow(steps=[mail("{{input.a}} {{secret.TOKEN}}")])["id"]
    answer = tried(api, workflow, input={"a": 1}, dryRun=True)
    assert answer["status"] == "rendered"
    assert answer["config"]["body"] == "1 ***"
    assert (answer["runId"], answer["output"], outbox.sent) == (None, None, [])
    with unit_of_work() as session:
        assert session.scalars(select(Run)).all() == []
    done = tried(api, workflow, input={"a": 1})
    assert done["config"]["body"] == "1 ***"
    assert outbox.sent[0].body == "1 s3cret-value"


@pytest.mark.parametrize("dry", [True, False])
def test_a_missing_name_is_the_steps_error(api: Api, outbox: Outbox, dry: bool) -> None:
    workflow = api.workflow(steps=[mail("{{input.gone}}")])["id"]
    answer = tried(api, workflow, dryRun=dry)
    assert answer["status"] == "failed"
    assert answer["error"]["kind"] == "template"
    assert "input.gone" in answer["error"]["message"]
    assert (answer["output"], outbox.sent) == (None, [])


def test_a_failure_is_answered_and_on_record(api: Api, outbox: Outbox) -> None:
    outbox.failure = StepError("no such box", kind="smtp", retryable=True)
    workflow = api.workflow(steps=[mail("x", retry={"maxAttempts": 3})])["id"]
    answer = tried(api, workflow)
    assert answer["error"] == {"message": "no such box", "kind": "smtp", "retryable": True}
    run = api.call("GET", f"/api/workflows/{workflow}/runs/{answer['runId']}").json()["run"]
    assert (run["status"], run["error"]) == ("FAILED", "One: no such box")
    for action in ("retry", "replay"):
        path = f"/api/workflows/{workflow}/runs/{answer['runId']}/{action}"
        assert "test the step again" in api.call("POST", path).json()["error"]
    many = api.call("POST", f"/api/workflows/{workflow}/runs/replay", {"status": "FAILED"})
    assert many.json()["replayed"] == 0


def test_a_condition_says_which_way_it_would_go(api: Api, outbox: Outbox) -> None:
    inner = mail("{{input.n}}", name="Inner")
    workflow = api.workflow(steps=[step("condition", {"rules": RULE, "then": [inner]})])["id"]
    assert tried(api, workflow, input={"n": 9})["arm"] == "then"
    assert tried(api, workflow, input={"n": 1})["arm"] == "else"
    assert tried(api, workflow, "Inner", input={"n": 1})["status"] == "success"


def test_a_step_that_pauses_says_what_for_and_asks_nobody(api: Api, outbox: Outbox) -> None:
    config = {"approvers": ["boss@b.example"], "message": "OK {{input.n}}?", "expiresIn": "P1D"}
    ask = step("approval", config, "Ask")
    wait = step("delay", {"duration": "PT1H"}, "Wait", order=1)
    workflow = api.workflow(steps=[ask, wait])["id"]
    answer = tried(api, workflow, "Ask", input={"n": 7})
    assert (answer["status"], answer["output"]) == ("waiting", {})
    wanted = answer["waitsFor"]
    assert (wanted["kind"], wanted["approvers"], wanted["quorum"]) == (
        "decision",
        ["boss@b.example"],
        1,
    )
    assert "OK 7?" in wanted["body"] + wanted["subject"]
    assert tried(api, workflow, "Wait")["waitsFor"].keys() == {"kind", "dueAt"}
    assert (waits_and_jobs(), outbox.sent) == (0, [])


def test_a_loop_is_gone_through_and_a_step_in_it_can_be_tested_alone(
    api: Api, outbox: Outbox
) -> None:
    loop = step(
        "loop", {"collection": "{{input.all}}", "steps": [mail("{{loop.item}}", name="Body")]}
    )
    workflow = api.workflow(steps=[loop])["id"]
    assert tried(api, workflow, input={"all": [1, 2]})["output"]["count"] == 2
    alone = tried(api, workflow, "Body", loop={"item": 3, "index": 0})
    assert alone["status"] == "success"
    assert [one.body for one in outbox.sent] == ["1", "2", "3"]
    asking = step("approval", {"message": "{{loop.item}}?"}, "Ask")
    waiting = step("loop", {"collection": [1, 2], "steps": [asking]})
    paused = tried(api, api.workflow(steps=[waiting])["id"])
    assert (paused["status"], paused["waitsFor"]["kind"]) == ("waiting", "decision")
    assert waits_and_jobs() == 0


def test_who_may_not_and_what_is_not_there_is_refused(api: Api, outbox: Outbox) -> None:
    workflow = api.workflow(steps=[mail("x")])["id"]
    path = f"/api/workflows/{workflow}/steps/One/test"
    assert api.call("POST", path, role="VIEWER").status_code == 403
    assert api.call("POST", path, role="STRANGER").status_code == 404
    assert api.call("POST", path).status_code == 200
    other = f"/api/workflows/{workflow}/steps/Two/test"
    assert api.call("POST", other).status_code == 404
    wrong = api.call("POST", path, {"steps": {"Nope": {}}})
    assert list(wrong.json()["details"]["fieldErrors"]) == ["steps.Nope"]
    assert len(outbox.sent) == 1


def test_who_may_not_change_a_step_has_it_rendered_only(api: Api, outbox: Outbox) -> None:
    workflow = api.workflow(steps=[mail("x")])["id"]
    path = f"/api/workflows/{workflow}/steps/One/test"
    made = {"name": "k", "role": "ADMIN", "scopes": ["workflows:execute"]}
    api.keys["EXECUTE"] = api.call("POST", "/api/api-keys", made).json()["token"]
    made["scopes"] = ["workflows:test"]
    api.keys["TEST"] = api.call("POST", "/api/api-keys", made).json()["token"]
    for role in ("MEMBER", "EXECUTE"):
        assert api.call("POST", path, {}, role=role).status_code == 403
        assert api.call("POST", path, {"dryRun": True}, role=role).json()["status"] == "rendered"
    assert outbox.sent == []
    with unit_of_work() as session:
        assert session.scalars(select(Run)).all() == []
    assert api.call("POST", path, {}, role="TEST").json()["status"] == "success"


@pytest.mark.parametrize(
    "made_up", [{"steps": {"Ask": {"to": "x@evil.example"}}}, {"variables": {"to": "x"}}]
)
def test_a_step_behind_an_approval_takes_what_a_run_has_recorded_only(
    api: Api, outbox: Outbox, made_up: dict[str, Any]
) -> None:
    behind = mail("{{steps.Ask.to}}", order=1)
    workflow = api.workflow(steps=[step("approval", {"message": "?"}, "Ask"), behind])["id"]
    path = f"/api/workflows/{workflow}/steps/One/test"
    refused = api.call("POST", path, made_up)
    assert refused.status_code == 400
    assert list(refused.json()["details"]["fieldErrors"]) == list(made_up)
    assert outbox.sent == []
    assert tried(api, workflow, **made_up, dryRun=True)["runId"] is None


@pytest.mark.parametrize(
    "config",
    [
        {"to": "{{steps.Before.to}}", "subject": "Hi", "body": "{{secret.TOKEN}}"},
        {"to": "{{steps.Before.to}}", "subject": "{{ secret . TOKEN }}", "body": "x"},
    ],
)
def test_a_step_that_names_a_secret_takes_what_a_run_has_recorded_only(
    api: Api, outbox: Outbox, config: dict[str, Any]
) -> None:
    api.call("PUT", "/api/secrets/TOKEN", {"value": "s3cret-value"})
    before = step("code", {"code": "return {to: 'a@b.example'}"}, "Before")
    workflow = api.workflow(steps=[before, step("email", config, order=1)])["id"]
    body = {"steps": {"Before": {"to": "x@evil.example"}}}
    refused = api.call("POST", f"/api/workflows/{workflow}/steps/One/test", body)
    assert refused.status_code == 400
    assert "secret" in refused.json()["details"]["fieldErrors"]["steps"][0]
    assert outbox.sent == []


def test_a_step_is_tested_with_what_a_run_has_recorded(api: Api, outbox: Outbox) -> None:
    api.call("PUT", "/api/secrets/TOKEN", {"value": "s3cret-value"})
    first = mail("{{input.a}}")
    second = mail("{{secret.TOKEN}} {{steps.One.accepted[0]}} {{input.a}} {{input.b}}", "Two")
    workflow = api.workflow(steps=[first, {**second, "order": 1}])["id"]
    run_id = tried(api, workflow, input={"a": 1})["runId"]
    assert tried(api, workflow, "Two", runId=run_id, input={"b": 2})["status"] == "success"
    assert outbox.sent[1].body == "s3cret-value a@b.example 1 2"
    other = api.workflow(steps=[mail("x")])["id"]
    path = f"/api/workflows/{other}/steps/One/test"
    assert api.call("POST", path, {"runId": run_id}).status_code == 404


def test_a_test_whose_process_died_is_ended_later(api: Api, outbox: Outbox) -> None:
    workflow = api.workflow(steps=[mail("x")])["id"]
    run_id = tried(api, workflow)["runId"]
    with unit_of_work() as session:
        long_ago = datetime.now(UTC) - timedelta(hours=2)
        session.execute(update(Run).values(status="RUNNING", started_at=long_ago))
    Reconciler(ports()).repair()  # type: ignore[arg-type]  # Airflow is not asked
    run = api.call("GET", f"/api/workflows/{workflow}/runs/{run_id}").json()["run"]
    assert (run["status"], run["error"]) == ("FAILED", "The test did not come to its end.")


def test_a_whole_automation_is_tried_without_effects(api: Api, outbox: Outbox) -> None:
    ask = step("approval", {"message": "May {{input.who}}?", "onReject": "continue"}, "Ask")
    told = mail("{{steps.Ask.decision}} {{steps.Ask.data.why}}", "Tell", order=1)
    workflow = api.workflow(steps=[ask, told])["id"]
    body = {
        "input": {"who": "we"},
        "answers": {"Ask": {"decision": "rejected", "data": {"why": "no"}}},
    }
    before = waits_and_jobs()
    answer = api.call("POST", f"/api/workflows/{workflow}/test", body, role="MEMBER")
    assert answer.status_code == 200, answer.text
    trial = answer.json()
    assert (trial["status"], trial["error"]) == ("completed", None)
    asked, mailed = trial["steps"]
    assert (asked["waitsFor"]["kind"], asked["waitsFor"]["body"]) == ("decision", "May we?")
    assert asked["answer"] == {"decision": "rejected", "data": {"why": "no"}}
    (effect,) = mailed["effects"]
    assert (effect["kind"], effect["details"]["body"]) == ("mail", "rejected no")
    assert (outbox.sent, waits_and_jobs()) == ([], before)


def test_a_trial_takes_the_role_and_the_scope_of_who_may_run_it(api: Api) -> None:
    workflow = api.workflow(steps=[mail("x")])["id"]
    path = f"/api/workflows/{workflow}/test"
    assert api.call("POST", path, role="VIEWER").status_code == 403
    assert api.call("POST", path, role="STRANGER").status_code == 404
    wrong = api.call("POST", path, {"answers": {"Nobody": {}}})
    assert (wrong.status_code, list(wrong.json()["details"]["fieldErrors"])) == (
        400,
        ["answers.Nobody"],
    )
    made = api.call("POST", "/api/api-keys", {"name": "x", "scopes": ["workflows:execute"]})
    api.keys["EXECUTE"] = made.json()["token"]
    assert api.call("POST", path, role="EXECUTE").status_code == 403
