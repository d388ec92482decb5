"""Forms."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field

from api_bridge.bodies import Edited
from api_bridge.deps import Admin, Forced, Viewer
from api_bridge.endpoint_marks import changing
from api_bridge.routing import Router
from api_bridge.views import forms as views
from automations.domain.forms.schema import FormSchema, WrittenForm
from automations.kit.titles import Name
from automations.services.forms import forms

router = Router(prefix="/api/forms", tags=["forms"])


class NewForm(WrittenForm):
    """A form to create."""

    public: bool = Field(
        False, strict=True, description="Whether anybody may fill it in, without a key."
    )


class FormChange(Edited):
    """Changes to a form; fields that are left out stay as they are."""

    title: Name = ""
    description: str = Field("", max_length=5_000)
    form_schema: FormSchema = Field(
        FormSchema(sections=[]), alias="schema", description="Sections with fields."
    )
    public: bool = Field(
        False, strict=True, description="Whether anybody may fill it in, without a key."
    )


@router.get("")
def list_forms(caller: Viewer) -> list[dict[str, Any]]:
    """List all forms."""
    return [views.form(form) for form in forms.list_all(caller.workspace_id)]


@router.post("", status_code=201)
def create_form(caller: Admin, form: NewForm) -> dict[str, Any]:
    """Create a form."""
    created = forms.create(
        caller.workspace_id,
        title=form.title,
        description=form.description,
        form=form.form_schema,
        public=form.public,
    )
    return views.form(created)


@router.get("/{form_id}")
def get_form(
    caller: Viewer,
    form_id: str,
    version: Annotated[int | None, Query(ge=1, le=1_000_000)] = None,
) -> dict[str, Any]:
    """Get one form, in its newest or in an earlier version."""
    return views.form(forms.get(caller.workspace_id, form_id, version))


@router.patch("/{form_id}")
@changing
def update_form(caller: Admin, form_id: str, change: FormChange) -> dict[str, Any]:
    """Change a form; submissions keep the version that they were made with."""
    change = change.as_shown(views.form(forms.get(caller.workspace_id, form_id)))
    sent = change.model_fields_set
    changed = forms.update(
        caller.workspace_id,
        form_id,
        title=change.title if "title" in sent else None,
        description=change.description if "description" in sent else None,
        form=change.form_schema if "form_schema" in sent else None,
        public=change.public if "public" in sent else None,
    )
    return views.form(changed)


@router.delete("/{form_id}", status_code=204)
@changing
def delete_form(caller: Admin, form_id: str, force: Forced = False) -> Response:
    """Delete a form; its submissions and their table stay."""
    forms.delete(caller.workspace_id, form_id, force=force)
    return Response(status_code=204)
