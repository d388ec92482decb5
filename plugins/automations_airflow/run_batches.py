"""A route in Airflow's api-server that makes many DagRuns in one transaction.

The public API makes one by request, each with its own sign-in, session, commit and some fifteen
statements. This one makes what the public route makes, with the same permission, by few statements
for all of them. A run that is there is left as it is, and one that cannot be made harms no other:
what cannot be made together is made one by one.
"""

from __future__ import annotations

import json
import logging
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from airflow import settings
from airflow._shared.secrets_masker import secrets_masker
from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.common.dagbag import DagBagDep
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models import DagModel, DagRun, Log, TaskInstance
from airflow.models.dag_version import DagVersion
from airflow.models.tasklog import LogTemplate
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from fastapi import FastAPI, HTTPException, status
from pydantic import BaseModel, Field
from sqlalchemy import func, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from automations_airflow import airflow_versions
from automations_airflow.resting import CHANNEL

log = logging.getLogger(__name__)

MOST = 200
"""Runs of one request: its transaction takes a second or two, not a minute."""
_PLAIN_ID = re.compile(r"[a-z0-9]{1,200}")
"""Of runs of ours: nothing is to be checked of it, as Airflow does of others."""

app = FastAPI(title="Automations", openapi_url=None, docs_url=None, redoc_url=None)


class NewRun(BaseModel):
    """A DagRun that is wanted."""

    dag_id: str
    run_id: str
    conf: dict[str, Any]
    note: str | None = Field(None, max_length=1_000)


class Batch(BaseModel):
    """DagRuns that are wanted."""

    runs: list[NewRun] = Field(max_length=MOST)


class Made(BaseModel):
    """What has become of one: it is there, its DAG is not, or it was refused for a reason."""

    run_id: str
    outcome: Literal["there", "unknown", "refused"]
    reason: str | None = None


class Refused(Exception):
    """A run may not be made; the message says why."""


@app.post("/runs")
def make(batch: Batch, dags: DagBagDep, user: GetUserDep, session: SessionDep) -> list[Made]:
    """Make DagRuns, or say of each why it was not made."""
    wanted = {run.dag_id for run in batch.runs}
    for dag_id in wanted:
        details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id, session=session))
        if not get_auth_manager().is_authorized_dag(
            method="POST", access_entity=DagAccessEntity.RUN, details=details, user=user
        ):
            raise HTTPException(status.HTTP_403_FORBIDDEN, f"You make no runs of {dag_id}.")
    found = select(DagModel).where(~DagModel.is_stale, DagModel.dag_id.in_(wanted))
    models = {model.dag_id: model for model in session.scalars(found)}
    known = {
        dag_id: (model, dag)
        for dag_id, model in models.items()
        if (dag := dags.get_latest_version_of_dag(dag_id, session=session)) is not None
    }
    there = _there(session, batch.runs)
    maker = _Maker(session, known, user.get_name())
    there |= maker.make_together([run for run in batch.runs if _key(run) not in there])
    answers = [
        Made(run_id=run.run_id, outcome="there") if _key(run) in there else maker.make(run)
        for run in batch.runs
    ]
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_notify(CHANNEL, "")))
    return answers


def _key(run: NewRun) -> tuple[str, str]:
    return run.dag_id, run.run_id


def _there(session: Session, runs: Sequence[NewRun]) -> set[tuple[str, str]]:
    keys = tuple_(DagRun.dag_id, DagRun.run_id).in_([_key(run) for run in runs])
    known = session.execute(select(DagRun.dag_id, DagRun.run_id).where(keys))
    return {(row.dag_id, row.run_id) for row in known}


class _Maker:
    """Makes the DagRuns of one request."""

    def __init__(
        self,
        session: Session,
        known: Mapping[str, tuple[DagModel, SerializedDAG]],
        user_name: str,
    ) -> None:
        self._session = session
        self._known = known
        self._user_name = user_name

    def make(self, run: NewRun) -> Made:
        """Make one as the public route does."""
        if run.dag_id not in self._known:
            return Made(run_id=run.run_id, outcome="unknown")
        try:
            dag = self._checked(run)
            with self._session.begin_nested():
                dag.create_dagrun(
                    run_id=run.run_id,
                    logical_date=None,
                    run_after=datetime.now(UTC),
                    conf=run.conf,
                    run_type=DagRunType.MANUAL,
                    triggered_by=DagRunTriggeredByType.REST_API,
                    triggering_user_name=self._user_name,
                    state=DagRunState.QUEUED,
                    note=run.note,
                    session=self._session,
                )
                self._session.add(self._log_entry(run))
        except IntegrityError as error:
            # Most often somebody else has made it meanwhile.
            if not _there(self._session, [run]):
                return Made(run_id=run.run_id, outcome="refused", reason=str(error.orig))
        except Refused as refused:
            return Made(run_id=run.run_id, outcome="refused", reason=str(refused))
        except Exception as error:  # noqa: BLE001 -- it is told, and the others are made
            reason = f"{type(error).__name__}: {error}"
            return Made(run_id=run.run_id, outcome="refused", reason=reason)
        return Made(run_id=run.run_id, outcome="there")

    def make_together(self, runs: Sequence[NewRun]) -> set[tuple[str, str]]:
        """Make those that are as ours are by few statements; returns which are there now."""
        plain = {_key(run): run for run in runs if self._is_plain(run)}
        if len(plain) < 2 or not self._may_be_together():
            return set()
        try:
            with self._session.begin_nested():
                self._insert(list(plain.values()))
        except Exception:  # whatever it is, each by itself says which of them has it
            log.info("Making runs one by one", exc_info=True)
            return set()
        return set(plain)

    @staticmethod
    def _may_be_together() -> bool:
        # A hook that changes tasks is given each by itself.
        hook = settings.task_instance_mutation_hook
        return airflow_versions.is_tested() and bool(getattr(hook, "is_noop", False))

    def _is_plain(self, run: NewRun) -> bool:
        try:
            dag = self._checked(run)
            dag.params.deep_merge(run.conf).validate()
        except Exception:  # noqa: BLE001 -- what is wrong is said of it where it is made alone
            return False
        return _PLAIN_ID.fullmatch(run.run_id) is not None and not dag.deadline

    def _checked(self, run: NewRun) -> SerializedDAG:
        if run.dag_id not in self._known:
            raise Refused("The DAG is unknown.")
        model, dag = self._known[run.dag_id]
        if model.has_import_errors:
            raise Refused("The DAG has import errors.")
        if model.allowed_run_types is not None and DagRunType.MANUAL not in model.allowed_run_types:
            raise Refused("The DAG allows no manual runs.")
        return dag

    def _insert(self, runs: Sequence[NewRun]) -> None:
        """What ``create_dagrun`` inserts, for all at once."""
        template = self._session.scalar(select(func.max(LogTemplate.__table__.c.id))) or 0
        versions = {
            dag_id: DagVersion.get_latest_version(dag_id, session=self._session)
            for dag_id in {run.dag_id for run in runs}
        }
        made = []
        for run in runs:
            model, dag = self._known[run.dag_id]
            row = DagRun(
                dag_id=run.dag_id,
                run_id=run.run_id,
                run_after=datetime.now(UTC),
                conf=run.conf,
                state=DagRunState.QUEUED,
                run_type=DagRunType.MANUAL,
                triggered_by=DagRunTriggeredByType.REST_API,
                triggering_user_name=self._user_name,
                bundle_version=None if dag.disable_bundle_versioning else model.bundle_version,
                note=run.note,
            )
            row.log_template_id = template
            row.created_dag_version = versions[run.dag_id]
            row.consumed_asset_events = []
            made.append(row)
        self._session.add_all([*made, *(self._log_entry(run) for run in runs)])
        self._session.flush()
        tasks = [
            task for row in made for task in _tasks(self._session, row, self._known[row.dag_id][1])
        ]
        self._session.bulk_insert_mappings(TaskInstance.__mapper__, tasks)

    def _log_entry(self, run: NewRun) -> Log:
        """What the public route leaves in Airflow's audit log."""
        return Log(
            event="trigger_dag_run",
            task_instance=None,
            owner=self._user_name,
            owner_display_name=self._user_name,
            dag_id=run.dag_id,
            run_id=run.run_id,
            extra=json.dumps({"conf": secrets_masker.redact(run.conf, "conf"), "method": "POST"}),
        )


def _tasks(session: Session, row: DagRun, dag: SerializedDAG) -> Iterator[dict[str, Any]]:
    row.dag = dag
    creator = row._get_task_creator(
        defaultdict(int), settings.task_instance_mutation_hook, True, row.created_dag_version.id
    )
    yield from row._create_tasks(dag.task_dict.values(), creator, session=session)
