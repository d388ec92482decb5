"""Secrets in runs: resolved from the store, and in no record of the run."""

from __future__ import annotations

import base64
import json
import logging
from urllib.parse import quote

import pytest
from sqlalchemy import text as sql

from automations.db.session import unit_of_work
from automations.errors import StepError, Unavailable, ValidationFailed
from automations.execution.engine import Engine
from automations.execution.verdicts import GiveUp, Proceed
from automations.ports import HttpRequest, HttpResponse, Mail, MailReceipt
from automations.services.integrations import secrets
from automations.services.runs import reading
from automations.settings import get_settings
from tests.db.runs import begin, logs, reload, row, step, task
from tests.doubles import ports
from tests.environment import Environment

VALUE = 'p"ss/w+rd-<42>'


class Echo:
    """A service that answers with what it was sent, in many ways."""

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []
        self.status = 200
        self.error: Exception | None = None

    def request(self, request: HttpRequest) -> HttpResponse:
        self.requests.append(request)
        if self.error:
            raise self.error
        sent = request.headers.get("authorization", "") + str(request.query)
        body = {
            "plain": f"you sent {VALUE}",
            "sent": sent,
            "deep": [{VALUE: [json.dumps({"key": VALUE})]}],
            "url": quote(VALUE, safe=""),
            "base64": base64.b64encode(f"prefix{VALUE}suffix".encode()).decode(),
            "hex": VALUE.encode().hex(),
        }
        headers = {"content-type": "application/json", "x-echo": VALUE}
        content = json.dumps(body).encode()
        return HttpResponse(self.status, headers, content, f"{request.url}?key={quote(VALUE)}")


class Outbox:
    def __init__(self) -> None:
        self.sent: list[Mail] = []

    def send(self, mail: Mail) -> MailReceipt:
        self.sent.append(mail)
        return MailReceipt("<1@b.example>", "test", mail.to, ())


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def engine(database: str, echo: Echo, outbox: Outbox) -> Engine:
    return Engine(ports(http=echo, mailer=outbox))


def everything_stored() -> str:
    """All rows of all tables, but for the store's own."""
    with unit_of_work() as session:
        tables = session.scalars(
            sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ).all()
        return "\n".join(
            str(found)
            for table in tables
            if table != "secret"
            for found in session.scalars(sql(f'SELECT "{table}"::text FROM "{table}"'))
        )


CALL = {
    "url": "https://api.example/",
    "query": {"q": "{{secret.KEY|urlencode}}"},
    "auth": {"type": "basic", "username": "ada", "secret": "KEY"},
}
MAIL = {"to": "a@b.example", "subject": "Hi"}


def leaks(text: str) -> list[str]:
    forms = (
        VALUE,
        json.dumps(VALUE)[1:-1],
        quote(VALUE),
        quote(VALUE, safe=""),
        VALUE.encode().hex(),
        base64.b64encode(f"ada:{VALUE}".encode()).decode(),
        base64.b64encode(f"prefix{VALUE}".encode()).decode()[:24],
    )
    return [form for form in forms if form in text]


def test_a_secret_reaches_the_service_and_no_record(engine: Engine, echo: Echo) -> None:
    later = {**MAIL, "body": "{{steps.call.body.plain}}"}
    run = begin(step("call", "http_request", 0, CALL), step("mail", "email", 1, later))
    secrets.put(run.workspace_id, "KEY", VALUE)
    verdict = engine.run(task(run, "call"))
    assert isinstance(verdict, Proceed)
    sent = echo.requests[0]
    assert sent.headers["authorization"].startswith("Basic ")
    assert base64.b64decode(sent.headers["authorization"][6:]).decode() == f"ada:{VALUE}"
    assert leaks(str(verdict)) == []
    assert leaks(everything_stored()) == []
    recorded = row(run, "call")
    assert recorded is not None
    assert recorded.input is not None
    assert recorded.input["auth"] == {"type": "basic", "username": "ada", "secret": "***"}
    assert recorded.output is not None
    assert recorded.output["body"]["plain"] == "you sent ***"
    assert recorded.output["body"]["deep"] == [{"***": ['{"key": "***"}']}]
    detail = reading.detail(run.workspace_id, run.workflow_id, run.id)
    assert leaks(str([line.output for line in detail.logs])) == []


def test_later_steps_of_the_run_see_what_was_recorded(engine: Engine, outbox: Outbox) -> None:
    later = {**MAIL, "body": "{{steps.call.body.plain}}"}
    run = begin(step("call", "http_request", 0, CALL), step("mail", "email", 1, later))
    secrets.put(run.workspace_id, "KEY", VALUE)
    engine.run(task(run, "call"))
    engine.run(task(run, "mail"))
    assert outbox.sent[0].body == "you sent ***"


@pytest.mark.parametrize(
    "error",
    [
        StepError(f"refused {VALUE} at https://api.example/?q={quote(VALUE)}"),
        RuntimeError(f"bug with {VALUE}"),
    ],
)
def test_no_error_and_no_log_line_holds_the_secret(
    engine: Engine, echo: Echo, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    run = begin(step("call", "http_request", 0, CALL))
    secrets.put(run.workspace_id, "KEY", VALUE)
    echo.error = error
    with caplog.at_level(logging.DEBUG):
        verdict = engine.run(task(run, "call"))
    assert isinstance(verdict, GiveUp)
    assert "***" in verdict.error
    assert leaks(verdict.error + caplog.text + everything_stored()) == []


def test_a_refusal_with_the_secret_in_its_excerpt_is_masked(engine: Engine, echo: Echo) -> None:
    run = begin(step("call", "http_request", 0, CALL))
    secrets.put(run.workspace_id, "KEY", VALUE)
    echo.status = 500
    engine.run(task(run, "call"))
    assert reload(run).status == "FAILED"
    assert "***" in logs(run)[0].output
    assert leaks(everything_stored()) == []


def test_a_missing_secret_fails_the_step_with_its_name(engine: Engine, echo: Echo) -> None:
    run = begin(step("call", "http_request", 0, CALL))
    verdict = engine.run(task(run, "call"))
    assert isinstance(verdict, GiveUp)
    assert "step 'call', config.query.q: there is no secret KEY" in verdict.error
    assert echo.requests == []


def test_an_approvers_question_holds_no_secret(engine: Engine) -> None:
    config = {"message": "Use {{secret.KEY}}?", "approvers": ["b@c.example"]}
    run = begin(step("ask", "approval", 0, config))
    secrets.put(run.workspace_id, "KEY", VALUE)
    verdict = engine.run(task(run, "ask"))
    assert leaks(str(verdict) + everything_stored()) == []


def test_a_condition_can_compare_a_secret(engine: Engine) -> None:
    rules = [{"field": "{{secret.KEY}}", "operator": "startsWith", "value": 'p"ss'}]
    run = begin(step("if", "condition", 0, {"rules": rules}))
    secrets.put(run.workspace_id, "KEY", VALUE)
    assert engine.run(task(run, "if")) == Proceed({"result": True}, ())
    assert leaks(everything_stored()) == []


def test_the_environment_completes_the_store_and_never_overrides_it(
    engine: Engine, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOMATIONS_SECRET_SHARED", "from-environment")
    monkeypatch.setenv("AUTOMATIONS_SECRET_KEY", "from-environment")
    monkeypatch.setenv("AUTOMATIONS_SECRET_SHORT", "abc")
    run = begin(step("mail", "email", 0, {**MAIL, "body": "{{secret.SHARED}} {{secret.KEY}}"}))
    secrets.put(run.workspace_id, "KEY", VALUE)
    engine.run(task(run, "mail"))
    assert outbox.sent[0].body == f"from-environment {VALUE}"
    assert "from-environment" not in everything_stored()
    assert secrets.read(run.workspace_id, {"SHORT", "NONE"}) == {}


def test_a_secret_of_another_workspace_is_not_there(engine: Engine) -> None:
    run = begin(step("call", "http_request", 0, CALL))
    secrets.put(run.workspace_id, "KEY", VALUE)
    assert secrets.read(run.workspace_id, {"KEY"}) == {"KEY": VALUE}
    assert secrets.read("elsewhere", {"KEY"}) == {}


def test_values_are_encrypted_at_rest(engine: Engine) -> None:
    run = begin(step("call", "http_request", 0, CALL))
    secrets.put(run.workspace_id, "KEY", VALUE)
    with unit_of_work() as session:
        stored = session.scalars(sql("SELECT secret::text FROM secret")).one()
    assert leaks(stored) == []


def test_a_new_key_reads_old_values_while_the_old_key_is_kept(
    engine: Engine, environment: Environment
) -> None:
    run = begin(step("call", "http_request", 0, CALL))
    secrets.put(run.workspace_id, "KEY", VALUE)
    old = get_settings().encryption_key
    new = base64.urlsafe_b64encode(b"n" * 32).decode()
    for keys, readable in ((f"{new}, {old}", True), (new, False), ("", False)):
        environment.set(AUTOMATIONS_ENCRYPTION_KEY=keys)
        if readable:
            assert secrets.read(run.workspace_id, {"KEY"}) == {"KEY": VALUE}
        else:
            with pytest.raises(Unavailable, match="AUTOMATIONS_ENCRYPTION_KEY"):
                secrets.read(run.workspace_id, {"KEY"})


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("key", "valid-value", "name"),
        ("1KEY", "valid-value", "name"),
        ("KEY-1", "valid-value", "name"),
        ("K" * 65, "valid-value", "name"),
        ("KEY\n", "valid-value", "name"),
        ("KEY", "abcd", "value"),
        ("KEY", "  ab   ", "value"),
        ("KEY", "x" * 8_001, "value"),
    ],
)
def test_a_secret_that_could_not_be_named_or_masked_is_refused(
    name: str, value: str, field: str
) -> None:
    with pytest.raises(ValidationFailed) as caught:
        secrets.put("w", name, value)
    assert list(caught.value.field_errors) == [field]
