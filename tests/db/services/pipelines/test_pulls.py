"""Syncs that read a source: pages, crashes, refusals, secrets and schedules."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from automations.adapters.http import GuardedHttpClient
from automations.db.queue import jobs
from automations.db.session import unit_of_work
from automations.db.tables import DataRow, Event, Job, JobKind, PipelineRun
from automations.definitions.pipelines import shape_of
from automations.dispatch.dispatcher import Dispatcher
from automations.dispatch.jobs.registry import Handlers
from automations.domain.tables.columns import TableShape
from automations.errors import Conflict, StepError, ValidationFailed
from automations.kit.values import from_attributes
from automations.launcher.dependabot_source import DependabotSource, alert
from automations.ports import HttpRequest, HttpResponse
from automations.services.integrations import secrets
from automations.services.pipelines import connections, probes, pulls, syncs
from automations.services.pipelines.syncs import Sync
from automations.services.tables import tables
from tests.db.dispatching import Airflow, dispatching
from tests.db.workspace import at_once
from tests.doubles import ports
from tests.waiting import until

TOKEN = "ghp_secret-token-1"
COLUMNS: list[dict[str, Any]] = [
    {"key": "number", "type": "number", "required": True},
    {"key": "package", "type": "text"},
    {"key": "severity", "type": "select", "options": ["low", "medium", "high", "critical"]},
    {"key": "state", "type": "text"},
    {"key": "score", "type": "number"},
    {"key": "created", "type": "datetime"},
    {"key": "link", "type": "url"},
]
FIELDS = {
    "number": "number",
    "package": "dependency.package.name",
    "severity": "security_advisory.severity",
    "state": "state",
    "score": "security_advisory.cvss.score",
    "created": "created_at",
    "link": "html_url",
}


@pytest.fixture
def source() -> Iterator[DependabotSource]:
    alerts = [alert(number) for number in range(1, 8)]
    with DependabotSource(alerts, TOKEN).answering() as answering:
        yield answering


@pytest.fixture
def http(source: DependabotSource) -> GuardedHttpClient:
    return GuardedHttpClient([source.address])


@pytest.fixture
def register(here: str) -> str:
    shape = {"name": "Vulnerability Register", "category": "PIPELINE", "columns": COLUMNS}
    return tables.create(here, TableShape.model_validate(shape)).id


@pytest.fixture
def connection(here: str, register: str, source: DependabotSource) -> str:
    secrets.put(here, "GITHUB_TOKEN", TOKEN)
    return connect(here, register, source)


def connect(here: str, register: str, source: DependabotSource, **config: Any) -> str:
    mapping = {"tableId": register, "keyColumns": ["number"], "fieldMapping": FIELDS}
    given = {
        "name": "Dependabot",
        "connectorType": "http",
        "tables": [mapping],
        "config": {
            "url": source.url,
            "query": {"per_page": 3},
            "headers": {"Accept": "application/vnd.github+json"},
            "auth": {"type": "bearer", "secret": "GITHUB_TOKEN"},
            "paging": {"type": "link"},
            **config,
        },
    }
    return connections.create(here, shape_of(given)).id


def finished(run_id: str, http: Any) -> Sync:
    """The sync, read to its end."""
    while pulls.advance(run_id, http):
        pass
    return from_attributes(Sync, reload(run_id))


def reload(run_id: str) -> PipelineRun:
    with unit_of_work() as session:
        return session.get_one(PipelineRun, run_id)


def kept() -> list[dict[str, Any]]:
    with unit_of_work() as session:
        return sorted(session.scalars(select(DataRow.data)), key=lambda row: int(row["number"]))


def events() -> list[Event]:
    with unit_of_work() as session:
        return list(session.scalars(select(Event).order_by(Event.created_at)))


def job_of(run_id: str) -> Job | None:
    with unit_of_work() as session:
        return session.scalar(select(Job).where(Job.subject_id == run_id))


class Dying:
    """A client whose process dies after some answers, before anything comes of the last one."""

    def __init__(self, http: GuardedHttpClient, answers: int) -> None:
        self._http, self._left = http, answers

    def request(self, request: HttpRequest) -> HttpResponse:
        response = self._http.request(request)
        self._left -= 1
        if self._left < 0:
            raise KeyboardInterrupt
        return response


class Saying:
    """A source with one answer."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def request(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, {"content-type": "application/json"}, self._content, request.url)


class Echoing:
    """A source that says what it was asked with."""

    def __init__(self, status: int) -> None:
        self._status = status

    def request(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(self._status, {}, str(request.query).encode(), request.url)


def test_alerts_of_all_pages_are_rows_and_one_event(
    here: str, register: str, connection: str, source: DependabotSource, http: GuardedHttpClient
) -> None:
    run = finished(pulls.start(here, connection).id, http)
    assert (run.status, run.pages, run.records, run.error) == ("COMPLETED", 3, 7, None)
    assert run.totals == {"created": 7, "updated": 0, "unchanged": 0, "failed": 0}
    assert [row["number"] for row in kept()] == [1, 2, 3, 4, 5, 6, 7]
    assert kept()[0] == {
        "number": 1,
        "package": "django",
        "severity": "high",
        "state": "open",
        "score": 7.5,
        "created": "2022-06-15T07:43:03.000Z",
        "link": "https://github.com/octocat/hello-world/security/dependabot/1",
    }
    (event,) = events()
    assert (event.data["tableId"], event.data["created"]) == (register, 7)
    assert event.data["status"] == "COMPLETED"
    source.alerts[0]["state"] = "dismissed"
    source.alerts.append(alert(8))
    again = finished(pulls.start(here, connection).id, http)
    assert again.totals == {"created": 1, "updated": 1, "unchanged": 6, "failed": 0}
    assert len(events()) == 2


@pytest.mark.parametrize("answers", [0, 1, 2])
def test_a_sync_goes_on_after_a_crash_without_doubles(
    here: str, connection: str, http: GuardedHttpClient, source: DependabotSource, answers: int
) -> None:
    run = pulls.start(here, connection)
    with pytest.raises(KeyboardInterrupt):
        finished(run.id, Dying(http, answers))
    assert reload(run.id).status == "RUNNING"
    asked = len(source.asked)
    done = finished(run.id, http)
    assert (done.status, done.pages, done.records) == ("COMPLETED", 3, 7)
    assert len(source.asked) - asked == 3 - answers
    assert done.totals["created"] == 7
    assert len(events()) == 1


def test_a_page_that_two_workers_have_read_is_written_once(
    here: str, connection: str, http: GuardedHttpClient
) -> None:
    run = pulls.start(here, connection)
    for _ in range(4):
        at_once(*[lambda: pulls.advance(run.id, http)] * 3)
    done = reload(run.id)
    assert (done.status, done.pages, done.records) == ("COMPLETED", 3, 7)
    assert (len(kept()), len(events())) == (7, 1)


def test_a_changed_connection_is_read_from_the_first_page_again(
    here: str, connection: str, http: GuardedHttpClient, source: DependabotSource
) -> None:
    run = pulls.start(here, connection)
    assert pulls.advance(run.id, http)
    connections.update(here, connection, {"name": "Renamed"})
    assert reload(run.id).cursor is None
    done = finished(run.id, http)
    assert (done.status, done.pages, len(source.asked)) == ("COMPLETED", 3, 4)
    assert done.totals["created"] == 7


def test_one_sync_of_a_connection_runs_at_a_time_and_can_be_stopped(
    here: str, connection: str, http: GuardedHttpClient
) -> None:
    run = pulls.start(here, connection)
    with pytest.raises(Conflict, match=run.id):
        pulls.start(here, connection)
    assert pulls.start_all(here) == []
    pulls.advance(run.id, http)
    stopped = syncs.stop(here, connection, run.id)
    assert (stopped.status, job_of(run.id)) == ("STOPPED", None)
    assert not pulls.advance(run.id, http)
    assert [event.data["created"] for event in events()] == [3]
    (begun,) = pulls.start_all(here)
    assert finished(begun.id, http).status == "COMPLETED"


@pytest.mark.parametrize("page", ["next", "refused"])
def test_a_source_that_changes_while_it_is_read_is_read_once_more(
    here: str, connection: str, http: GuardedHttpClient, page: str
) -> None:
    first = pulls.start(here, connection)
    pulls.advance(first.id, http)
    for number in range(3):
        with unit_of_work() as session:
            told = pulls.trigger(session, here, connection, f"change {number}")
        assert (told[0].id, told[1]) == (first.id, False)
    if page == "next":
        finished(first.id, http)
    else:
        pulls.note(first.id, StepError("Refused.", kind="status"))
    with unit_of_work() as session:
        ended, second = session.scalars(select(PipelineRun).order_by(PipelineRun.started_at))
    assert (ended.status, second.started_by) == (
        "COMPLETED" if page == "next" else "FAILED",
        "webhook",
    )
    assert job_of(second.id) is not None
    assert finished(second.id, http).status == "COMPLETED"
    with unit_of_work() as session:
        assert len(session.scalars(select(PipelineRun)).all()) == 2


def test_a_sync_that_was_stopped_is_not_followed(
    here: str, connection: str, http: GuardedHttpClient
) -> None:
    run = pulls.start(here, connection)
    with unit_of_work() as session:
        pulls.trigger(session, here, connection, None)
    syncs.stop(here, connection, run.id)
    with unit_of_work() as session:
        assert len(session.scalars(select(PipelineRun)).all()) == 1


def test_a_sync_of_a_connection_that_is_gone_ends_quietly(
    here: str, connection: str, http: GuardedHttpClient
) -> None:
    run = pulls.start(here, connection)
    pulls.advance(run.id, http)
    connections.delete(here, connection)
    assert not pulls.advance(run.id, http)
    assert len(kept()) == 3


def handle(run_id: str, http: Any) -> None:
    """Carry the sync's job once, as a dispatcher does."""
    with unit_of_work() as session:
        session.execute(update(Job).values(available_at=Job.created_at))
        (job,) = jobs.claim(session, 10, ("sync_pipeline",))
    dispatcher = Dispatcher(ports(), ports(http=http))  # type: ignore[arg-type]  # no Airflow
    dispatcher._handle(job)


@pytest.mark.parametrize(
    ("status", "headers", "least"),
    [
        (429, {"Retry-After": "7"}, 7),
        (403, {"Retry-After": "9"}, 9),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "{soon}"}, 19),
        (503, {}, 0),
    ],
)
def test_a_source_that_is_busy_is_asked_again_when_it_wishes(
    here: str,
    connection: str,
    http: GuardedHttpClient,
    source: DependabotSource,
    status: int,
    headers: dict[str, str],
    least: int,
) -> None:
    before = datetime.now(UTC)
    soon = str(int(before.timestamp()) + 20)
    source.refusals.append((status, {k: v.format(soon=soon) for k, v in headers.items()}))
    run = pulls.start(here, connection)
    handle(run.id, http)
    job, waiting = job_of(run.id), reload(run.id)
    assert job is not None
    with unit_of_work() as session:
        pause = jobs.seconds_to_next(session, ("sync_pipeline",))
    assert pause is not None
    assert pause < 60
    assert job.available_at > before + timedelta(seconds=least)
    assert (waiting.status, str(status) in str(waiting.error)) == ("RUNNING", True)
    handle(run.id, http)
    assert (reload(run.id).pages, reload(run.id).error) == (1, None)
    handle(run.id, http)
    done = reload(run.id)
    assert (done.status, done.records, done.error) == ("COMPLETED", 7, None)
    assert job_of(run.id) is None


def test_what_cannot_get_better_ends_the_sync_with_its_reason_and_announces_its_rows(
    here: str, connection: str, http: GuardedHttpClient, source: DependabotSource
) -> None:
    run = pulls.start(here, connection)
    pulls.advance(run.id, http)
    source.token = "another"
    handle(run.id, http)
    ended = reload(run.id)
    assert ended.status == "FAILED"
    assert "401" in str(ended.error)
    assert "Bad credentials" in str(ended.error)
    assert job_of(run.id) is None
    (event,) = events()
    assert (event.data["status"], event.data["created"]) == ("FAILED", 3)


def test_a_sync_whose_source_stays_away_is_given_up(
    here: str, connection: str, source: DependabotSource, http: GuardedHttpClient
) -> None:
    source.refusals.extend([(500, {})] * 20)
    run = pulls.start(here, connection)
    for _ in range(12):
        handle(run.id, http)
    ended = reload(run.id)
    assert (ended.status, "500" in str(ended.error)) == ("FAILED", True)


BROKEN = {
    "a NUL": r'"a\u0000b"',
    "half a pair": r'"\ud800"',
    "a number with too many digits": "0.12345678901234567890123",
    "no number": "NaN",
    "digits without an end": "9" * 5_000,
    "a key that comes twice": '{"a": 1, "a": 2}',
    "lists in lists": "[" * 200 + "]" * 200,
}
"""Values that cannot be kept, as sources send them."""


@pytest.mark.parametrize("value", BROKEN.values(), ids=list(BROKEN))
def test_a_record_that_cannot_be_kept_costs_none_of_the_others(
    here: str, register: str, source: DependabotSource, value: str
) -> None:
    secrets.put(here, "GITHUB_TOKEN", TOKEN)
    # What no column is filled with may be anything.
    records = (
        '{"number": 1, "state": "open"}',
        f'{{"number": 2, "state": {value}}}',
        f'{{"number": 3, "state": "fixed", "more": {value}}}',
        f'{{"number": {value}, "state": "open"}}',
    )
    answer = Saying(f"[{','.join(records)}]".encode())
    connection = connect(here, register, source)
    ended = finished(pulls.start(here, connection).id, answer)
    assert (ended.status, ended.totals["created"], ended.totals["failed"]) == ("COMPLETED", 2, 2)
    assert [(row["number"], row["state"]) for row in kept()] == [(1, "open"), (3, "fixed")]
    assert [(error["record"], list(error["fieldErrors"])) for error in ended.errors] == [
        (1, ["data.state"]),
        (3, ["data.number"]),
    ]
    config = connections.get(here, connection).config
    shown = probes.fields(here, "http", config, answer)
    assert shown["state"] == "open"


def test_an_answer_whose_list_cannot_be_kept_fails_the_sync(
    here: str, register: str, source: DependabotSource
) -> None:
    secrets.put(here, "GITHUB_TOKEN", TOKEN)
    answer = Saying(b'{"all": [{"number": 1}], "all": []}')
    run = pulls.start(here, connect(here, register, source, recordsPath="all"))
    with pytest.raises(StepError, match="'all' of the answer is there twice in one object"):
        pulls.advance(run.id, answer)


class TestConfig:
    @pytest.fixture(autouse=True)
    def _token(self, here: str) -> None:
        secrets.put(here, "GITHUB_TOKEN", TOKEN)

    @pytest.mark.parametrize(
        ("config", "message"),
        [
            ({"maxPages": 2}, "more than 2 pages"),
            ({"maxBytes": 500}, "more than 500 bytes"),
            ({"recordsPath": "data"}, "has no 'data'"),
            ({"auth": {"type": "bearer", "secret": "NOT_SET"}}, "no secret NOT_SET"),
            ({"paging": {"type": "page"}}, "more than 3 pages"),
        ],
    )
    def test_limits_and_shapes_are_kept(
        self,
        here: str,
        register: str,
        source: DependabotSource,
        http: GuardedHttpClient,
        config: dict[str, Any],
        message: str,
    ) -> None:
        connection = connect(here, register, source, **{"maxPages": 3, **config})
        run = pulls.start(here, connection)
        handle(run.id, http)
        assert reload(run.id).status == "FAILED"
        assert message in str(reload(run.id).error)

    def test_a_private_address_is_out_of_reach(
        self, here: str, register: str, source: DependabotSource
    ) -> None:
        run = pulls.start(here, connect(here, register, source))
        handle(run.id, GuardedHttpClient())
        assert "not a public address" in str(reload(run.id).error)

    def test_a_secret_is_kept_in_no_record_of_a_sync(
        self, here: str, register: str, source: DependabotSource, http: GuardedHttpClient
    ) -> None:
        auth = {"type": "query", "name": "key", "secret": "GITHUB_TOKEN"}
        headers = {"Authorization": f"Bearer {TOKEN}"}
        connection = connect(here, register, source, auth=auth, headers=headers)
        run = pulls.start(here, connection)
        pulls.advance(run.id, http)
        assert f"key={TOKEN}" in source.asked[0]
        assert TOKEN not in str(reload(run.id).cursor)
        pulls.advance(run.id, http)
        assert f"key={TOKEN}" in source.asked[1]
        handle(run.id, Echoing(403))
        failed = str(reload(run.id).error)
        assert ("403" in failed, "***" in failed, TOKEN in failed) == (True, True, False)

    def test_a_source_is_probed_before_it_is_synced(
        self, here: str, register: str, source: DependabotSource, http: GuardedHttpClient
    ) -> None:
        connection = connect(here, register, source)
        config = connections.get(here, connection).config
        assert probes.problem(here, "http", config, http) is None
        found = probes.fields(here, "http", config, http)
        assert found["security_advisory.cvss.score"] == 7.5
        assert found["dependency.package.name"] == "semver"
        source.token = "another"
        assert "401" in str(probes.problem(here, "http", config, http))
        assert probes.problem(here, "push", {}, http) is None
        with pytest.raises(ValidationFailed):
            probes.problem(here, "http", {}, http)
        assert kept() == []


def test_a_schedule_begins_syncs_again_and_again(
    here: str, connection: str, http: GuardedHttpClient
) -> None:
    assert job_of(connection) is None
    connections.update(here, connection, {"interval": "PT1H"})
    handlers = Handlers(ports(), ports(http=http))  # type: ignore[arg-type]  # no Airflow
    with unit_of_work() as session:
        pause = jobs.seconds_to_next(session, ("schedule_pipeline",))
        assert pause is not None
        assert 3500 < pause <= 3600
        session.execute(update(Job).values(available_at=Job.created_at))
        (job,) = jobs.claim(session, 5, JobKind)
    handlers.handle(job)
    handlers.handle(job)
    with unit_of_work() as session:
        (run,) = session.scalars(select(PipelineRun))
        pause = jobs.seconds_to_next(session, ("schedule_pipeline",))
    assert run.started_by == "schedule"
    assert pause is not None
    assert 3500 < pause <= 3600
    assert finished(run.id, http).status == "COMPLETED"
    connections.update(here, connection, {"interval": None})
    assert job_of(connection) is None
    handlers.handle(job)
    assert job_of(connection) is None


def test_a_dispatcher_reads_a_source_to_its_end(
    here: str, connection: str, http: GuardedHttpClient
) -> None:
    run = pulls.start(here, connection)
    with dispatching(Airflow(), http=http):
        until("the sync to end", lambda: reload(run.id).status != "RUNNING")
    assert reload(run.id).status == "COMPLETED"
