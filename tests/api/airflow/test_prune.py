"""The command that deletes old runs, here and in Airflow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from api_bridge import prune
from automations.db.session import unit_of_work
from automations.db.tables import Run
from automations.definitions.published import dag_id
from automations.domain.statuses import RunStatus
from automations.launcher.cli import main
from tests.api.airflow.airflow_server import Airflow
from tests.db.runs import begin
from tests.environment import Environment

BEFORE = (datetime.now(UTC) - timedelta(days=90)).isoformat()


@pytest.fixture
def run(
    database: str,
    airflow: Airflow,
    environment: Environment,
) -> Run:
    """An old run, and an Airflow that knows it."""
    environment.set(AUTOMATIONS_AIRFLOW_URL=f"http://127.0.0.1:{airflow.server_port}")
    made = begin()
    with unit_of_work() as session:
        old = session.get_one(Run, made.id)
        old.status = RunStatus.COMPLETED
        old.completed_at = old.dispatched_at = datetime.now(UTC) - timedelta(days=100)
    airflow.answers["DELETE", path(made)] = (204, None)
    return made


def path(run: Run) -> str:
    return f"/dags/{dag_id(run.workflow_id)}/dagRuns/{run.id}"


def is_there(run: Run) -> bool:
    with unit_of_work() as session:
        return session.get(Run, run.id) is not None


def test_a_dry_run_says_what_would_go_and_deletes_nothing(
    run: Run,
    airflow: Airflow,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert prune.main(["--before", BEFORE, "--dry-run"]) == 0
    assert "Would be deleted" in (shown := capsys.readouterr().out)
    assert "           1  run\n" in shown
    assert is_there(run)
    assert airflow.asked == []


def test_a_run_goes_with_its_dag_run(
    run: Run,
    airflow: Airflow,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert prune.main(["--before", BEFORE]) == 0
    assert "           1  run\n" in capsys.readouterr().out
    assert not is_there(run)
    assert [asked[:2] for asked in airflow.asked] == [("DELETE", path(run))]


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_that_nothing_is_old_enough_is_said(
    run: Run, airflow: Airflow, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert prune.main(["--before", "2000-01-01T00:00:00+00:00", *options]) == 0
    assert capsys.readouterr().out == "Nothing is older than 2000-01-01T00:00:00+00:00.\n"


def test_without_airflow_the_run_stays_unless_its_dag_run_may_be_kept(
    run: Run, environment: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.set(AUTOMATIONS_AIRFLOW_URL="http://127.0.0.1:1")
    assert prune.main(["--before", BEFORE]) == 1
    assert "--keep-dag-runs" in capsys.readouterr().err
    assert is_there(run)
    assert prune.main(["--before", BEFORE, "--keep-dag-runs"]) == 0
    assert not is_there(run)


@pytest.mark.parametrize("age", ["90", "0d", "-1d", "d", "1y", "P90D", ""])
def test_an_age_that_is_none_is_refused(age: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["prune", f"--older-than={age}"])
    assert "such as 48h, 90d or 12w" in capsys.readouterr().err
