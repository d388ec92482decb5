"""A route in Airflow's api-server that makes many DagRuns in one transaction.

The public API makes one by request, each with its own sign-in, session, commit and some fifteen
statements. This one makes what the public route makes, with the same permission, by few statements
for all of them. A run that is there is left as it is, and one that cannot be made harms no other:
what cannot be made together is made one by one.

Of a run that was begun elsewhere the tasks that were done there are made as done, in the same
transaction, so that the scheduler begins the others alone, or none where the run has ended.
"""

from __future__ import annotations

import json
import logging
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple

from airflow import settings
from airflow._shared.secrets_masker import secrets_masker
from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.common.dagbag import DagBagDep
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models import DagModel, DagRun, Log, TaskInstance
from airflow.models.asset import AssetEvent
from airflow.models.dag_version import DagVersion
from airflow.models.tasklog import LogTemplate
from airflow.sdk.exceptions import AirflowException
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from fastapi import HTTPException, status
from pendulum import instance
from pydantic import BaseModel, Field
from sqlalchemy import func, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from automations.ports import DoneBefore, SourceEvent
from automations.settings import get_settings
from automations_airflow import airflow_versions
from automations_airflow.scheduler.resting import CHANNEL
from automations_airflow.server import begun_runs, source_events
from automations_airflow.server.app_factory import Name, Text, Value, new_app

log = logging.getLogger(__name__)

MAX_RUNS = 200
"""Runs of one request: its transaction takes a second or two, not a minute."""
_MAX_VERSIONS = 20
"""Versions of a DAG: a run that was begun elsewhere comes soon after."""
_PLAIN_ID = re.compile(r"[a-z0-9]{1,200}")
"""Of runs of ours: nothing is to be checked of it, as Airflow does of others."""

app = new_app()


class NewRun(BaseModel):
    """A DagRun that is wanted."""

    dag_id: Name
    run_id: Name
    conf: Value
    note: Annotated[Text, Field(max_length=1_000)] | None = None
    by: Annotated[Text, Field(max_length=500)] | None = None
    """Who or what has started it, where the bridge says so of whom it makes it for."""
    before: DoneBefore | None = None
    source: SourceEvent | None = None


class Batch(BaseModel):
    """DagRuns that are wanted."""

    runs: list[NewRun] = Field(max_length=MAX_RUNS)


class CreationResult(BaseModel):
    """What has become of one: it is there, its DAG or its version is not, or it was refused."""

    run_id: str
    outcome: Literal["there", "unknown", "gone", "refused"]
    reason: str | None = None


class _Structure(NamedTuple):
    """A version of a DAG as Airflow stores it."""

    dag: SerializedDAG
    dag_version: DagVersion | None
    bundle_version: str | None


class Refused(Exception):
    """A run may not be made; the message says why."""


@app.post("/runs")
def make(
    batch: Batch, dags: DagBagDep, user: GetUserDep, session: SessionDep
) -> list[CreationResult]:
    """Make DagRuns, or say of each why it was not made."""
    is_bridge = user.get_name() == get_settings().airflow_username
    if not is_bridge and any(run.before or run.source for run in batch.runs):
        # Who may start a run has not done its steps by that, and its approvals least of all.
        raise HTTPException(status.HTTP_403_FORBIDDEN, "Begun runs are for the bridge to make.")
    dag_ids = {run.dag_id for run in batch.runs}
    for dag_id in dag_ids:
        details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id, session=session))
        if not get_auth_manager().is_authorized_dag(
            method="POST", access_entity=DagAccessEntity.RUN, details=details, user=user
        ):
            raise HTTPException(status.HTTP_403_FORBIDDEN, f"You make no runs of {dag_id}.")
    query = select(DagModel).where(~DagModel.is_stale, DagModel.dag_id.in_(dag_ids))
    models = {model.dag_id: model for model in session.scalars(query)}
    dag_versions = {
        dag_id: (model, dag)
        for dag_id, model in models.items()
        if (dag := dags.get_latest_version_of_dag(dag_id, session=session)) is not None
    }
    existing = _existing_keys(session, batch.runs)
    maker = _DagRunCreator(session, dag_versions, user.get_name(), dags)
    existing |= maker.make_together([run for run in batch.runs if _key(run) not in existing])
    answers = [
        CreationResult(run_id=run.run_id, outcome="there")
        if _key(run) in existing
        else maker.make(run)
        for run in batch.runs
    ]
    # Of runs that have ended before, the scheduler has nothing to do.
    goes_on = any(run.before is None or run.before.ended is None for run in batch.runs)
    if goes_on and session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_notify(CHANNEL, "")))
    return answers


def _key(run: NewRun) -> tuple[str, str]:
    return run.dag_id, run.run_id


def _existing_keys(session: Session, runs: Sequence[NewRun]) -> set[tuple[str, str]]:
    keys = tuple_(DagRun.dag_id, DagRun.run_id).in_([_key(run) for run in runs])
    rows = session.execute(select(DagRun.dag_id, DagRun.run_id).where(keys))
    return {(row.dag_id, row.run_id) for row in rows}


class _DagRunCreator:
    """Makes the DagRuns of one request."""

    def __init__(
        self,
        session: Session,
        dag_versions: Mapping[str, tuple[DagModel, SerializedDAG]],
        user_name: str,
        dags: Any,
    ) -> None:
        self._session = session
        self._known = dag_versions
        self._user_name = user_name
        self._dags = dags
        self._of_versions: dict[tuple[str, int], _Structure | None] = {}
        self._sources: dict[tuple[str, str], list[AssetEvent]] = {}

    def make(self, run: NewRun) -> CreationResult:
        """Make one as the public route does, unless it can be made as it stands."""
        if run.dag_id not in self._known:
            return CreationResult(run_id=run.run_id, outcome="unknown")
        if not self._has_version(run):
            return CreationResult(run_id=run.run_id, outcome="gone")
        if run.before is not None and self.make_together([run]):
            return CreationResult(run_id=run.run_id, outcome="there")
        try:
            dag = self._check(run)
            if run.before is not None and run.before.exact:
                raise Refused(f"It cannot be made of version {run.before.version} now.")
            now = datetime.now(UTC)
            with self._session.begin_nested():
                row = dag.create_dagrun(
                    run_id=run.run_id,
                    **_logical_date(dag, now),
                    run_after=now,
                    conf=run.conf,
                    **self._origin(run),
                    triggering_user_name=self._started_by(run),
                    state=DagRunState.QUEUED,
                    note=run.note,
                    session=self._session,
                )
                row.consumed_asset_events = self._consumed_events(run)
                self._session.add(self._log_entry(run))
        except IntegrityError as error:
            # Most often somebody else has made it meanwhile.
            if not _existing_keys(self._session, [run]):
                # Its other lines hold the whole row.
                reason = str(error.orig).partition("\n")[0]
                return CreationResult(run_id=run.run_id, outcome="refused", reason=reason)
        except Refused as refused:
            return CreationResult(run_id=run.run_id, outcome="refused", reason=str(refused))
        except Exception as error:  # it is told, and the others are made
            log.warning("%s of %s cannot be made", run.run_id, run.dag_id, exc_info=True)
            return CreationResult(run_id=run.run_id, outcome="refused", reason=_error_text(error))
        return CreationResult(run_id=run.run_id, outcome="there")

    def make_together(self, runs: Sequence[NewRun]) -> set[tuple[str, str]]:
        """Make those that are as ours are by few statements; returns which are there now."""
        plain = {_key(run): run for run in runs if self._is_plain(run)}
        alone = len(plain) < 2 and all(run.before is None for run in plain.values())
        if not plain or alone or not self._can_batch():
            return set()
        try:
            with self._session.begin_nested():
                self._insert(list(plain.values()))
        except Exception:  # whatever it is, each by itself says which of them has it
            log.info("Making runs one by one", exc_info=True)
            return set()
        return set(plain)

    @staticmethod
    def _can_batch() -> bool:
        # A hook that changes tasks is given each by itself.
        hook = settings.task_instance_mutation_hook
        return airflow_versions.is_tested() and bool(getattr(hook, "is_noop", False))

    def _is_plain(self, run: NewRun) -> bool:
        try:
            dag = self._check(run)
            if not self._has_version(run):
                return False
            # What was begun has been held against what is asked of it.
            if run.before is None:
                dag.params.deep_merge(run.conf).validate()
        except Exception:  # noqa: BLE001 -- what is wrong is said of it where it is made alone
            return False
        return _PLAIN_ID.fullmatch(run.run_id) is not None and not dag.deadline

    def _check(self, run: NewRun) -> SerializedDAG:
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
        structures = {_key(run): self._structure(run) for run in runs}
        now, of_dag = datetime.now(UTC), defaultdict[str, int](int)
        rows = []
        for run in runs:
            structure = structures[_key(run)]
            # Airflow has each date but once for a DAG.
            of_dag[run.dag_id] += 1
            date = now + timedelta(microseconds=of_dag[run.dag_id])
            row = DagRun(
                dag_id=run.dag_id,
                run_id=run.run_id,
                **_logical_date(structure.dag, date),
                run_after=now,
                conf=run.conf,
                state=DagRunState.QUEUED,
                **self._origin(run),
                triggering_user_name=self._started_by(run),
                bundle_version=structure.bundle_version,
                note=run.note,
            )
            row.log_template_id = template
            row.created_dag_version = structure.dag_version
            row.consumed_asset_events = self._consumed_events(run)
            if run.before is not None:
                begun_runs.end(row, run.before)
            rows.append(row)
        self._session.add_all([*rows, *(self._log_entry(run) for run in runs)])
        self._session.flush()
        tasks = [
            task
            for row, run in zip(rows, runs, strict=True)
            for task in begun_runs.as_done(
                _tasks(self._session, row, structures[_key(run)].dag), run.before
            )
        ]
        self._session.bulk_insert_mappings(TaskInstance.__mapper__, tasks)
        begun = [
            begun_runs.BegunRun(row, structures[_key(run)].dag, run.before)
            for row, run in zip(rows, runs, strict=True)
            if run.before is not None
        ]
        begun_runs.show(self._session, begun)

    def _structure(self, run: NewRun) -> _Structure:
        """The version of its DAG that a run is made of: its own where it has one, or the newest."""
        if run.before is not None:
            own = self._structure_at(run.dag_id, run.before.version)
            if own is not None:
                return own
        model, dag = self._known[run.dag_id]
        newest = DagVersion.get_latest_version(run.dag_id, session=self._session)
        bundle_version = None if dag.disable_bundle_versioning else model.bundle_version
        return _Structure(dag, newest, bundle_version)

    def _has_version(self, run: NewRun) -> bool:
        before = run.before
        return (
            before is None
            or not before.exact
            or self._structure_at(run.dag_id, before.version) is not None
        )

    def _structure_at(self, dag_id: str, version: int) -> _Structure | None:
        """A DAG as it was at a version of the automation; None when Airflow does not know that."""
        key = dag_id, version
        if key not in self._of_versions:
            self._of_versions[key] = self._find_structure(dag_id, version)
        return self._of_versions[key]

    def _find_structure(self, dag_id: str, version: int) -> _Structure | None:
        query = select(DagVersion).where(DagVersion.dag_id == dag_id)
        newest_first = query.order_by(DagVersion.version_number.desc()).limit(_MAX_VERSIONS)
        for dag_version in self._session.scalars(newest_first):
            dag = self._dags.get_dag(dag_version.id, session=self._session)
            if dag is not None and dag.timetable.description.endswith(f"; version {version}"):
                return _Structure(dag, dag_version, dag_version.bundle_version)
        return None

    def _consumed_events(self, run: NewRun) -> list[AssetEvent]:
        """The event of an asset that has started it, in a list; none where that is gone."""
        if run.source is None:
            return []
        if _key(run) not in self._sources:
            event = source_events.find(self._session, run.source)
            self._sources[_key(run)] = [] if event is None else [event]
        return self._sources[_key(run)]

    def _origin(self, run: NewRun) -> dict[str, Any]:
        """Of which type it is: Airflow shows the events of those alone that are by an asset."""
        if self._consumed_events(run):
            run_type, by = DagRunType.ASSET_TRIGGERED, DagRunTriggeredByType.ASSET
        else:
            run_type, by = DagRunType.MANUAL, DagRunTriggeredByType.REST_API
        return {"run_type": run_type, "triggered_by": by}

    def _started_by(self, run: NewRun) -> str:
        """Whom Airflow shows: others than the bridge speak for themselves alone."""
        is_bridge = self._user_name == get_settings().airflow_username
        return run.by if is_bridge and run.by else self._user_name

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


def _error_text(error: Exception) -> str:
    """What the caller is told of an error: its text only where that is written for people."""
    kind = type(error).__name__
    if isinstance(error, AirflowException | ValueError):
        return f"{kind}: {secrets_masker.redact(str(error))}"
    return f"{kind}: the log of Airflow's server says more."


def _logical_date(dag: SerializedDAG, date: datetime) -> dict[str, Any]:
    """The logical date of a run, as of one that is made in Airflow's UI.

    By it Airflow counts runs on its home page and in its calendar, and marks a run's past and
    future.
    """
    interval = dag.timetable.infer_manual_data_interval(run_after=instance(date))
    return {"logical_date": date, "data_interval": interval}


def _tasks(session: Session, row: DagRun, dag: SerializedDAG) -> Iterator[dict[str, Any]]:
    row.dag = dag
    creator = row._get_task_creator(
        defaultdict(int), settings.task_instance_mutation_hook, True, row.created_dag_version.id
    )
    yield from row._create_tasks(dag.task_dict.values(), creator, session=session)
