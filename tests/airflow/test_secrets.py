"""Secrets that are kept in Airflow: read by steps, masked like our own, and nothing else of it."""

from __future__ import annotations

import pytest

from automations.errors import StepError
from automations.execution.engine import Engine
from automations.execution.verdicts import GiveUp, Proceed
from automations.ports import HttpRequest, HttpResponse
from automations.services.integrations import secrets
from automations_airflow.secrets import AIRFLOW_SECRETS
from tests.db.runs import begin, logs, reload, row, step, task
from tests.doubles import ports

VALUE = "s3cret-of-airflow"
CALL = {"url": "https://a.example", "headers": {"X-Key": "{{secret.KEY}}"}}


class Echo:
    """A service that answers with the key that it was sent."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def request(self, request: HttpRequest) -> HttpResponse:
        self.keys.append(request.headers["x-key"])
        return HttpResponse(200, {"content-type": "text/plain"}, self.keys[-1].encode(), "")


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def engine(database: str, echo: Echo) -> Engine:
    return Engine(ports(http=echo), AIRFLOW_SECRETS)


def call(engine: Engine) -> tuple[object, str]:
    """What a step that names the secret comes to, and everything that is recorded of its run."""
    run = begin(step("call", "http_request", 0, CALL))
    verdict = engine.run(task(run, "call"))
    stood = row(run, "call")
    assert stood is not None
    kept = [stood.input, stood.output, stood.verdict, reload(run).error]
    return verdict, str([*kept, *(line.output for line in logs(run))])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AIRFLOW_VAR_AUTOMATIONS_SECRET_KEY", VALUE),
        ("AIRFLOW_CONN_AUTOMATIONS_SECRET_KEY", f"http://somebody:{VALUE}@a.example"),
    ],
)
def test_a_variable_and_a_connections_password_are_secrets_and_are_masked(
    engine: Engine, echo: Echo, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    verdict, recorded = call(engine)
    assert isinstance(verdict, Proceed)
    assert echo.keys == [VALUE]
    assert VALUE not in recorded
    assert "***" in recorded


def test_the_workspaces_own_secret_goes_before(
    engine: Engine, echo: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_AUTOMATIONS_SECRET_KEY", VALUE)
    run = begin(step("call", "http_request", 0, CALL))
    secrets.put(run.workspace_id, "KEY", "our-own-one")
    engine.run(task(run, "call"))
    assert echo.keys == ["our-own-one"]


def test_in_a_loop_it_is_read_too(
    engine: Engine, echo: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_AUTOMATIONS_SECRET_KEY", VALUE)
    body = {"collection": [1, 2], "steps": [step("call", "http_request", 0, CALL)]}
    run = begin(step("loop", "loop", 0, body))
    assert isinstance(engine.run(task(run, "loop")), Proceed)
    assert echo.keys == [VALUE, VALUE]


@pytest.mark.parametrize("name", ["AIRFLOW_VAR_KEY", "AIRFLOW_CONN_KEY"])
def test_what_is_not_named_for_automations_is_out_of_their_reach(
    engine: Engine, echo: Echo, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, VALUE)
    verdict, _ = call(engine)
    assert isinstance(verdict, GiveUp)
    assert "there is no secret KEY" in verdict.error
    assert echo.keys == []


def test_one_that_is_too_short_to_be_masked_is_not_used(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_AUTOMATIONS_SECRET_KEY", "1234")
    assert isinstance(call(engine)[0], GiveUp)


def test_one_that_is_stored_in_airflows_database_is_found(
    airflow_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.models import Variable

    # A worker asks Airflow's API, which looks where a server does.
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    Variable.set("AUTOMATIONS_SECRET_KEY", VALUE)
    try:
        assert AIRFLOW_SECRETS.read({"KEY"}) == {"KEY": VALUE}
    finally:
        Variable.delete("AUTOMATIONS_SECRET_KEY")
    assert AIRFLOW_SECRETS.read({"KEY"}) == {}


def test_a_backend_that_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.exceptions import AirflowSecretsBackendAccessDenied
    from airflow.sdk.execution_time import supervisor

    class Refusing:
        def get_variable(self, key: str) -> str:
            raise AirflowSecretsBackendAccessDenied("no")

    monkeypatch.setattr(supervisor, "ensure_secrets_backend_loaded", lambda: [Refusing()])
    with pytest.raises(StepError, match="KEY") as refused:
        AIRFLOW_SECRETS.read({"KEY"})
    assert refused.value.kind == "secret"
