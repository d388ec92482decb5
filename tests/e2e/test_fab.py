"""The wheel in an Airflow whose users FAB keeps: its routes, roles, questions and audit log."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from automations.definitions.published import dag_id
from tests.conftest import Server
from tests.e2e.installed import Installed
from tests.foreign_airflow import WORDS, ForeignAirflow, Place
from tests.servers.mailbox import Mailbox

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "not any('test_fab.py' in one for one in config.args)",
        reason="it takes a minute and a half, and packages from the index: ask for it by its name",
    ),
]

LOCK = Path(__file__).with_name("requirements-fab.txt")
MANAGER = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
AIRFLOW, OURS = "fabs_airflow", "fabs_automations"
ROLES = {"olga": ["Op"], "ulla": ["User"], "vera": ["Viewer"], "nora": ["Public"]}
"""Users beside the administrator and the bridge's, and what they are there."""
READS_LOG = "AuditReader"
TIMEOUT = 120
"""Seconds that a busy machine may take for an answer."""
WORD = "somebodys-own-word"
DOOR = "/automations/console/open"
OPERATOR = "airflow.providers.standard.operators.bash.BashOperator"
CRM = {"connection_id": "crm", "conn_type": "http", "host": "crm.example.com", "password": "s3cret"}


@dataclass(frozen=True)
class Fab:
    """Our wheel in it, and each user's token.

    Args:
        anybody: an automation that asks whoever may answer.
        boss: one that asks somebody whom FAB does not know.
    """

    installed: Installed
    tokens: Mapping[str, str]
    anybody: str
    boss: str

    @property
    def airflow(self) -> ForeignAirflow:
        return self.installed.airflow

    def asks(self, user: str, method: str, path: str, body: Any = None) -> requests.Response:
        """What a user is answered by a route of Airflow's server."""
        return requests.request(
            method,
            self.airflow.address + path,
            json=body,
            headers={"Authorization": f"Bearer {self.tokens[user]}"},
            verify=self.airflow.environment["REQUESTS_CA_BUNDLE"],
            timeout=TIMEOUT,
            allow_redirects=False,
        )

    def browser(self) -> requests.Session:
        """Something that keeps cookies, as a browser does."""
        found = requests.Session()
        # It would have this machine's certificates instead.
        found.trust_env = False
        found.verify = self.airflow.environment["REQUESTS_CA_BUNDLE"]
        return found

    def run(self, workflow: str, run: str) -> dict[str, Any]:
        found: dict[str, Any] = self.installed.api("GET", f"/api/workflows/{workflow}/runs/{run}")
        return dict(found["run"])

    def came_to(self, workflow: str, run: str, status: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found = self.run(workflow, run)
            return found if found["status"] == status else None

        found: dict[str, Any] = self.airflow.await_that(f"the run is {status}", look)
        return found

    def asking(self, workflow: str) -> tuple[str, str]:
        """A run, and the address of what Airflow asks of it, once it does."""
        run = str(self.installed.api("POST", f"/api/workflows/{workflow}/execute", {})["runId"])
        task = f"/api/v2/dags/{dag_id(workflow)}/dagRuns/{run}/taskInstances/ask"

        def waits() -> bool:
            return bool(self.asks("vera", "GET", task).json().get("state") == "awaiting_input")

        self.airflow.await_that("Airflow asks", waits)
        # Airflow's own executor takes a task for lost that goes on before it has seen it pause.
        self.airflow.await_that("it has been seen to wait", lambda: self._has_seen(run))
        return run, f"{task}/-1/hitlDetails"

    def _has_seen(self, run: str) -> bool:
        lines = (self.airflow.folder / "scheduler.log").read_text().splitlines()
        return any("TaskInstance Finished" in line and run in line for line in lines)


def asking(installed: Installed, **config: Any) -> str:
    """An automation that asks for a decision."""
    given = {"message": "May we?", **config}
    ask = {"id": "ask", "name": "Ask", "type": "approval", "config": given}
    body = {"name": "Asks in FAB's Airflow", "status": "ACTIVE", "steps": [ask]}
    return str(installed.api("POST", "/api/workflows", body)["id"])


def users(airflow: ForeignAirflow) -> None:
    """Have the administrator make all others."""

    def make(what: str, **body: Any) -> None:
        path = f"{airflow.address}/auth/fab/v1/{what}"
        answer = airflow.http.post(path, json=body, timeout=TIMEOUT)
        assert answer.ok, answer.text

    # As the documentation has it: the role Op reads no audit log.
    reads = {"action": {"name": "can_read"}, "resource": {"name": "Audit Logs"}}
    make("roles", name=READS_LOG, actions=[reads])
    for name, roles in {"bridge": ["Op", READS_LOG], **ROLES}.items():
        make(
            "users",
            username=name,
            password=WORDS.get(name, WORD),
            email=f"{name}@example.com",
            first_name=name.title(),
            last_name="Lovelace",
            roles=[{"name": role} for role in roles],
        )


def tokens(airflow: ForeignAirflow) -> dict[str, str]:
    found = {}
    for name in ("ada", "bridge", *ROLES):
        given = {"username": name, "password": WORDS.get(name, WORD)}
        answer = airflow.http.post(f"{airflow.address}/auth/token", json=given, timeout=TIMEOUT)
        assert answer.status_code == 201, answer.text
        found[name] = str(answer.json()["access_token"])
    return found


@pytest.fixture(scope="module")
def fab(
    wheel: Path,
    postgres: Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Fab]:
    folder = tmp_path_factory.mktemp("fab")
    place = Place(folder / "venv")
    if (why := place.lacks(LOCK)) is not None:
        pytest.skip(f"FAB's provider could not be installed: {why[-500:]}")
    for database in (AIRFLOW, OURS):
        postgres.run(f"CREATE DATABASE {database}")
    airflow = ForeignAirflow(
        folder / "airflow", place, postgres.dsn(AIRFLOW), {"AIRFLOW__CORE__AUTH_MANAGER": MANAGER}
    )
    mailbox = Mailbox()
    mailbox.start()
    try:
        place.install(wheel)
        installed = Installed(
            airflow,
            postgres.dsn(OURS),
            mailbox,
            AUTOMATIONS_CONNECTION_ALLOW="crm",
            AUTOMATIONS_OPERATOR_ALLOW=OPERATOR,
        )
        installed.configure()
        airflow.airflow("db", "migrate")
        ada = "--username ada --role Admin --email ada@example.com --firstname Ada --lastname L"
        airflow.airflow("users", "create", *ada.split(), "--password", WORDS["ada"])
        airflow.automations("migrate")
        airflow.up()
        users(airflow)
        installed.up()
        anybody, boss = asking(installed), asking(installed, approvers=["boss@example.com"])
        for one in (anybody, boss):
            airflow.await_that("its DAG is there", lambda one=one: airflow.has(dag_id(one)))
        yield Fab(installed, tokens(airflow), anybody, boss)
    finally:
        airflow.down()
        mailbox.stop()
        for database in (AIRFLOW, OURS):
            postgres.run(f"DROP DATABASE {database} WITH (FORCE)")


@pytest.mark.parametrize(
    ("user", "role"),
    [("ada", "ADMIN"), ("olga", "MEMBER"), ("ulla", "MEMBER"), ("vera", "VIEWER")],
)
def test_each_is_let_into_the_console_with_the_role_that_they_have_there(
    fab: Fab, user: str, role: str
) -> None:
    browser = fab.browser()
    signed_in = {"Authorization": f"Bearer {fab.tokens[user]}"}
    led = browser.get(
        fab.airflow.address + DOOR, headers=signed_in, allow_redirects=False, timeout=TIMEOUT
    )
    assert led.status_code == 303, led.text
    console = browser.get(led.headers["location"], timeout=TIMEOUT)
    assert console.ok, console.text
    session = browser.get(f"{fab.installed.address}/api/session", timeout=TIMEOUT).text
    assert role in session
    assert user in session


def test_whose_role_gives_none_is_not_let_in_and_told_so(fab: Fab) -> None:
    refused = fab.asks("nora", "GET", DOOR)
    assert refused.status_code == 403
    assert "AUTOMATIONS_AIRFLOW_ROLES" in refused.text


def test_who_signs_in_by_fabs_own_page_is_let_into_the_console_by_that(fab: Fab) -> None:
    browser = fab.browser()
    page = browser.get(f"{fab.airflow.address}/auth/login/", timeout=TIMEOUT)
    match = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
    assert match, page.text
    given = {"username": "ulla", "password": WORD, "csrf_token": match[1]}
    signed_in = browser.post(f"{fab.airflow.address}/auth/login/", data=given, timeout=TIMEOUT)
    assert signed_in.ok, signed_in.text
    door = browser.get(f"{fab.airflow.address}{DOOR}", allow_redirects=False, timeout=TIMEOUT)
    assert door.status_code == 303, door.text


def test_a_user_answers_in_airflow_under_their_own_name_and_a_viewer_does_not(fab: Fab) -> None:
    run, question = fab.asking(fab.anybody)
    answer = {"chosen_options": ["Approve"], "params_input": {}}
    assert fab.asks("vera", "PATCH", question, answer).status_code == 403
    assert fab.asks("ulla", "PATCH", question, answer).ok
    done = fab.came_to(fab.anybody, run, "COMPLETED")
    assert done["state"]["stepOutputs"]["ask"]["decidedBy"] == "airflow:ulla"


def test_who_was_not_asked_is_refused_and_told_why(fab: Fab) -> None:
    run, question = fab.asking(fab.boss)
    assert fab.asks("ulla", "PATCH", question, {"chosen_options": ["Approve"]}).ok

    def told() -> bool:
        body = fab.asks("ulla", "GET", question).json()["body"] or ""
        return "An answer was not taken" in body and "ulla" in body

    fab.airflow.await_that("the question says so", told)
    assert fab.run(fab.boss, run)["status"] == "PAUSED"


def test_an_answer_by_the_api_is_not_shown_as_the_bridges(fab: Fab) -> None:
    run, question = fab.asking(fab.anybody)
    path = f"/api/workflows/runs/{run}/resume"
    fab.installed.api("POST", path, {"decision": "approved"})
    done = fab.came_to(fab.anybody, run, "COMPLETED")
    by = done["state"]["stepOutputs"]["ask"]["decidedBy"]
    shown = fab.asks("vera", "GET", question).json()
    assert shown["responded_by_user"]["name"] == by
    assert shown["params_input"] == {}


def test_a_user_triggers_and_a_viewer_does_not(fab: Fab) -> None:
    path = f"/api/v2/dags/{dag_id(fab.anybody)}/dagRuns"
    wanted: dict[str, Any] = {"logical_date": None, "conf": {}}
    assert fab.asks("vera", "POST", path, wanted).status_code == 403
    made = fab.asks("ulla", "POST", path, wanted)
    assert made.ok, made.text
    run = made.json()["dag_run_id"]

    def known() -> bool:
        runs = fab.installed.api("GET", f"/api/workflows/{fab.anybody}/runs")["runs"]
        return any(one["id"] == run for one in runs)

    fab.airflow.await_that("the run is known", known)
    assert "ulla" in str(fab.run(fab.anybody, run)["startedBy"])
    batch = {"runs": [{"dag_id": dag_id(fab.anybody), "run_id": "theirs", "conf": {}}]}
    refused = fab.asks("vera", "POST", "/automations/batches/runs", batch)
    assert refused.status_code == 403


def test_who_ends_a_run_in_airflow_is_named_in_its_error(fab: Fab) -> None:
    run, _ = fab.asking(fab.anybody)
    path = f"/api/v2/dags/{dag_id(fab.anybody)}/dagRuns/{run}"
    assert fab.asks("ulla", "PATCH", path, {"state": "failed"}).ok
    assert "ulla" in fab.came_to(fab.anybody, run, "FAILED")["error"]


def test_connections_are_given_to_the_bridge_alone_and_sealed(fab: Fab) -> None:
    assert fab.asks("ada", "POST", "/api/v2/connections", CRM).ok
    read = "/automations/connections/read"
    for user in ("ada", "olga", "nora"):
        assert fab.asks(user, "POST", read, {"id": "crm"}).status_code == 403
    given = fab.asks("bridge", "POST", read, {"id": "crm"})
    assert given.ok, given.text
    assert given.json()["connection"]
    assert CRM["password"] not in json.dumps(given.json())


def test_the_bridge_lists_the_operators_that_steps_may_run(fab: Fab) -> None:
    listed = fab.installed.api("GET", "/api/operators")
    assert [operator["operator"] for operator in listed] == [OPERATOR]
