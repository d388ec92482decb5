"""Forms and submissions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api_bridge import links
from api_bridge.bodies import Edited
from api_bridge.deps import Admin, Forced, Member, Viewer
from api_bridge.natures import changing
from api_bridge.paging import Behind, Limit
from api_bridge.routing import Router
from api_bridge.views import forms as views
from automations.domain.forms.schema import FormSchema, WrittenForm
from automations.domain.statuses import SubmissionStatus
from automations.kit.titles import Name
from automations.services.forms import forms, submissions

router = Router(prefix="/api", tags=["forms"])


class NewForm(WrittenForm):
    """A form to create."""

    public: bool = Field(
        False, strict=True, description="Whether anybody may fill it in, without a key."
    )


class FormChange(Edited):
    """What to change of a form."""

    title: Name = ""
    description: str = Field("", max_length=5_000)
    form_schema: FormSchema = Field(
        FormSchema(sections=[]), alias="schema", description="Sections with fields."
    )
    public: bool = Field(
        False, strict=True, description="Whether anybody may fill it in, without a key."
    )


class NewSubmission(BaseModel):
    """What somebody filled in."""

    model_config = ConfigDict(extra="forbid")

    formId: str  # noqa: N815 -- the platform's name
    data: dict[str, Any] = Field(description="Values by the fields' keys.")


@router.get("/forms")
def list_forms(caller: Viewer) -> list[dict[str, Any]]:
    """List all forms."""
    return [views.form(form) for form in forms.list_all(caller.workspace_id)]


@router.post("/forms", status_code=201)
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


@router.get("/forms/{form_id}")
def get_form(
    caller: Viewer,
    form_id: str,
    version: Annotated[int | None, Query(ge=1, le=1_000_000)] = None,
) -> dict[str, Any]:
    """Get one form, as it is now or was in one of its versions."""
    return views.form(forms.get(caller.workspace_id, form_id, version))


@router.patch("/forms/{form_id}")
@changing
def update_form(caller: Admin, form_id: str, change: FormChange) -> dict[str, Any]:
    """Change a form; submissions keep the version that they were made with."""
    change = change.as_shown(views.form(forms.get(caller.workspace_id, form_id)))
    given = change.model_fields_set
    changed = forms.update(
        caller.workspace_id,
        form_id,
        title=change.title if "title" in given else None,
        description=change.description if "description" in given else None,
        form=change.form_schema if "form_schema" in given else None,
        public=change.public if "public" in given else None,
    )
    return views.form(changed)


@router.delete("/forms/{form_id}", status_code=204)
@changing
def delete_form(caller: Admin, form_id: str, force: Forced = False) -> Response:
    """Delete a form; its submissions and their table stay."""
    forms.delete(caller.workspace_id, form_id, force=force)
    return Response(status_code=204)


@router.post("/submissions", status_code=201)
@changing
def submit(caller: Member, submission: NewSubmission) -> dict[str, Any]:
    """Submit a form; the automations that listen start in the background."""
    taken = submissions.submit(caller.workspace_id, submission.formId, submission.data)
    return views.submission(taken)


@router.get("/submissions")
def list_submissions(
    caller: Viewer,
    request: Request,
    response: Response,
    form_id: Annotated[str | None, Query(alias="formId", description="Only of this form.")] = None,
    status: Annotated[
        SubmissionStatus | None,
        Query(description="Only submissions of this status."),
    ] = None,
    limit: Limit = 20,
    cursor: Behind = None,
) -> list[dict[str, Any]]:
    """List submissions, newest first.

    The header `Link` (rel="next") has the next page's address, as long as there is one.
    """
    found, following = submissions.page_after(caller.workspace_id, form_id, status, cursor, limit)
    links.lead_on(request, response, following, limit)
    return [views.submission(one) for one in found]


@router.get("/submissions/{submission_id}")
def get_submission(caller: Viewer, submission_id: str) -> dict[str, Any]:
    """Get one submission."""
    return views.submission(submissions.get(caller.workspace_id, submission_id))
