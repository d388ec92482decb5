"""Edits of automations: kept at each change, taken back, and saved by the way of the API."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from automations.db.session import unit_of_work
from automations.db.tables import AuditLog, WorkflowEdit, WorkflowEditState
from automations.db.workflows import workflow_edits
from automations.definitions import editing
from automations.definitions.editing import Position
from automations.domain.principals import Principal
from automations.domain.statuses import WorkflowStatus
from automations.errors import Conflict, NotFound, ValidationFailed
from automations.services.access import members
from automations.services.workflows import edits, webhook_secrets, workflows
from tests.db.workspace import behind, principal
from tests.doubles import ports

MAIL = {"to": "ada@b.example", "subject": "Hi", "body": "x"}


@pytest.fixture
def by(here: str) -> Principal:
    return principal(here)


def made(by: Principal, **more: Any) -> str:
    steps = [{"name": "Mail", "type": "email", "config": MAIL}]
    return workflows.create(by, {"name": "Test", "steps": steps, **more}, ports()).id


def add(by: Principal, workflow: str, kind: str = "delay") -> edits.Edit:
    edit = edits.get(by, workflow)
    spot = Position("", "steps", len(edit.definition["steps"]))
    return edits.apply(
        by,
        workflow,
        edit.base_version,
        edit.number,
        "",
        lambda draft: editing.add(draft, kind, spot)[0],
    )


def named(name: str, draft: editing.Draft) -> editing.Draft:
    return {**draft, "name": name}


def names(edit: edits.Edit) -> list[str]:
    return [place.step["name"] for place in editing.walk(edit.definition)]


def test_an_edit_has_no_effect_before_it_is_saved_and_says_what_keeps_it_from_that(
    by: Principal,
) -> None:
    workflow = made(by)
    edit = add(by, workflow)
    assert names(edit) == ["Mail", "Delay"]
    assert edit.is_changed
    assert list(edit.errors) == ["steps.1.config"]
    assert workflows.get(by.workspace_id, workflow).version == 1
    with pytest.raises(ValidationFailed) as error:
        edits.save(by, workflow, edit.number, ports())
    assert list(error.value.field_errors) == ["steps.1.config"]
    assert names(edits.get(by, workflow)) == ["Mail", "Delay"], "nothing is lost"


def test_changes_are_taken_back_and_made_again(by: Principal) -> None:
    workflow = made(by)
    for kind in ("delay", "code", "loop"):
        add(by, workflow, kind)
    edit = edits.step_back(by, workflow, edits.get(by, workflow).number, 2)
    assert names(edit) == ["Mail", "Delay"]
    assert (edit.may_undo, edit.may_redo) == (True, True)
    edit = edits.step_back(by, workflow, edit.number, -1)
    assert names(edit) == ["Mail", "Delay", "Run code"]
    edit = edits.step_back(by, workflow, edit.number, 9)
    assert (names(edit), edit.may_undo, edit.is_changed) == (["Mail"], False, False)
    edit = add(by, workflow, "email")
    assert (names(edit), edit.may_redo) == (["Mail", "Send an e-mail"], False)


def test_saving_makes_a_version_as_the_api_does_and_ends_the_edit(by: Principal) -> None:
    workflow = made(by)
    edit = edits.get(by, workflow)
    edit = edits.apply(by, workflow, 1, 0, "name", lambda draft: {**draft, "name": "Renamed"})
    saved = edits.save(by, workflow, edit.number, ports(), WorkflowStatus.ACTIVE)
    assert (saved.version, saved.name, saved.status) == (2, "Renamed", "ACTIVE")
    with unit_of_work() as session:
        assert session.query(WorkflowEdit).count() == 0
        assert session.query(WorkflowEditState).count() == 0
    edit = edits.get(by, workflow)
    assert (edit.is_changed, edit.base_version) == (False, 2)
    with unit_of_work() as session:
        actions = [line.action for line in session.query(AuditLog)]
    assert "workflow.update" in actions


def test_what_another_has_saved_meanwhile_is_never_overwritten_in_silence(by: Principal) -> None:
    workflow = made(by)
    edit = add(by, workflow, "code")
    workflows.update(by, workflow, {"description": "Theirs"}, ports())
    assert edits.get(by, workflow).is_outdated
    with pytest.raises(Conflict, match="Version 2 was saved meanwhile"):
        edits.save(by, workflow, edit.number, ports())
    edit = edits.follow(by, workflow, edit.number)
    assert (edit.is_outdated, names(edit)) == (False, ["Mail", "Run code"])
    edits.discard(by, workflow, edit.number)
    edit = edits.get(by, workflow)
    assert (edit.definition["description"], edit.base_version) == ("Theirs", 2)


def test_a_window_that_has_not_seen_the_last_change_changes_nothing(by: Principal) -> None:
    workflow = made(by)
    seen = add(by, workflow)
    newer = edits.step_back(by, workflow, add(by, workflow).number, 1)
    with pytest.raises(Conflict, match="another window"):
        edits.apply(by, workflow, 1, seen.number, "x", lambda draft: {**draft, "name": "Lost"})
    with pytest.raises(Conflict, match="another window"):
        edits.save(by, workflow, seen.number, ports())
    for act in (edits.discard, edits.follow, partial(edits.step_back, steps=1)):
        with pytest.raises(Conflict, match="another window"):
            act(by, workflow, number=seen.number)
    assert names(edits.get(by, workflow)) == ["Mail", "Delay"]
    edits.discard(by, workflow, newer.number)
    with pytest.raises(Conflict, match="saved or discarded"):
        edits.save(by, workflow, seen.number, ports())
    with pytest.raises(Conflict, match="saved or discarded"):
        edits.apply(by, workflow, 1, seen.number, "x", lambda draft: {**draft, "name": "Lost"})


def test_two_people_have_edits_of_their_own(by: Principal) -> None:
    workflow = made(by)
    other = Principal(by.workspace_id, "ADMIN", "grace@b.example", member_id="grace")
    add(by, workflow, "code")
    assert names(edits.get(other, workflow)) == ["Mail"]
    add(other, workflow, "loop")
    assert names(edits.get(by, workflow)) == ["Mail", "Run code"]


def test_letters_typed_one_after_the_other_are_taken_back_together(by: Principal) -> None:
    workflow = made(by)
    edit = edits.get(by, workflow)
    for name in ("R", "Re", "Ren"):
        edit = edits.apply(by, workflow, 1, edit.number, "name", partial(named, name))
    assert edit.definition["name"] == "Ren"
    assert edits.step_back(by, workflow, edit.number, 1).definition["name"] == "Test"


def test_a_typed_secret_is_sealed_at_once_and_saved_as_it_was_typed(by: Principal) -> None:
    secret = "correct horse battery"
    workflow = made(by)
    trigger = {"type": "webhook", "verification": "github", "secret": secret}
    edit = edits.apply(by, workflow, 1, 0, "trigger", lambda draft: {**draft, "trigger": trigger})
    assert edit.definition["trigger"]["secret"] == "********"
    with unit_of_work() as session:
        kept = str([edit.definition for edit in session.query(WorkflowEditState)])
        assert secret not in kept
    edit = edits.apply(by, workflow, 1, edit.number, "x", lambda draft: {**draft, "name": "New"})
    saved = edits.save(by, workflow, edit.number, ports())
    stored = saved.definition["trigger"]["secret"]
    assert webhook_secrets.value_of(by.workspace_id, str(stored)) == secret
    edit = edits.apply(by, workflow, 2, 0, "x", lambda draft: {**draft, "name": "Newer"})
    assert edit.definition["trigger"]["secret"] == "********"
    saved = edits.save(by, workflow, edit.number, ports())
    stored = saved.definition["trigger"]["secret"]
    assert webhook_secrets.value_of(by.workspace_id, str(stored)) == secret


def test_what_cannot_be_kept_is_refused(by: Principal) -> None:
    workflow = made(by)
    with pytest.raises(ValidationFailed, match="NUL"):
        edits.apply(by, workflow, 1, 0, "x", lambda draft: {**draft, "name": "a\0"})


def test_edits_go_with_their_automation(by: Principal) -> None:
    workflow = made(by)
    add(by, workflow)
    workflows.delete(by, workflow)
    with unit_of_work() as session:
        assert session.query(WorkflowEdit).count() == 0
    with pytest.raises(NotFound):
        edits.get(by, workflow)


def test_an_edit_that_changes_nothing_keeps_nobody_from_a_version_that_others_have_saved(
    by: Principal,
) -> None:
    workflow = made(by, status="DRAFT")
    edit = edits.keep_sample(by, workflow, 1, 0, {"input": {"a": 1}})
    workflows.update(by, workflow, {"description": "Theirs"}, ports())
    edit = edits.get(by, workflow)
    assert (edit.base_version, edit.sample) == (2, {"input": {"a": 1}})
    edit = edits.apply(by, workflow, 2, edit.number, "name", partial(named, "Mine"))
    assert (edit.definition["description"], edit.is_outdated) == ("Theirs", False)
    assert edit.sample == {"input": {"a": 1}}
    edit = edits.step_back(by, workflow, edit.number, 1)
    workflows.update(by, workflow, {"description": "Theirs, too"}, ports())
    edit = edits.get(by, workflow)
    saved = edits.save(by, workflow, edit.number, ports(), WorkflowStatus.ACTIVE)
    assert (saved.status, saved.definition["description"]) == ("ACTIVE", "Theirs, too")


def test_a_sample_outlasts_what_is_saved_and_other_windows_are_told(by: Principal) -> None:
    workflow = made(by)
    edit = edits.keep_sample(by, workflow, 1, 0, {"input": {"a": 1}})
    edit = edits.apply(by, workflow, 1, edit.number, "name", partial(named, "New"))
    edits.save(by, workflow, edit.number, ports())
    edit = edits.get(by, workflow)
    assert (edit.sample, edit.is_changed, edit.may_undo) == ({"input": {"a": 1}}, False, False)
    with pytest.raises(Conflict, match="another window"):
        edits.apply(by, workflow, 1, 0, "name", partial(named, "Older"))
    edit = edits.apply(by, workflow, 2, edit.number, "name", partial(named, "Newer"))
    assert edits.save(by, workflow, edit.number, ports()).version == 3


def test_a_secret_that_is_sent_again_is_no_change(by: Principal) -> None:
    workflow = made(by)
    trigger = {"type": "webhook", "verification": "github", "secret": "correct horse battery"}

    def typed(draft: editing.Draft) -> editing.Draft:
        return {**draft, "trigger": trigger}

    edit = edits.apply(by, workflow, 1, 0, "", typed)
    again = edits.apply(by, workflow, 1, edit.number, "", typed)
    assert again.number == edit.number
    back = edits.step_back(by, workflow, again.number, 1)
    assert back.definition["trigger"] == {"type": "manual"}


def test_edits_go_with_their_member(by: Principal) -> None:
    workflow = made(by)
    grace = members.create(by, name="Grace", email="grace@b.example", role="ADMIN")
    add(Principal(by.workspace_id, "ADMIN", "grace@b.example", member_id=grace.id), workflow)
    add(by, workflow)
    members.delete(by, grace.id)
    with unit_of_work() as session:
        assert [edit.editor_id for edit in session.query(WorkflowEdit)] == [by.editor]


def test_two_windows_that_begin_at_once_do_not_overwrite_each_other(by: Principal) -> None:
    workflow = made(by)
    mine = named("Mine", dict(edits.get(by, workflow).definition))
    second = behind(
        lambda session: workflow_edits.begin(session, workflow, by.editor, 1, mine),
        lambda: edits.apply(by, workflow, 1, 0, "", partial(named, "Yours")),
    )
    assert isinstance(second, Conflict)
    assert "changed in another window" in second.message
    assert edits.get(by, workflow).definition["name"] == "Mine"
