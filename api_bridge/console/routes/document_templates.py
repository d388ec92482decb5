"""Templates of documents: which there are, what they take, and what comes out of them."""

from __future__ import annotations

import json

from fastapi import Request
from fastapi.responses import Response
from starlette.datastructures import FormData

from api_bridge.bodies import MAX_FILES_BYTES, body_limit
from api_bridge.console import queries, responses
from api_bridge.console.form_data import Posted, check_sure, chosen_file, text
from api_bridge.console.queries import Page
from api_bridge.console.views import conflicts, placeholders, timestamps
from api_bridge.console.views.typed_values import object_of
from api_bridge.deps import Admin, Member, Viewer
from api_bridge.downloads import download, response_docs, template_download
from api_bridge.endpoint_marks import heavy, outside, repeatable
from api_bridge.routing import Router
from automations import wiring
from automations.domain.principals import Principal
from automations.errors import Conflict, StepError, ValidationFailed
from automations.kit.filenames import file_name
from automations.kit.values import Errors
from automations.services.documents import templates
from automations.services.documents.documents import CONTENT_TYPES

ROOT = "/console/documents/templates"
router = Router(prefix=ROOT, tags=["documents"])

_FORMATS = {"docx": "docx", "md": "markdown", "markdown": "markdown", "txt": "markdown"}
"""Formats of templates by the extensions of their files."""
_OUTPUTS = ("pdf", "docx")
_MAX_NAME = 200


@router.get("")
def show_list(request: Request, caller: Viewer, page: Page = 1) -> Response:
    """The templates, newest first."""
    return _list(request, caller, page=page)


@router.post("")
@heavy
@body_limit(multipart=MAX_FILES_BYTES)
def create(request: Request, caller: Admin, form: Posted) -> Response:
    """Add a template: a DOCX or Markdown file with placeholders."""
    try:
        sent = _file(form)
        if sent is None:
            raise ValidationFailed({"file": ["choose a file"]})
        stem, template_format, content = sent
        created = templates.create(
            wiring.document_renderer(),
            caller.workspace_id,
            name=_name(text(form, "name").strip() or stem),
            template_format=template_format,
            content=content,
        )
    except ValidationFailed as error:
        return _list(request, caller, text(form, "name"), error.field_errors)
    return responses.redirect(f"{ROOT}/{created.id}", "template.added")


@router.get("/{template_id}")
def show(request: Request, caller: Viewer, template_id: str) -> Response:
    """One template: what it takes, and a try of it."""
    return _page(request, caller, template_id)


@router.get(
    "/{template_id}/content",
    response_class=Response,
    responses=response_docs(*CONTENT_TYPES.values()),
)
def get_content(caller: Viewer, template_id: str) -> Response:
    """Download a template."""
    return template_download(*templates.content(caller.workspace_id, template_id))


@router.post("/{template_id}")
@heavy
@body_limit(multipart=MAX_FILES_BYTES)
def replace(request: Request, caller: Admin, template_id: str, form: Posted) -> Response:
    """Give a template another name, or new content, which makes a new version."""
    template = templates.get(caller.workspace_id, template_id)
    name = text(form, "name").strip()
    is_renamed = name != text(form, "was").strip()
    try:
        sent = _file(form)
        templates.replace(
            wiring.document_renderer(),
            caller.workspace_id,
            template_id,
            name=_name(name) if is_renamed else None,
            template_format=sent[1] if sent else None,
            content=sent[2] if sent else None,
            seen=timestamps.read_seen(text(form, "seen"), template.updated_at),
        )
    except ValidationFailed as error:
        return _page(request, caller, template_id, error.field_errors, form)
    except Conflict as error:
        problems = {"": [error.message]}
        # A file is to be chosen again anyway: the page is one of what there is now.
        fresh = FormData({"name": name}) if is_renamed else None
        return _page(request, caller, template_id, problems, fresh)
    return responses.redirect(f"{ROOT}/{template_id}", "template.changed")


@router.post("/{template_id}/delete")
def delete(caller: Admin, template_id: str, form: Posted) -> Response:
    """Delete a template that no active automation needs; documents made of it stay."""
    templates.get(caller.workspace_id, template_id)
    check_sure(form)
    templates.delete(caller.workspace_id, template_id)
    return responses.redirect(ROOT, "template.deleted")


@router.post("/{template_id}/test")
@heavy
@outside
@repeatable
def test(request: Request, caller: Member, template_id: str, form: Posted) -> Response:
    """Fill a template in with sample data: the document itself, of which nothing is kept."""
    template, content = templates.content(caller.workspace_id, template_id)
    try:
        output = text(form, "output")
        if output not in _OUTPUTS:
            raise ValidationFailed({"output": [f"must be one of {', '.join(_OUTPUTS)}"]})
        rendered = wiring.document_renderer().render(
            template.format,
            content,
            object_of(text(form, "data"), "data"),
            output,
            allow_loss="allowLoss" in form,
            owner=caller.workspace_id,
        )
    except ValidationFailed as error:
        return _test_failed(request, caller, template_id, error.field_errors)
    except StepError as error:
        return _test_failed(request, caller, template_id, {"data": [error.message]})
    name = file_name(template.name, output)
    if output == "pdf":
        return responses.inline_file(name, rendered.content, CONTENT_TYPES["pdf"])
    return download(name, rendered.content, CONTENT_TYPES["docx"])


def _file(form: FormData) -> tuple[str, str, bytes] | None:
    """The name, format and content of the file that was sent; None when there is none."""
    sent = chosen_file(form, "file")
    if sent is None:
        return None
    stem, _, extension = sent.name.replace("\\", "/").rpartition("/")[2].rpartition(".")
    template_format = _FORMATS.get(extension.lower())
    if template_format is None:
        raise ValidationFailed({"file": ["must be a .docx or Markdown (.md) file"]})
    return stem, template_format, sent.content


def _name(name: str) -> str:
    if not 0 < len(name) <= _MAX_NAME or not name.isprintable():
        raise ValidationFailed({"name": [f"must have 1 to {_MAX_NAME} characters, on one line"]})
    return name


def _list(
    request: Request,
    caller: Principal,
    name: str = "",
    problems: Errors | None = None,
    page: int = 1,
) -> Response:
    page_templates, following = queries.paginate(
        request, templates.list_all(caller.workspace_id), page
    )
    return responses.page(
        request,
        "document_templates.html",
        caller,
        400 if problems else 200,
        rows=page_templates,
        following=following,
        is_first=page == 1,
        name=name,
        problems=problems or {},
        tab="templates",
    )


def _page(
    request: Request,
    caller: Principal,
    template_id: str,
    problems: Errors | None = None,
    form: FormData | None = None,
) -> Response:
    template = templates.get(caller.workspace_id, template_id)
    typed = form if form is not None else FormData()
    sample = json.dumps(placeholders.sample(template.placeholders), indent=2, ensure_ascii=False)
    return responses.framing(
        responses.page(
            request,
            "document_template.html",
            caller,
            conflicts.status(problems),
            template=template,
            name=text(typed, "name", template.name),
            was=text(typed, "was", template.name),
            seen=text(typed, "seen") or timestamps.stamp(template.updated_at),
            sample=sample,
            rows=sample.count("\n") + 2,
            problems=problems or {},
        )
    )


def _test_failed(
    request: Request, caller: Principal, template_id: str, problems: Errors
) -> Response:
    """Why nothing came out, where the document would have been."""
    template = templates.get(caller.workspace_id, template_id)
    return responses.page(
        request, "document_untested.html", caller, 400, template=template, problems=problems
    )
