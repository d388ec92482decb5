"""Who decides: a person is one person, by whichever key, session, link or user of Airflow."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, update

from automations.db.session import unit_of_work
from automations.db.tables import Approver, AuditLog, Run, Wait
from automations.domain.people import airflow_user
from automations.domain.principals import Principal
from automations.errors import Conflict, Gone, NotAllowed
from automations.execution.engine import Engine
from automations.execution.verdicts import AskPeople
from automations.services.access import api_keys, people, vouchers
from automations.services.access.members import Member
from automations.services.runs import by_hand, children, replays
from automations.services.waits import decisions
from automations.steps.outcomes import Answer
from automations.tokens import derive_token, hash_token
from tests.db.runs import begin, reload, step, task
from tests.db.workspace import member
from tests.doubles import ports


@pytest.fixture
def engine(database: str) -> Engine:
    return Engine(ports())


@pytest.fixture
def run(engine: Engine) -> Run:
    """A run that will ask."""
    return begin(step("ask", "approval", 0, {"message": "OK?", "allowSelfApproval": False}))


def asked(engine: Engine, **config: Any) -> Run:
    """A run that waits for a decision."""
    begun = begin(step("ask", "approval", 0, {"message": "OK?", **config}))
    assert isinstance(engine.run(task(begun, "ask")), AskPeople)
    return begun


def session_of(person: Member) -> Principal:
    return Principal(
        person.workspace_id, person.role, person.email, member_id=person.id, session_id="s"
    )


def made_key(by: Principal, member_id: str | None = None, role: str = "MEMBER") -> Principal:
    """The holder of a key that somebody has made."""
    _, made = api_keys.create(
        by, name="k", role=role, scopes=None, expires_at=None, member_id=member_id
    )
    return Principal(by.workspace_id, role, "k", key_id=made.id, member_id=made.member_id)


def launcher_key(workspace_id: str) -> Principal:
    api_keys.create_key("ADMIN", "launcher", workspace_id)
    newest = api_keys.page_after(workspace_id, None, 1)[0][0]
    return Principal(workspace_id, "ADMIN", "launcher", key_id=newest.id)


def started_by(run: Run, *identities: str) -> None:
    with unit_of_work() as session:
        session.execute(update(Run).where(Run.id == run.id).values(starters=list(identities)))


def resume(by: Principal, run: Run, decision: str = "approved") -> str:
    return decisions.resume(by, run.id, decision=decision, data=None).status


def by_link(run: Run, address: str, decision: str = "approved") -> None:
    token = derive_token(address)
    with unit_of_work() as session:
        session.execute(
            update(Approver).where(Approver.address == address).values(token_hash=hash_token(token))
        )
    decisions.decide(token, decision=decision, data=None)


def in_airflow(engine: Engine, run: Run, user: str) -> str:
    """The run's status after somebody has approved in Airflow."""
    with unit_of_work() as session:
        wait_id = session.scalars(select(Wait.id).where(Wait.run_id == run.id)).one()
    answer = Answer("approved", f"airflow:{user}", datetime.now(UTC))  # type: ignore[arg-type]
    engine.resume(task(run, "ask"), wait_id, answer)
    return reload(run).status


def votes(run: Run) -> dict[str, str | None]:
    with unit_of_work() as session:
        return {
            approver.address: approver.decision for approver in session.scalars(select(Approver))
        }


class TestIdentities:
    def same(self, workspace_id: str, one: str, other: str) -> bool:
        with unit_of_work() as session:
            found = people.identities(session, workspace_id, [one])
            return not found.isdisjoint(people.identities(session, workspace_id, [other]))

    def test_a_member_is_known_by_key_session_address_and_user(self, run: Run) -> None:
        ada, bob = member(run.workspace_id, "ada"), member(run.workspace_id, "bob")
        own_key = made_key(session_of(member(run.workspace_id, "root", "OWNER")), ada.id)
        ways = [
            f"member:{ada.id}",
            f"key:{own_key.key_id}",
            "mail:ada@b.example",
            "airflow:ada@b.example",
            "airflow:ada",
        ]
        for way in ways:
            for other in ways:
                assert self.same(run.workspace_id, way, other), (way, other)
            assert not self.same(run.workspace_id, way, f"member:{bob.id}"), way

    @pytest.mark.parametrize("user", ["ada", "Ada", "stra\u00dfe", "\u0130nci", "a b"])
    def test_a_user_of_airflow_is_the_same_in_the_console(self, run: Run, user: str) -> None:
        made = vouchers.redeem(vouchers.issue(user, "MEMBER", "")).member
        assert self.same(made.workspace_id, f"member:{made.id}", airflow_user(user))

    def test_a_key_without_a_member_is_its_makers(self, run: Run) -> None:
        root = member(run.workspace_id, "root", "OWNER")
        first = made_key(session_of(root), role="ADMIN")
        second = made_key(first)
        for one in (first, second):
            assert self.same(run.workspace_id, f"key:{one.key_id}", f"member:{root.id}")

    def test_keys_of_the_launcher_are_the_operators(self, run: Run) -> None:
        one, other = launcher_key(run.workspace_id), launcher_key(run.workspace_id)
        third = made_key(other)
        assert self.same(run.workspace_id, f"key:{one.key_id}", f"key:{third.key_id}")
        ada = member(run.workspace_id, "ada")
        assert not self.same(run.workspace_id, f"key:{one.key_id}", f"member:{ada.id}")


class TestSelfApproval:
    @pytest.mark.parametrize("way", ["key", "session", "link", "airflow"])
    @pytest.mark.parametrize("start", ["key", "session", "link", "airflow"])
    def test_whoever_started_the_run_may_not_decide_on_it_by_any_way(
        self, engine: Engine, start: str, way: str
    ) -> None:
        config = {"allowSelfApproval": False, "approvers": ["ADA@b.example", "eve@b.example"]}
        paused = asked(engine, **config)
        root = session_of(member(paused.workspace_id, "root", "OWNER"))
        ada = member(paused.workspace_id, "ada", "ADMIN")
        first, second = made_key(root, ada.id), made_key(root, ada.id)
        started = {
            "key": f"key:{first.key_id}",
            "session": f"member:{ada.id}",
            "link": "mail:ada@b.example",
            "airflow": "airflow:ada",
        }
        started_by(paused, started[start])
        acts: dict[str, Callable[[], object]] = {
            "key": lambda: resume(second, paused),
            "session": lambda: resume(session_of(ada), paused),
            "link": lambda: by_link(paused, "ADA@b.example"),
        }
        if way == "airflow":
            assert in_airflow(engine, paused, "ada") == "PAUSED"
        else:
            with pytest.raises(NotAllowed, match="started the run"):
                acts[way]()
        assert set(votes(paused).values()) == {None}
        by_link(paused, "eve@b.example")
        assert reload(paused).status == "RUNNING"

    def test_it_is_allowed_unless_it_is_banned(self, engine: Engine) -> None:
        paused = asked(engine)
        ada = member(paused.workspace_id, "ada")
        started_by(paused, f"member:{ada.id}")
        assert resume(session_of(ada), paused) == "RUNNING"


class TestStarters:
    def test_a_run_by_hand_is_its_starters_and_a_replay_also_the_replayers(self, run: Run) -> None:
        ada = session_of(member(run.workspace_id, "ada"))
        eve = session_of(member(run.workspace_id, "eve"))
        begun = by_hand.execute(ada, run.workflow_id, {})
        again = replays.replay(eve, run.workflow_id, begun.id)
        assert self.starters(begun.id) == [f"member:{ada.member_id}"]
        assert self.starters(again.id) == [f"member:{ada.member_id}", f"member:{eve.member_id}"]

    def test_a_child_is_started_by_whoever_started_its_parent(self, run: Run) -> None:
        started_by(run, "mail:ada@b.example")
        child = children.StartedRuns().start(run.id, run.workflow_id, {}, "key", awaited=False)
        assert self.starters(child) == ["mail:ada@b.example"]

    def starters(self, run_id: str) -> list[Any]:
        with unit_of_work() as session:
            return session.get_one(Run, run_id).starters


class TestQuorum:
    QUORUM: Any = {"approvers": ["ada@b.example", "bob@b.example"], "quorum": 2}  # noqa: RUF012

    def test_to_resume_is_one_decision_of_one_approver(self, engine: Engine) -> None:
        paused = asked(engine, **self.QUORUM)
        root = session_of(member(paused.workspace_id, "root", "OWNER"))
        ada, bob = member(paused.workspace_id, "ada"), member(paused.workspace_id, "bob")
        assert resume(made_key(root, ada.id), paused) == "PAUSED"
        assert votes(paused) == {"ada@b.example": "approved", "bob@b.example": None}
        with pytest.raises(Conflict, match="decided before"):
            resume(made_key(root, ada.id), paused)
        with pytest.raises(Gone):
            by_link(paused, "ada@b.example")
        assert in_airflow(engine, paused, "ada") == "PAUSED"
        assert resume(session_of(bob), paused) == "RUNNING"

    @pytest.mark.parametrize("role", ["MEMBER", "VIEWER"])
    def test_who_is_no_approver_is_refused(self, engine: Engine, role: str) -> None:
        paused = asked(engine, **self.QUORUM)
        with pytest.raises(NotAllowed, match="Others are asked"):
            resume(session_of(member(paused.workspace_id, "eve", role)), paused)
        assert in_airflow(engine, paused, "eve") == "PAUSED"
        assert set(votes(paused).values()) == {None}

    @pytest.mark.parametrize("way", ["resume", "airflow"])
    def test_an_administrator_decides_in_their_place_and_it_is_said(
        self, engine: Engine, way: str
    ) -> None:
        paused = asked(engine, **self.QUORUM)
        boss = member(paused.workspace_id, "boss", "ADMIN")
        if way == "resume":
            assert resume(session_of(boss), paused) == "RUNNING"
            with unit_of_work() as session:
                wait_id = session.scalars(select(Wait.id)).one()
            engine.resume(task(paused, "ask"), wait_id, None)
        else:
            in_airflow(engine, paused, "boss")
        with unit_of_work() as session:
            (line,) = session.scalars(select(AuditLog).where(AuditLog.action == "run.resume")).all()
            (wait,) = session.scalars(select(Wait)).all()
        assert line.details["override"] is True
        assert wait.override is True

    def test_one_mailbox_is_one_approver(self, engine: Engine) -> None:
        paused = asked(engine, approvers=["Q@b.example", "q@b.example", "q@B.EXAMPLE"])
        assert list(votes(paused)) == ["Q@b.example"]

    def test_without_approvers_every_member_may_decide(self, engine: Engine) -> None:
        paused = asked(engine)
        assert resume(session_of(member(paused.workspace_id, "eve")), paused) == "RUNNING"
