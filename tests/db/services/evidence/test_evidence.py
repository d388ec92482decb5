"""Evidence on a real database: chained under concurrency, once per key, and no change hidden."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from automations.db.session import unit_of_work
from automations.db.tables import AuditLog, DataRow, EvidenceSnapshot, SecurityEvent
from automations.domain import evidence as rules
from automations.domain.evidence import hash_of
from automations.domain.statuses import Severity
from automations.domain.tables.columns import TableShape
from automations.errors import StepError
from automations.execution.engine import Engine
from automations.execution.verdicts import GiveUp, Proceed
from automations.kit.clock import timestamp
from automations.launcher.evidence import verify_evidence
from automations.ports import EvidenceReceipt, EvidenceRequest
from automations.services.audit import audit, security_events
from automations.services.evidence import evidence
from automations.services.evidence.evidence import WorkspaceEvidence, verify
from automations.services.tables import rows as table_rows
from automations.services.tables import tables
from tests.db.runs import begin, row, step, task
from tests.db.workspace import member, workspace
from tests.doubles import ports


@pytest.fixture
def home(database: str) -> str:
    return workspace()


@pytest.fixture
def engine(database: str) -> Engine:
    return Engine(ports(evidence=WorkspaceEvidence()))


def capture(home: str, key: str, source: str = "AUDIT_LOGS", **more: Any) -> EvidenceReceipt:
    request = EvidenceRequest(
        workspace_id=home, run_id=None, key=key, source=source, title=key, **more
    )
    return WorkspaceEvidence().capture(request)


def rows(receipt: EvidenceReceipt) -> list[dict[str, Any]]:
    with unit_of_work() as session:
        content = session.scalars(
            select(EvidenceSnapshot.content).where(EvidenceSnapshot.id == receipt.snapshot_id)
        ).one()
    assert hash_of(content) == receipt.sha256
    found: list[dict[str, Any]] = json.loads(content)
    assert len(found) == receipt.row_count
    return found


def record(home: str, action: str, name: str = "ada") -> None:
    with unit_of_work() as session:
        by = audit.Actor("api_key", name, f"id-{name}")
        audit.record(session, action, audit.Resource(home, "thing", "t1"), by=by, n=1)


def chain(home: str) -> list[EvidenceSnapshot]:
    with unit_of_work() as session:
        return list(
            session.scalars(
                select(EvidenceSnapshot)
                .where(EvidenceSnapshot.workspace_id == home)
                .order_by(EvidenceSnapshot.number)
            )
        )


class TestSources:
    def test_audit_logs(self, home: str) -> None:
        record(home, "thing.create")
        record(home, "thing.delete", "bob")
        record(workspace("other"), "thing.create")
        snapshot_rows = rows(capture(home, "all"))
        assert [(line["action"], line["actor"]) for line in snapshot_rows] == [
            ("thing.create", "ada"),
            ("thing.delete", "bob"),
        ]
        assert snapshot_rows[0]["details"] == {"n": 1}
        wanted = {"actor": ["bob", "eve"], "resourceType": "thing"}
        kept = capture(home, "some", filter=wanted, columns=("action",))
        assert rows(kept) == [{"action": "thing.delete"}]

    def test_a_range_of_time_begins_with_its_first_instant_and_ends_before_its_last(
        self, home: str
    ) -> None:
        first = datetime(2026, 3, 1, tzinfo=UTC)
        for day in range(3):
            record(home, f"thing.{day}")
            with unit_of_work() as session:
                session.execute(
                    update(AuditLog)
                    .where(AuditLog.action == f"thing.{day}")
                    .values(at=first + timedelta(days=day))
                )
        snapshot_rows = rows(
            capture(
                home,
                "range",
                since=first + timedelta(days=1),
                until=first + timedelta(days=2),
            )
        )
        assert [line["action"] for line in snapshot_rows] == ["thing.1"]

    def test_security_events(self, home: str) -> None:
        other = workspace("other")
        security_events.note("ssrf.blocked", Severity.HIGH, workspace_id=home, url="x")
        security_events.note("ssrf.blocked", Severity.HIGH, workspace_id=other)
        (found,) = rows(capture(home, "events", "SECURITY_EVENTS", filter={"severity": "HIGH"}))
        assert (found["type"], found["details"], found["count"]) == (
            "ssrf.blocked",
            {"url": "x"},
            1,
        )

    def test_members(self, home: str) -> None:
        member(home, "ada", "OWNER")
        member(home, "bob")
        member(workspace("other"), "eve")
        snapshot_rows = rows(capture(home, "members", "ORG_MEMBERS"))
        assert [(one["name"], one["role"]) for one in snapshot_rows] == [
            ("ada", "OWNER"),
            ("bob", "MEMBER"),
        ]
        later = datetime.now(UTC) + timedelta(days=1)
        assert rows(capture(home, "none", "ORG_MEMBERS", since=later)) == []

    @pytest.mark.parametrize(
        ("more", "message"),
        [
            ({"filter": {"nope": 1}}, "config.filter: there is no nope; there are id, at"),
            ({"columns": ("id", "nope")}, "config.columns: there is no nope"),
            ({"columns": ("nope",), "filter": {"action": "x"}}, "columns: there is no nope"),
        ],
    )
    @pytest.mark.parametrize("lines", [0, 1])
    def test_an_unknown_field_is_named_also_where_there_is_nothing(
        self, home: str, more: dict[str, Any], message: str, lines: int
    ) -> None:
        for _ in range(lines):
            record(home, "thing.create")
        with pytest.raises(StepError, match=message):
            capture(home, "x", **more)
        assert chain(home) == []

    def test_too_much_is_refused(self, home: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rules, "MAX_ROWS", 1)
        record(home, "thing.create")
        record(home, "thing.create")
        with pytest.raises(StepError, match="narrow") as refused:
            capture(home, "x")
        assert refused.value.kind == "too_large"


class TestChain:
    def test_a_repeat_captures_nothing_anew(self, home: str) -> None:
        first = capture(home, "key")
        record(home, "thing.create")
        assert capture(home, "key") == first
        assert len(chain(home)) == 1

    def test_snapshots_at_once_follow_each_other(self, home: str) -> None:
        other = workspace("other")
        with ThreadPoolExecutor(8) as pool:
            list(
                pool.map(
                    lambda n: capture(home if n % 2 else other, f"key{n}", "ORG_MEMBERS"),
                    range(24),
                )
            )
        for one in (home, other):
            links = chain(one)
            assert [link.number for link in links] == list(range(1, 13))
            assert [link.previous_sha256 for link in links] == [
                None,
                *(link.chain_sha256 for link in links[:-1]),
            ]
            verification = verify(one)
            assert (verification.count, verification.head, verification.broken) == (
                12,
                links[-1].chain_sha256,
                None,
            )

    def test_the_same_key_at_once_is_one_snapshot(self, home: str) -> None:
        with ThreadPoolExecutor(4) as pool:
            made = set(pool.map(lambda _: capture(home, "key"), range(8)))
        assert len(made) == len(chain(home)) == 1

    def test_the_capture_is_in_the_audit_log(self, home: str) -> None:
        made = capture(home, "key")
        with unit_of_work() as session:
            line = session.scalars(select(AuditLog)).one()
        assert (line.action, line.resource_id) == ("evidence.capture", made.snapshot_id)
        assert line.details["chainSha256"] == chain(home)[0].chain_sha256


class TestVerify:
    @pytest.fixture(autouse=True)
    def _five(self, home: str) -> None:
        for number in range(5):
            record(home, f"thing.{number}")
            capture(home, f"key{number}")

    def tamper(self, home: str, number: int, **values: Any) -> None:
        with unit_of_work() as session:
            session.execute(
                update(EvidenceSnapshot)
                .where(EvidenceSnapshot.workspace_id == home, EvidenceSnapshot.number == number)
                .values(**values)
            )

    def test_an_untouched_chain_holds(self, home: str) -> None:
        assert verify(home).broken is None
        assert verify(home).count == 5
        assert verify(workspace("empty")).count == 0

    @pytest.mark.parametrize(
        ("values", "reason"),
        [
            ({"content": b"[]"}, "another content"),
            ({"content": b"[]", "sha256": hash_of(b"[]")}, "described differently"),
            ({"title": "Other"}, "described differently"),
            ({"row_count": 99}, "described differently"),
            ({"source": "ORG_MEMBERS"}, "described differently"),
            ({"query": {}}, "described differently"),
            ({"created_at": datetime(2020, 1, 1, tzinfo=UTC)}, "described differently"),
            ({"previous_sha256": "00"}, "does not follow"),
            ({"chain_sha256": "00"}, "described differently"),
        ],
    )
    def test_whatever_is_changed_is_found(
        self, home: str, values: dict[str, Any], reason: str
    ) -> None:
        self.tamper(home, 3, **values)
        verification = verify(home)
        assert verification.broken is not None
        assert (verification.count, verification.broken.number) == (2, 3)
        assert verification.broken.snapshot_id == chain(home)[2].id
        assert reason in verification.broken.reason

    def test_a_link_forged_with_its_hashes_breaks_the_next_one(self, home: str) -> None:
        self.tamper(home, 3, title="Forged")
        forged = chain(home)[2]
        self.tamper(home, 3, chain_sha256=evidence._link(forged).chain_sha256)
        verification = verify(home)
        assert verification.broken is not None
        assert (verification.broken.number, verification.broken.reason) == (
            4,
            "does not follow the snapshot before it",
        )

    @pytest.mark.parametrize("number", [1, 3, 5])
    def test_a_snapshot_that_was_deleted_is_missed(self, home: str, number: int) -> None:
        with unit_of_work() as session:
            session.execute(delete(EvidenceSnapshot).where(EvidenceSnapshot.number == number))
        verification = verify(home)
        assert verification.broken is not None
        assert (verification.broken.number, verification.broken.snapshot_id) == (number, None)
        assert "is missing" in verification.broken.reason


class TestCommand:
    def test_it_ends_with_0_when_every_chain_holds(
        self, home: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        capture(home, "key")
        assert verify_evidence() == 0
        assert f"w: 1 snapshots hold, head {chain(home)[0].chain_sha256}" in capsys.readouterr().out

    def test_it_ends_with_1_and_names_the_first_broken_link(
        self, home: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        made = capture(home, "key")
        with unit_of_work() as session:
            session.execute(update(EvidenceSnapshot).values(title="Forged"))
        assert verify_evidence() == 1
        out = capsys.readouterr().out
        assert f"w: BROKEN: snapshot 1 ({made.snapshot_id}) was described differently" in out


class TestStep:
    def test_a_run_captures_once_whatever_happens(self, engine: Engine) -> None:
        config = {"source": "ORG_MEMBERS", "title": "People"}
        run = begin(step("snap", "evidence_snapshot", 0, config))
        member(run.workspace_id, "ada")
        assert isinstance(engine.run(task(run, "snap")), Proceed)
        (snapshot,) = chain(run.workspace_id)
        assert (snapshot.run_id, snapshot.title, snapshot.row_count) == (run.id, "People", 1)
        done = row(run, "snap")
        assert done is not None
        assert done.output == {
            "rowCount": 1,
            "source": "ORG_MEMBERS",
            "snapshotId": snapshot.id,
            "sha256": snapshot.sha256,
        }

    def test_a_blocked_address_is_a_security_event(self, database: str) -> None:
        class Guard:
            def request(self, request: Any) -> Any:
                raise StepError("10.0.0.1 is not a public address.", kind="blocked")

        engine = Engine(ports(http=Guard()))
        run = begin(step("call", "http_request", 0, {"method": "GET", "url": "http://10.0.0.1/"}))
        assert isinstance(engine.run(task(run, "call")), GiveUp)
        with unit_of_work() as session:
            event = session.scalars(select(SecurityEvent)).one()
        assert (event.type, event.severity, event.actor) == ("ssrf.blocked", "HIGH", "system")
        assert event.workspace_id == run.workspace_id
        assert event.details["runId"] == run.id


def test_the_rows_of_a_table_are_captured_by_filter_and_columns(home: str) -> None:
    column = {"key": "n", "name": "N", "type": "number"}
    table = tables.create(home, TableShape.model_validate({"name": "T", "columns": [column]}))
    with unit_of_work() as session:
        for number in range(3):
            table_rows.add(session, home, table.id, {"n": number})
    wanted = {"rules": [{"field": "n", "operator": "gt", "value": 0}]}
    receipt = capture(home, "k", "TABLE_ROWS", table_id=table.id, filter=wanted, columns=("n",))
    assert rows(receipt) == [{"n": 1}, {"n": 2}]
    with pytest.raises(StepError, match="filter"):
        capture(home, "k2", "TABLE_ROWS", table_id=table.id, filter={"zzz": 1})


def test_no_column_hides_which_row_it_was(home: str) -> None:
    columns = [{"key": key, "type": "text"} for key in ("rowId", "n")]
    table = tables.create(home, TableShape.model_validate({"name": "T", "columns": columns}))
    with unit_of_work() as session:
        made = table_rows.add(session, home, table.id, {"rowId": "forged", "n": "a"})
    for wanted in ((), ("rowId",), ("n", "rowId")):
        with pytest.raises(StepError, match="the table has a column rowId"):
            capture(home, "k", "TABLE_ROWS", table_id=table.id, columns=wanted)
    receipt = capture(home, "k2", "TABLE_ROWS", table_id=table.id, columns=("n", "rowCreatedAt"))
    assert rows(receipt) == [{"n": "a", "rowCreatedAt": timestamp(made.created_at)}]


def test_a_range_of_time_finds_its_rows_behind_more_others_than_a_snapshot_may_hold(
    home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    column = {"key": "n", "name": "N", "type": "number"}
    table = tables.create(home, TableShape.model_validate({"name": "T", "columns": [column]}))
    first = datetime(2026, 3, 1, tzinfo=UTC)
    with unit_of_work() as session:
        for number in range(6):
            made = table_rows.add(session, home, table.id, {"n": number})
            row = session.get_one(DataRow, made.id)
            row.created_at = first + timedelta(days=number)
    monkeypatch.setattr(rules, "MAX_ROWS", 2)
    receipt = capture(
        home,
        "k",
        "TABLE_ROWS",
        table_id=table.id,
        columns=("n",),
        since=first + timedelta(days=3),
        until=first + timedelta(days=5),
    )
    assert rows(receipt) == [{"n": 3}, {"n": 4}]
    with pytest.raises(StepError, match="narrow"):
        capture(home, "k2", "TABLE_ROWS", table_id=table.id, since=first)
