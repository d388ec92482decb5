"""A workspace with its people and boards, for tests against the database."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import text

from automations.db.session import Session, unit_of_work
from automations.db.tables import ApiKey, Workflow, Workspace
from automations.domain.matters import Board
from automations.domain.principals import Principal
from automations.errors import AutomationsError
from automations.kit.ids import new_id
from automations.services.access import members
from automations.services.matters import templates

BOARD = {
    "name": "Onboarding",
    "steps": [
        {"id": "form", "name": "Fill in", "type": "FORM"},
        {"id": "check", "name": "KYC Review", "type": "APPROVAL"},
        {"id": "sign", "name": "Sign", "type": "SIGN_DOCUMENTS"},
    ],
}


def cut_connections() -> None:
    """End the server's side of all other connections."""
    with unit_of_work() as session:
        session.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


def workspace(slug: str = "w") -> str:
    with unit_of_work() as session:
        made = Workspace(slug=slug, name=slug)
        session.add(made)
        session.flush()
        return made.id


def principal(workspace_id: str, role: str = "OWNER", name: str = "test") -> Principal:
    return Principal(workspace_id, role, name)


def member(workspace_id: str, name: str, role: str = "MEMBER") -> members.Member:
    by = principal(workspace_id)
    return members.create(by, name=name, email=f"{name}@b.example", role=role)


def key(workspace_id: str, member_id: str | None = None, name: str = "key") -> str:
    with unit_of_work() as session:
        made = ApiKey(
            workspace_id=workspace_id,
            member_id=member_id,
            name=name,
            role="ADMIN",
            prefix="sk_",
            token_hash=new_id(),
        )
        session.add(made)
        session.flush()
        return made.id


def automation(workspace_id: str, key_id: str | None = None) -> str:
    with unit_of_work() as session:
        made = Workflow(
            workspace_id=workspace_id,
            name="Test",
            status="ACTIVE",
            version=1,
            created_by_key_id=key_id,
        )
        session.add(made)
        session.flush()
        return made.id


def template(workspace_id: str) -> str:
    return templates.create(workspace_id, Board.model_validate(BOARD)).id


def at_once(*acts: Callable[[], object]) -> list[object]:
    """What each act came to when all ran at the same time; refusals as values."""

    def tried(act: Callable[[], object]) -> object:
        try:
            return act()
        except AutomationsError as error:
            return error

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(tried, acts))


def behind(first: Callable[[Session], object], act: Callable[[], object]) -> object:
    """What an act comes to that begins before the transaction of another one has ended."""
    with ThreadPoolExecutor(1) as pool:
        with unit_of_work() as session:
            first(session)
            acting = pool.submit(at_once, act)
            while not _somebody_waits():
                assert not acting.done(), "it waits for nobody"
        return acting.result()[0]


def _somebody_waits() -> bool:
    with unit_of_work(apart=True) as session:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return bool(session.scalar(text(waiting)))
