"""Members: the last OWNER stays, whoever asks at the same time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import ApiKey, Matter, Workspace
from automations.errors import Conflict, NotAllowed, NotFound, ValidationFailed
from automations.launcher.setup import SetupError, invite
from automations.ports import NewMatter, Notice
from automations.services.access import members, sign_ins
from automations.services.integrations import notifications
from automations.services.integrations.notifications import WorkspaceNotifier
from automations.services.matters import matters
from tests.db.workspace import at_once, automation, key, member, principal, template, workspace

pytestmark = pytest.mark.usefixtures("database")


def owners(workspace_id: str) -> list[str]:
    return [row.name for row in members.list_all(workspace_id) if row.role == "OWNER"]


def test_the_last_owner_is_neither_demoted_nor_removed() -> None:
    here = workspace()
    ada = member(here, "ada", "OWNER")
    with pytest.raises(Conflict, match="last OWNER"):
        members.update(principal(here), ada.id, role="ADMIN")
    with pytest.raises(Conflict, match="last OWNER"):
        members.delete(principal(here), ada.id)
    members.update(principal(here), ada.id, role="OWNER", name="Ada")
    assert owners(here) == ["Ada"]


def demote(here: str, member_id: str) -> object:
    return members.update(principal(here), member_id, role="VIEWER")


def remove(here: str, member_id: str) -> None:
    members.delete(principal(here), member_id)


@pytest.mark.parametrize("acts", [(demote, demote), (remove, remove), (demote, remove)])
def test_two_owners_who_go_at_once_leave_one(
    acts: tuple[Callable[[str, str], object], ...],
) -> None:
    for attempt in range(5):
        here = workspace(f"w{attempt}")
        rows = [member(here, name, "OWNER") for name in ("ada", "bob")]
        results = at_once(
            *(partial(act, here, row.id) for act, row in zip(acts, rows, strict=True))
        )
        assert len([item for item in results if isinstance(item, Conflict)]) == 1
        assert len(owners(here)) == 1


def test_two_members_with_one_address_at_once_are_one() -> None:
    here = workspace()
    results = at_once(*[partial(member, here, "ada")] * 4)
    assert len([item for item in results if isinstance(item, Conflict)]) == 3
    assert [row.email for row in members.list_all(here)] == ["ada@b.example"]


def test_an_address_is_the_same_in_capitals_but_free_in_another_workspace() -> None:
    here = workspace()
    member(here, "ada")
    with pytest.raises(Conflict, match=r"ada@b\.example"):
        members.create(principal(here, "ADMIN"), name="A", email="ADA@B.example", role="MEMBER")
    member(workspace("elsewhere"), "ada")


def test_a_change_to_an_address_that_is_taken_changes_nothing() -> None:
    here = workspace()
    member(here, "ada")
    bob = member(here, "bob")
    with pytest.raises(Conflict):
        members.update(principal(here), bob.id, name="B", email="ada@b.example")
    assert [row.name for row in members.list_all(here)] == ["ada", "bob"]


@pytest.mark.parametrize("email", ["", "nobody", "{{input.email}}", "a@b.example, c@b.example"])
def test_what_is_no_address_is_refused(email: str) -> None:
    with pytest.raises(ValidationFailed):
        members.create(principal(workspace(), "ADMIN"), name="A", email=email, role="MEMBER")


def test_nobody_comes_to_be_an_owner_by_an_invitation_from_before() -> None:
    here = workspace()
    owner, admin = principal(here, "OWNER"), principal(here, "ADMIN")
    bob, eve = member(here, "bob", "MEMBER"), member(here, "eve", "MEMBER")
    tokens = {person.name: sign_ins.invite(admin, person.id)[0] for person in (bob, eve)}
    members.update(owner, bob.id, role="OWNER")
    members.update(owner, eve.id, role="ADMIN")
    with pytest.raises(NotFound):
        sign_ins.accept(tokens["bob"], "correct horse battery", "127.0.0.1")
    assert sign_ins.accept(tokens["eve"], "correct horse battery", "127.0.0.1").member == (
        members.get(here, eve.id)
    )


def test_an_invitation_that_is_refused_leaves_no_workspace_behind() -> None:
    with pytest.raises(SetupError, match="e-mail address"):
        invite("nobody", "OWNER", "elsewhere")
    with unit_of_work() as session:
        assert "elsewhere" not in session.scalars(select(Workspace.slug)).all()
    assert invite("ada@b.example", "OWNER", "elsewhere")


def test_nobody_takes_the_address_of_a_user_of_airflow() -> None:
    here = workspace()
    admin, ada = principal(here, "ADMIN"), member(here, "ada", "MEMBER")
    for address in ("root@airflow.invalid", "Root@Airflow.Invalid"):
        with pytest.raises(ValidationFailed, match="email"):
            members.create(admin, name="Root", email=address, role="VIEWER")
        with pytest.raises(ValidationFailed, match="email"):
            members.update(admin, ada.id, email=address)
    assert [one.email for one in members.list_all(here)] == [ada.email]


def test_only_an_owner_makes_changes_and_removes_owners() -> None:
    here = workspace()
    ada, bob = member(here, "ada", "OWNER"), member(here, "bob")
    member(here, "carl", "OWNER")
    with pytest.raises(NotAllowed):
        members.create(principal(here, "ADMIN"), name="A", email="x@b.example", role="OWNER")
    with pytest.raises(NotAllowed):
        members.update(principal(here, "ADMIN"), bob.id, role="OWNER")
    with pytest.raises(NotAllowed):
        members.update(principal(here, "ADMIN"), ada.id, role="VIEWER")
    with pytest.raises(NotAllowed):
        members.delete(principal(here, "ADMIN"), ada.id)
    assert owners(here) == ["ada", "carl"]


def test_a_member_who_is_removed_leaves_no_key_no_notification_and_no_assignment() -> None:
    here = workspace()
    bob = member(here, "bob")
    token = key(here, bob.id)
    told = Notice(here, automation(here), "k", (bob.id,), "Hi", "", None)
    WorkspaceNotifier().notify(told)
    made = matters.create(principal(here), NewMatter(template(here), "M", assignee_id=bob.id))
    members.delete(principal(here, "ADMIN"), bob.id)
    with unit_of_work() as session:
        row = session.get_one(ApiKey, token)
        assert (row.member_id, row.revoked_at is None) == (None, False)
        assert session.get_one(Matter, made.matter.id).assignee_id is None
    assert notifications.page(here, bob.id, unread_only=False, number=1, size=9) == ([], 0)
    with pytest.raises(NotFound):
        members.delete(principal(here, "ADMIN"), bob.id)
