"""The wheel, installed in an Airflow that is there: it works, and leaves it as it was."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from automations.launcher.demo import WELCOME_FORM, welcome
from tests.conftest import Server
from tests.e2e.installed import Installed
from tests.foreign_airflow import ForeignAirflow, Place, tracked
from tests.servers.mailbox import Mailbox
from tests.waiting import until

PACKAGES = {
    "include/automations/": "automations/",
    "include/automations_client/": "automations_client/",
    "plugins/automations_airflow/": "automations_airflow/",
    "api_bridge/": "api_bridge/",
}
"""Where the parts of the wheel are in the checkout."""
AIRFLOW = "someone_elses"
WHERE = """
import automations, api_bridge, automations_airflow
from pathlib import Path
for package in (automations, api_bridge, automations_airflow):
    print(Path(package.__file__).parents[1])
"""


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_its_packages_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        entries = archive.read(
            next(name for name in archive.namelist() if name.endswith("entry_points.txt"))
        ).decode()
    wanted = {
        there + name.removeprefix(here)
        for here, there in PACKAGES.items()
        for name in tracked()
        if name.startswith(here) and not name.endswith("pyproject.toml")
    }
    assert held == wanted
    assert "[airflow.plugins]\nautomations = automations_airflow.plugin:" in entries


@pytest.fixture
def airflow(postgres: Server, tmp_path: Path) -> Iterator[ForeignAirflow]:
    postgres.run(f"CREATE DATABASE {AIRFLOW}")
    found = ForeignAirflow(tmp_path / "airflow", Place(tmp_path / "venv"), postgres.dsn(AIRFLOW))
    try:
        yield found
    finally:
        found.down()
        postgres.run(f"DROP DATABASE {AIRFLOW} WITH (FORCE)")


def facts(postgres: Server) -> dict[str, Any]:
    """Of what their Airflow's database consists: its tables and columns, and whose DAGs it has."""
    columns = postgres.rows(
        "SELECT table_name, column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = 'public' ORDER BY 1, 2",
        AIRFLOW,
    )
    dags = postgres.rows("SELECT dag_id FROM dag ORDER BY 1", AIRFLOW)
    bundles = postgres.rows("SELECT name FROM dag_bundle ORDER BY 1", AIRFLOW)
    return {"columns": columns, "dags": dags, "bundles": bundles}


@pytest.mark.slow
def test_in_an_airflow_that_is_there_the_specifications_example_runs_and_nothing_is_left(
    wheel: Path, airflow: ForeignAirflow, postgres: Server, database: str, mailbox: Mailbox
) -> None:
    airflow.write("etl", tasks=2)
    airflow.write("reports", bundle="second")
    airflow.airflow("db", "migrate")
    columns = facts(postgres)["columns"]

    airflow.place.install(wheel)
    installed = Installed(airflow, database, mailbox)
    installed.configure()
    where = airflow.run(str(airflow.place.python), "-c", WHERE).splitlines()
    assert where == [str(airflow.place.packages)] * 3
    assert "owner.key" in airflow.automations("migrate")

    airflow.up()
    installed.up()
    form = installed.api("POST", "/api/forms", WELCOME_FORM)
    runs = (
        f"/api/workflows/{installed.api('POST', '/api/workflows', welcome(form['id']))['id']}/runs"
    )
    someone = {"name": "Ada", "email": "ada@example.com"}
    installed.api("POST", "/api/submissions", {"formId": form["id"], "data": someone})

    def ended() -> Any:
        found = installed.api("GET", runs)["runs"]
        return found and found[0]["status"] in ("COMPLETED", "FAILED") and found[0]

    assert airflow.await_that("the run has ended", ended, 120)["status"] == "COMPLETED"
    message = mailbox.message()
    assert (message["To"], message["Subject"]) == ("ada@example.com", "Welcome!")

    # Their own DAGs run as ever, and the UI has nothing new on their pages.
    for dag in ("etl", "reports"):
        airflow.await_that(f"{dag} is there", lambda dag=dag: airflow.has(dag))
        theirs = airflow.trigger(dag)
        airflow.await_that(
            f"{dag} has ended", lambda dag=dag, run=theirs: airflow.state(dag, run) == "success"
        )
    views = [
        view
        for plugin in airflow.api("GET", "/plugins")["plugins"]
        for view in plugin["external_views"]
    ]
    assert {view["destination"] for view in views} == {"nav"}
    # Whoever is signed in to Airflow is let into the console.
    door = airflow.http.get(
        f"{airflow.address}/automations/console/open", allow_redirects=False, timeout=30
    )
    assert door.headers["location"].startswith(f"{installed.address}/console/from-airflow?voucher=")

    leave = str(airflow.place.folder / "bin" / "automations")
    refused = airflow.tried(leave, "leave")
    assert refused.returncode == 1
    assert "these parts of it are up" in refused.stderr
    airflow.down()

    def left() -> str | None:
        tried = airflow.tried(leave, "leave")
        return tried.stdout if tried.returncode == 0 else None

    # A part that had to be killed counts as up until its last heartbeat is old.
    assert "1 DAGs of automations are gone" in until("the parts to count as down", left, 240)
    installed.leave()
    airflow.place.uninstall()

    assert facts(postgres) == {
        "columns": columns,
        "dags": [("etl",), ("reports",)],
        "bundles": [("main",), ("second",)],
    }
    # Airflow's folder has one of that name.
    gone = airflow.tried(str(airflow.place.python), "-P", "-c", "import automations")
    assert "ModuleNotFoundError" in gone.stderr
    assert "automations" not in airflow.airflow("plugins", "--output", "json")
    states = postgres.rows("SELECT dag_id, state FROM dag_run ORDER BY 1", AIRFLOW)
    assert states == [("etl", "success"), ("reports", "success")]
