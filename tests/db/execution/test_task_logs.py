"""What the log of a task says of its step: what it is, was given, did and came to."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from automations import wiring
from automations.errors import StepError
from automations.execution.engine import Engine
from automations.execution.journal import Journal
from automations.execution.verdicts import AskPeople, GiveUp, Proceed, Retry, Sleep, TaskRef
from automations.ports import HttpRequest, HttpResponse, ScriptFault, ScriptResult
from automations.services.integrations import secrets
from automations.services.waits import decisions
from automations.steps.registry import STEP_TYPES
from tests.db.delays import let_pass
from tests.db.place import Place, begun
from tests.db.runs import begin, step, task
from tests.db.workspace import principal
from tests.doubles import ports

VALUE = "s3cret-v4lue"
SECRET = "{{secret.KEY}}"


class Log(Journal):
    """Keeps what is written."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []
        super().__init__(lambda level, text: self.lines.append((level, text)))

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.lines]

    @property
    def text(self) -> str:
        return "\n".join(self.texts)

    @property
    def errors(self) -> list[str]:
        return [text for level, text in self.lines if level == logging.ERROR]


SLOW = ("ai", "generate_document", "send_document")


def secretive(kind: str, config: dict[str, Any]) -> dict[str, Any]:
    """The config with a secret in all that it may be in."""
    given: dict[str, dict[str, Any]] = {
        "ai": {"prompt": f"Who knows {SECRET}?"},
        "approval": {"message": f"May {SECRET} spend it?"},
        "code": {"input": SECRET, "code": "console.log(input); return {input}"},
        "email": {"subject": f"Of {SECRET}", "body": f"It is {SECRET}."},
        "evidence_snapshot": {"title": f"Of {SECRET}"},
        "http_request": {
            "headers": {"x-key": SECRET},
            "body": {"channel": SECRET},
        },
        "loop": {"collection": [SECRET, "Bob"]},
        "slack": {"text": f"It is {SECRET}."},
    }
    return {**config, **given.get(kind, {})}


@pytest.mark.parametrize(
    "kind",
    [
        # The first document, or question, of a process takes seconds of a vendor's library.
        pytest.param(kind, marks=pytest.mark.slow) if kind in SLOW else kind
        for kind in STEP_TYPES
    ],
)
def test_the_log_says_what_a_step_is_was_given_did_and_came_to_and_no_secret(
    place: Place, kind: str
) -> None:
    secrets.put(place.workspace, "KEY", VALUE)
    ref, log = begun(place, kind, secretive(kind, place.config(kind))), Log()
    verdict = wiring.engine().run(ref, log)
    assert isinstance(verdict, AskPeople | Sleep | Proceed), verdict
    first = f"Step 'Step' ({STEP_TYPES[kind].title}), attempt 1 of 1, run {ref.run_id}, version 1"
    assert log.texts[0].startswith(first)
    assert log.texts[1] == "Configuration:"
    assert log.config is not None
    for field in log.config:
        assert f"  {field}: " in log.text
    pauses = isinstance(verdict, AskPeople | Sleep)
    assert any(line.startswith("Waits " if pauses else "Done after ") for line in log.texts)
    assert DID[kind] in log.text
    assert VALUE not in log.text
    assert VALUE not in str(log.config)
    assert log.errors == []


DID = {
    "ai": "openai's gpt-4o-mini answered in",
    "airflow_operator": " of operator airflow.providers.standard.operators.bash.BashOperator asked",
    "approval": "Waits for a decision by",
    "code": "console: ***",
    "condition": "  result: true",
    "create_matter": "Matter ",
    "delay": "Waits until ",
    "email": "Mail to ada@example.com: accepted by ",
    "evidence_snapshot": "Snapshot ",
    "generate_document": "Document ",
    "http_request": "/api/chat.postMessage answered 200 in ",
    "loop": "item 1, step 'Is it Ada?': Done after ",
    "notification": "Notified the members ",
    "run_workflow": " started.",
    "send_document": " to ada@example.com: SENT",
    "send_form": "sent to ada@example.com.",
    "slack": "Posted to Slack, channel ",
    "table_operations": " added to table ",
}
"""What a step of each type does, in the words of its log."""


class Service:
    """Answers what its address ends in."""

    def request(self, request: HttpRequest) -> HttpResponse:
        last = request.url.partition("?")[0].rpartition("/")[2]
        if not last.isdigit():
            raise StepError("No full answer within 5 s.", kind="timeout", retryable=True)
        return HttpResponse(int(last), {}, f"said {last}".encode(), request.url)


@pytest.fixture
def engine(database: str) -> Engine:
    return Engine(ports(http=Service()))


def call(url: str, order: int = 0, **more: Any) -> dict[str, Any]:
    return {**step("call", "http_request", order, {"url": url}), **more}


def test_a_failure_is_an_error_with_its_kind_and_what_the_service_said(engine: Engine) -> None:
    run, log = begin(call("https://a.example/500?token=abc")), Log()
    assert isinstance(engine.run(task(run, "call"), log), GiveUp)
    (error,) = log.errors
    assert error.startswith("Failed after ")
    assert error.endswith("(status): The service answered 500.")
    assert any("GET https://a.example/500 answered 500 in " in line for line in log.texts)
    assert "  excerpt: said 500" in log.texts
    assert log.texts[-1] == "The run fails with it."


def test_a_secret_in_an_address_is_not_in_the_log(engine: Engine) -> None:
    run, log = begin(call(f"https://a.example/{SECRET}/200?key={SECRET}")), Log()
    secrets.put(run.workspace_id, "KEY", VALUE)
    assert isinstance(engine.run(task(run, "call"), log), Proceed)
    assert any("GET https://a.example/***/200 answered 200 in " in line for line in log.texts)
    assert VALUE not in log.text


def test_what_has_come_to_nothing_is_told_with_how_long_it_took(engine: Engine) -> None:
    run, log = begin(call("https://a.example/slow")), Log()
    engine.run(task(run, "call"), log)
    assert any("GET https://a.example/slow failed after " in line for line in log.texts)
    assert log.errors[0].endswith("(timeout): No full answer within 5 s.")


def test_each_attempt_says_which_it_is_and_when_the_next_one_comes(engine: Engine) -> None:
    retry = {"maxAttempts": 3, "delay": "PT7S"}
    run, log = begin(call("https://a.example/503", retry=retry)), Log()
    assert isinstance(engine.run(task(run, "call"), log), Retry)
    assert ", attempt 1 of 3, " in log.texts[0]
    assert log.texts[-1].startswith("It is tried again in ")
    early = Log()
    assert isinstance(engine.run(task(run, "call"), early), Retry)
    assert early.texts[0].startswith("It is tried again in ")
    let_pass(run, "call")
    again = Log()
    engine.run(task(run, "call"), again)
    assert ", attempt 2 of 3, " in again.texts[0]


def test_a_failure_that_the_run_survives_says_so(engine: Engine) -> None:
    run, log = begin(call("https://a.example/500", onError="continue")), Log()
    verdict = engine.run(task(run, "call"), log)
    assert isinstance(verdict, Proceed)
    # What Airflow shows of it, too.
    assert verdict.summary["error"] == "The service answered 500."
    assert len(log.errors) == 1
    assert log.texts[-1] == "The run goes on with the next step, as its onError says."


def test_a_loop_tells_its_first_and_last_ten_items_and_every_failure(engine: Engine) -> None:
    items = [500 if index == 30 else 200 for index in range(60)]
    body = call("https://a.example/{{loop.item}}")
    config = {"collection": items, "steps": [body], "onItemError": "continue"}
    run, log = begin(step("each", "loop", 0, config)), Log()
    assert isinstance(engine.run(task(run, "each"), log), Proceed)
    told = {line.split(",")[0] for line in log.texts if line.startswith("item ")}
    edges = [*range(10), 30, *range(50, 60)]
    assert told == {f"item {index}" for index in edges}
    about_30 = [line for line in log.texts if line.startswith("item 30, ")]
    assert [line.split(": ")[1].split(" ")[0] for line in about_30] == [
        "Configuration", "GET", "Failed", "Output",
    ]  # fmt: skip
    assert log.errors == [about_30[2]]
    assert "Of 60 items, 1 failed." in log.texts


def test_a_loop_in_which_all_fails_tells_each_and_a_hundred_in_full(engine: Engine) -> None:
    body = call("https://a.example/500")
    config = {"collection": list(range(150)), "steps": [body], "onItemError": "continue"}
    run, log = begin(step("each", "loop", 0, config)), Log()
    engine.run(task(run, "each"), log)
    assert len(log.errors) == 150
    assert sum("GET https://a.example/500" in line for line in log.texts) == 100 + 20


def test_a_wait_says_for_whom_until_when_and_then_who_decided_what(database: str) -> None:
    ask = step("ask", "approval", 0, {"message": "May it?", "approvers": ["ada@example.com"]})
    run, log = begin(ask), Log()
    engine = Engine(ports())
    parked = engine.run(task(run, "ask"), log)
    assert isinstance(parked, AskPeople)
    until = f"{parked.expires_at:%Y-%m-%d %H:%M}"
    assert any(
        line.startswith(f"Waits for a decision by ada@example.com until {until}")
        for line in log.texts
    )
    again = Log()
    engine.run(task(run, "ask"), again)
    assert again.texts == [f"Waits as before, until {parked.expires_at:%Y-%m-%d %H:%M:%S} UTC."]
    by = principal(run.workspace_id, name="Grace")
    decisions.resume(by, run.id, decision="approved", data=None, reason="fine")
    after = Log()
    assert isinstance(engine.resume(task(run, "ask"), parked.wait_id, None, after), Proceed)
    assert "Step 'ask' (Ask for approval) goes on: approved by Grace at " in after.texts[0]
    assert "fine" in after.texts[0]
    assert any(line.startswith("Done after ") for line in after.texts)


def test_a_step_that_was_done_before_says_that_it_is_not_done_again(engine: Engine) -> None:
    run = begin(call("https://a.example/200"))
    engine.run(task(run, "call"))
    log = Log()
    engine.run(task(run, "call"), log)
    assert log.texts == ["Was done before, and is not done again."]


def test_a_step_that_has_failed_before_still_shows_with_what(engine: Engine) -> None:
    run = begin({**call("https://a.example/500"), "retry": {"maxAttempts": 1}})
    assert isinstance(engine.run(task(run, "call"), Log()), GiveUp)
    log = Log()
    assert isinstance(engine.run(task(run, "call"), log), GiveUp)
    assert log.texts[0].startswith("Has failed before and is not done again: ")
    assert log.config is not None
    assert log.config["url"] == "https://a.example/500"


def test_no_line_is_longer_than_can_be_read_and_none_moves_a_terminal(database: str) -> None:
    class Scripts:
        def run(self, *_: Any) -> ScriptResult:
            fault = ScriptFault("Error", "x" * 100_000, 1)
            return ScriptResult(None, ("\x1b[2J" + "y" * 100_000,), {}, fault)

    run, log = begin(step("code", "code", 0, {"code": "1"})), Log()
    Engine(ports(scripts=Scripts())).run(task(run, "code"), log)
    assert max(map(len, log.texts)) <= 4_001
    assert "\x1b" not in log.text


def test_links_that_say_who_somebody_is_are_not_in_the_log(database: str) -> None:
    class Echo:
        def request(self, request: HttpRequest) -> HttpResponse:
            return HttpResponse(200, {}, request.content or b"", request.url)

    config = {
        "method": "POST",
        "url": "https://a.example/jobs",
        "body": {"report": "{{callback.url}}"},
        "waitForCallback": True,
    }
    run, log = begin(step("call", "http_request", 0, config)), Log()
    Engine(ports(http=Echo())).run(task(run, "call"), log)
    assert "/callback/***" in log.text
    assert "/callback/***" in str(log.config)


def test_where_nobody_reads_a_log_nothing_is_written_nor_kept(engine: Engine) -> None:
    run, nobody = begin(call("https://a.example/200")), Journal()
    assert isinstance(engine.run(task(run, "call"), nobody), Proceed)
    assert nobody.config is None


def test_a_task_of_another_version_of_the_step_says_which(engine: Engine) -> None:
    run, log = begin(call("https://a.example/200")), Log()
    ref = task(run, "call")
    assert isinstance(ref, TaskRef)
    engine.run(ref, log)
    assert f"version {ref.version} of the automation" in log.texts[0]
