"""Edits of forms: kept at each change, taken back, and saved by the way of the API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from automations.db.forms import form_edits
from automations.db.session import unit_of_work
from automations.db.tables import AuditLog, FormEdit
from automations.domain.forms import editing
from automations.domain.forms.editing import Draft, FieldPosition
from automations.domain.forms.schema import FormSchema
from automations.domain.principals import Principal
from automations.errors import Conflict, NotFound, ValidationFailed
from automations.services.access import members
from automations.services.forms import edits, forms
from tests.db.workspace import behind, member, principal

SCHEMA: dict[str, Any] = {
    "theme": "dark",
    "sections": [{"id": "s", "fields": [{"id": "1", "key": "name", "type": "text"}]}],
}


@pytest.fixture
def by(here: str) -> Principal:
    return principal(here)


@pytest.fixture
def form(by: Principal) -> str:
    return forms.create(
        by.workspace_id,
        title="Signup",
        description="",
        form=FormSchema.model_validate(SCHEMA),
    ).id


def titled(title: str) -> Callable[[Draft], Draft]:
    return lambda draft: {**draft, "title": title}


def change(by: Principal, form: str, made: Callable[[Draft], Draft], what: str = "") -> edits.Edit:
    edit = edits.get(by, form)
    return edits.apply(by, form, edit.base_version, edit.number, what, made)


def another(by: Principal) -> Principal:
    return replace(by, key_id="another", member_id=None)


def test_an_edit_has_no_effect_before_it_is_saved_and_is_then_a_version(
    by: Principal, form: str
) -> None:
    change(by, form, lambda draft: editing.add(draft, FieldPosition(0, 1), "email", "Mail"))
    edit = edits.get(by, form)
    assert (edit.is_changed, edit.errors, forms.get(by.workspace_id, form).version) == (True, {}, 1)
    saved = edits.save(by, form, edit.number)
    assert saved.version == 2
    assert saved.schema["theme"] == "dark"
    assert [field["key"] for _, field in editing.walk(edits.get(by, form).draft)] == [
        "name",
        "mail",
    ]
    assert (edits.get(by, form).is_changed, edits.get(by, form).number) == (False, 0)
    with unit_of_work() as session:
        assert session.query(FormEdit).count() == 0
        lines = [
            audit_log.action
            for audit_log in session.query(AuditLog)
            .filter_by(resource_id=form)
            .order_by(AuditLog.id)
        ]
        assert lines == ["form.create", "form.update"]


def test_what_is_wrong_is_named_by_its_field_and_keeps_it_from_being_saved(
    by: Principal, form: str
) -> None:
    change(by, form, titled(" "))
    change(by, form, lambda draft: editing.add(draft, FieldPosition(0, 0), "text", "X"))
    field = {"id": "2", "key": "name", "type": "text", "validation": {"minLength": "two"}}
    edit = change(by, form, lambda draft: editing.replace(draft, FieldPosition(0, 0), field))
    assert set(edit.errors) == {"title", "schema.sections.0.fields.0.validation.minLength"}
    with pytest.raises(ValidationFailed) as refused:
        edits.save(by, form, edit.number)
    assert refused.value.field_errors == edit.errors
    change(by, form, titled("Fine"))
    field = {"id": "2", "key": "name", "type": "text"}
    edit = change(by, form, lambda draft: editing.replace(draft, FieldPosition(0, 0), field))
    assert edit.errors == {"schema.sections.0.fields.1.key": ["'name' is there twice"]}
    assert forms.get(by.workspace_id, form).title == "Signup"


def test_what_is_saved_as_it_was_is_no_new_version_and_may_be_published(
    by: Principal, form: str
) -> None:
    change(by, form, titled("Other"))
    edit = change(by, form, titled("Signup"))
    saved = edits.save(by, form, edit.number, public=True)
    assert (saved.version, saved.public) == (1, True)


def test_changes_are_taken_back_and_made_again_and_typing_is_one(by: Principal, form: str) -> None:
    for title in ("S", "Si", "Sig"):
        change(by, form, titled(title), "form")
    edit = change(by, form, lambda draft: editing.add_section(draft, 1))
    edit = edits.step_back(by, form, edit.number, 1)
    assert (edit.draft["title"], len(editing.sections(edit.draft))) == ("Sig", 1)
    assert (edit.may_undo, edit.may_redo) == (True, True)
    edit = edits.step_back(by, form, edit.number, 1)
    assert (edit.draft["title"], edit.may_undo, edit.is_changed) == ("Signup", False, False)
    edit = edits.step_back(by, form, edit.number, -9)
    assert (len(editing.sections(edit.draft)), edit.may_redo) == (2, False)


@pytest.mark.slow
def test_only_some_changes_are_kept_to_go_back_to(by: Principal, form: str) -> None:
    for number in range(40):
        change(by, form, titled(f"Title {number}"))
    edit = edits.step_back(by, form, edits.get(by, form).number, 99)
    assert (edit.draft["title"], edit.may_undo) == ("Title 9", False)


def test_two_people_are_told_of_each_other_and_neither_is_overwritten(
    by: Principal, form: str
) -> None:
    other = another(by)
    mine, theirs = change(by, form, titled("Mine")), change(other, form, titled("Theirs"))
    edits.save(other, form, theirs.number)
    edit = edits.get(by, form)
    assert (edit.is_outdated, edit.version, edit.base_version) == (True, 2, 1)
    assert edit.by is not None
    with pytest.raises(Conflict, match="Version 2 was saved meanwhile"):
        edits.save(by, form, mine.number)
    assert forms.get(by.workspace_id, form).title == "Theirs"
    edits.follow(by, form, mine.number)
    edits.save(by, form, mine.number)
    assert forms.get(by.workspace_id, form).title == "Mine"


def test_whoever_has_changed_nothing_goes_on_with_what_another_has_saved(
    by: Principal, form: str
) -> None:
    edit = change(by, form, titled("Mine"))
    edit = edits.step_back(by, form, edit.number, 1)
    other = another(by)
    edits.save(other, form, change(other, form, titled("Theirs")).number)
    edit = edits.get(by, form)
    assert (edit.draft["title"], edit.is_outdated) == ("Theirs", False)
    edit = change(by, form, lambda draft: editing.add_section(draft, 1))
    assert (edit.draft["title"], edit.base_version, edit.is_outdated) == ("Theirs", 2, False)
    assert edits.save(by, form, edit.number).version == 3


def test_a_second_window_that_has_not_seen_the_last_change_is_told(
    by: Principal, form: str
) -> None:
    change(by, form, titled("One"))
    acts: list[Callable[[], Any]] = [
        lambda: edits.apply(by, form, 1, 0, "", titled("Two")),
        lambda: edits.save(by, form, 0),
        lambda: edits.discard(by, form, 0),
        lambda: edits.step_back(by, form, 0, 1),
        lambda: edits.follow(by, form, 0),
    ]
    for act in acts:
        with pytest.raises(Conflict, match="another window"):
            act()
    assert edits.get(by, form).draft["title"] == "One"
    edits.discard(by, form, edits.get(by, form).number)
    with pytest.raises(Conflict, match="saved or discarded"):
        edits.apply(by, form, 1, 7, "", titled("Two"))


def test_what_cannot_be_kept_is_refused(by: Principal, form: str) -> None:
    with pytest.raises(ValidationFailed):
        change(by, form, titled("a\0b"))
    with pytest.raises(ValidationFailed):
        change(by, form, lambda draft: {**draft, "description": "x" * edits.MAX_LENGTH})
    with pytest.raises(NotFound):
        edits.get(by, "nothing")
    with pytest.raises(Conflict, match="no version 9"):
        edits.apply(by, form, 9, 0, "", titled("x"))


def test_edits_go_with_the_form_and_with_the_member(by: Principal, form: str) -> None:
    ada = member(by.workspace_id, "ada", "ADMIN")
    change(replace(by, member_id=ada.id), form, titled("Ada's"))
    change(another(by), form, titled("Another's"))
    members.delete(by, ada.id)
    with unit_of_work() as session:
        assert [edit.editor_id for edit in session.query(FormEdit)] == ["another"]
    forms.delete(by.workspace_id, form)
    with unit_of_work() as session:
        assert session.query(FormEdit).count() == 0


def test_two_windows_that_begin_at_once_do_not_overwrite_each_other(
    by: Principal, form: str
) -> None:
    draft = edits.get(by, form).draft
    second = behind(
        lambda session: form_edits.begin(session, form, by.editor, 1, titled("Mine")(draft)),
        lambda: edits.apply(by, form, 1, 0, "", titled("Yours")),
    )
    assert isinstance(second, Conflict)
    assert "changed in another window" in second.message
    assert edits.get(by, form).draft["title"] == "Mine"
