"""The way from Airflow's UI to the console, through Airflow's own api-server."""

from __future__ import annotations

from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from starlette.testclient import TestClient

from automations.services.access import vouchers
from automations_airflow import installation
from automations_airflow.server.console_sign_in import _roles
from automations_airflow.ui import console_tabs
from tests.airflow.definitions import workflow_id
from tests.environment import Environment

OPEN = "/automations/console/open"
RUN = "cmx0000000000000000000001"
AUTOMATION = workflow_id(1)
DAG = f"automation_{AUTOMATION}"


@pytest.fixture(autouse=True)
def key(environment: Environment) -> None:
    environment.set(AUTOMATIONS_ENCRYPTION_KEY="k" * 43 + "=")


def headers(role: str | None) -> dict[str, str]:
    user = SimpleAuthManagerUser(username="Ada", role=role)
    return {"authorization": f"Bearer {get_auth_manager().generate_jwt(user)}"}


def led(server: TestClient, query: str, role: str = "ADMIN") -> tuple[str, vouchers.Voucher, str]:
    """Where the door leads: the address, the voucher and the page behind it."""
    answer = server.get(f"{OPEN}{query}", headers=headers(role), follow_redirects=False)
    assert answer.status_code == 303, answer.text
    assert answer.headers["referrer-policy"] == "no-referrer"
    url = urlsplit(answer.headers["location"])
    given = parse_qs(url.query)
    address = f"{url.scheme}://{url.netloc}{url.path}"
    return address, vouchers.read(given["voucher"][0]), given["next"][0]


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("", "/console/workflows"),
        (f"?dag={DAG}", f"/console/workflows/{AUTOMATION}"),
        (f"?dag={DAG}&run={RUN}", f"/console/runs/{RUN}"),
        (f"?dag={DAG}&run={RUN}&task=ask", f"/console/runs/{RUN}/steps/ask"),
        (f"?dag={DAG}&run={RUN}&page=approval", f"/console/approvals/{RUN}"),
        (f"?run={RUN}", f"/console/runs/{RUN}"),
    ],
)
def test_a_user_is_led_to_the_page_of_what_they_look_at(
    server: TestClient, query: str, page: str
) -> None:
    address, voucher, then = led(server, query)
    # Under the name that they have Airflow at, or a frame would have no cookies.
    assert address == "http://localhost:8800/console/from-airflow"
    assert (voucher.user, voucher.role, then) == ("Ada", "ADMIN", page)


def test_a_voucher_is_for_the_browser_that_asks(server: TestClient) -> None:
    server.cookies.clear()
    first = led(server, "")[1]
    token = server.cookies[vouchers.BROWSER]
    assert first.is_asked_by(token)
    # Each of its tabs may ask at once.
    assert led(server, "")[1].is_asked_by(token)
    server.cookies.clear()
    assert not led(server, "")[1].is_asked_by(token)
    assert not first.is_asked_by(None)
    server.cookies.clear()


@pytest.mark.parametrize("known", ["", "x", "a" * 42, "a" * 44, "a b" * 15])
def test_a_token_that_is_none_is_given_anew(server: TestClient, known: str) -> None:
    headers_ = headers("ADMIN") | {"cookie": f"{vouchers.BROWSER}={known}"}
    answer = server.get(OPEN, headers=headers_, follow_redirects=False)
    given = answer.headers["set-cookie"]
    assert "HttpOnly" in given
    assert "SameSite=lax" in given
    assert f"{vouchers.BROWSER}={known};" not in given
    server.cookies.clear()


@pytest.mark.parametrize(
    ("there", "here"),
    [("ADMIN", "ADMIN"), ("OP", "MEMBER"), ("USER", "MEMBER"), ("VIEWER", "VIEWER")],
)
def test_a_role_in_airflow_gives_one_here(server: TestClient, there: str, here: str) -> None:
    assert led(server, "", there)[1].role == here


def test_the_roles_are_a_setting(server: TestClient, environment: Environment) -> None:
    environment.set(AUTOMATIONS_ENCRYPTION_KEY="k" * 43 + "=", AUTOMATIONS_AIRFLOW_ROLES="Op:ADMIN")
    assert led(server, "", "OP")[1].role == "ADMIN"
    answer = server.get(OPEN, headers=headers("ADMIN"), follow_redirects=False)
    assert answer.status_code == 403


def test_nobody_is_led_whom_airflow_does_not_know(server: TestClient) -> None:
    assert server.get(OPEN, follow_redirects=False).status_code == 401


def test_a_dag_of_other_making_has_no_page(server: TestClient) -> None:
    answer = server.get(f"{OPEN}?dag=etl", headers=headers("ADMIN"), follow_redirects=False)
    assert answer.status_code == 404


def test_roles_are_found_as_other_auth_managers_keep_them() -> None:
    roles = [SimpleNamespace(name="Viewer"), SimpleNamespace(name="Op")]
    assert _roles(SimpleNamespace(roles=roles)) == ["Viewer", "Op"]
    assert _roles(SimpleNamespace()) == []


def test_tabs_lead_through_the_door_of_the_reader_s_own_airflow(environment: Environment) -> None:
    environment.set(AUTOMATIONS_AIRFLOW_TABS="true")
    shown = [view for view in console_tabs.views() if view["name"] != "Automations API"]
    assert {view["destination"] for view in shown} == {"nav", "dag", "dag_run", "task_instance"}
    assert all(str(view["href"]).startswith(OPEN) for view in shown)


def test_on_the_pages_of_others_dags_nothing_is_shown_unless_that_is_wished() -> None:
    assert {view["destination"] for view in console_tabs.views()} == {"nav"}


def test_an_airflow_that_no_automations_are_published_to_shows_nothing(
    environment: Environment,
) -> None:
    environment.set(AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST="[]")
    assert not installation.publishes()
    assert console_tabs.views() == []


def test_the_door_is_where_the_reader_has_airflow(environment: Environment) -> None:
    environment.set(AIRFLOW__API__BASE_URL="https://data.example.com/airflow/")
    assert console_tabs.door("?dag=x") == f"/airflow{OPEN}?dag=x"
