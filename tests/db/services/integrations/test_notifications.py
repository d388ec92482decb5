"""Notifications: who is told, and that nobody is told twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import ApiKey, Notification
from automations.domain.principals import Principal
from automations.errors import NotAllowed, NotFound, StepError
from automations.ports import Notice, NoticeReceipt
from automations.services.integrations import notifications
from automations.services.integrations.notifications import WorkspaceNotifier
from tests.db.workspace import at_once, automation, key, member, workspace

pytestmark = pytest.mark.usefixtures("database")


def notice(here: str, *users: str, by: str | None = None) -> Notice:
    return Notice(
        workspace_id=here,
        workflow_id=automation(here, by),
        key="run:node:0",
        user_ids=users or None,
        title="New vendor",
        message="Have a look.",
        link="/matters",
    )


def tell(notice: Notice) -> NoticeReceipt:
    return WorkspaceNotifier().notify(notice)


def rows() -> list[Notification]:
    with unit_of_work() as session:
        return list(session.scalars(select(Notification)))


def test_each_named_user_is_told_once_however_often_they_are_named(here: str) -> None:
    ada, bob = member(here, "ada").id, member(here, "bob").id
    receipt = tell(notice(here, bob, ada, bob))
    assert receipt.user_ids == (bob, ada)
    told = {row.id: row for row in rows()}
    assert [told[item].user_id for item in receipt.notification_ids] == [bob, ada]
    assert {(row.type, row.title, row.message, row.link) for row in told.values()} == {
        ("AUTOMATION", "New vendor", "Have a look.", "/matters")
    }
    assert all(row.read_at is None for row in told.values())


def test_a_repeat_tells_nobody_again_and_answers_the_same(here: str) -> None:
    wanted = notice(here, member(here, "ada").id)
    first = tell(wanted)
    assert tell(wanted) == first
    assert at_once(*[partial(tell, wanted)] * 4) == [first] * 4
    assert len(rows()) == 1
    assert tell(replace(wanted, key="run:node:1")) != first


def test_an_unknown_user_is_named_and_nobody_is_told(here: str) -> None:
    stranger = member(workspace("elsewhere"), "eve").id
    with pytest.raises(StepError, match=stranger) as refused:
        tell(notice(here, member(here, "ada").id, stranger))
    assert refused.value.kind == "config"
    assert rows() == []


class TestOwner:
    def test_is_the_member_whose_key_made_the_automation(self, here: str) -> None:
        member(here, "ada", "OWNER")
        bob = member(here, "bob").id
        assert tell(notice(here, by=key(here, bob))).user_ids == (bob,)

    def test_else_every_member_who_is_owner(self, here: str) -> None:
        owners = [member(here, name, "OWNER").id for name in ("ada", "bob")]
        member(here, "carl", "ADMIN")
        assert tell(notice(here, by=key(here))).user_ids == tuple(owners)
        unknown = replace(notice(here), key="other")
        assert tell(unknown).user_ids == tuple(owners)

    def test_else_the_key_itself_while_it_is_valid(self, here: str) -> None:
        made_by = key(here)
        assert tell(notice(here, by=made_by)).user_ids == (made_by,)
        with unit_of_work() as session:
            session.get_one(ApiKey, made_by).revoked_at = datetime.now(UTC)
        with pytest.raises(StepError, match="no owner") as refused:
            tell(replace(notice(here, by=made_by), key="other"))
        assert refused.value.kind == "config"

    def test_owners_of_another_workspace_are_not_told(self, here: str) -> None:
        member(workspace("elsewhere"), "eve", "OWNER")
        with pytest.raises(StepError, match="no owner"):
            tell(notice(here))


class TestReader:
    def test_a_key_reads_what_its_member_is_told(self, here: str) -> None:
        of_ada = Principal(here, "MEMBER", "key", key_id="key", member_id="ada")
        assert notifications.reader(of_ada, None) == "ada"
        assert notifications.reader(of_ada, "ada") == "ada"
        assert notifications.reader(Principal(here, "ADMIN", "key", key_id="key"), None) == "key"

    def test_only_an_admin_key_without_a_member_reads_for_others(self, here: str) -> None:
        ada = member(here, "ada").id
        assert notifications.reader(Principal(here, "ADMIN", "key", key_id="key"), ada) == ada
        for other in (
            Principal(here, "MEMBER", "key", key_id="key"),
            Principal(here, "ADMIN", "key", key_id="key", member_id="bob"),
        ):
            with pytest.raises(NotAllowed):
                notifications.reader(other, ada)

    def test_a_member_of_another_workspace_does_not_exist(self, here: str) -> None:
        eve = member(workspace("elsewhere"), "eve").id
        with pytest.raises(NotFound):
            notifications.reader(Principal(here, "ADMIN", "key", key_id="key"), eve)
