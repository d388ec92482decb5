"""The documents that runs made and people have sent: found, looked at, downloaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from api_bridge.console import queries, responses
from api_bridge.console.queries import Text
from api_bridge.deps import Viewer
from api_bridge.downloads import download, response_docs
from api_bridge.endpoint_marks import heavy
from api_bridge.routing import Router
from automations import wiring
from automations.domain.documents import DocumentFilter
from automations.errors import NotFound, RuleBroken, StepError, ValidationFailed
from automations.services.documents import documents, templates
from automations.services.documents.documents import CONTENT_TYPES, Document
from automations.services.runs import browsing

ROOT = "/console/documents"
router = Router(prefix=ROOT, tags=["documents"])

_SOURCES: Mapping[str, bool] = {"made": False, "uploaded": True}
"""Whether people have sent them, by the words for it."""
_PICTURES = ("png", "jpg", "jpeg", "gif", "webp")
_TEXTS = ("txt", "csv", "markdown")
_PDF = CONTENT_TYPES["pdf"]
_MAX_TEXT = 60_000
"""Characters of a text that are shown: whoever wants more of it downloads it."""


_Text = Annotated[str, Field(max_length=500)]


class _DocumentQuery(BaseModel):
    """What a list's form asks for."""

    q: _Text = ""
    format: _Text = ""
    source: _Text = ""
    template: _Text = ""
    run: _Text = ""
    cursor: _Text = ""


@router.get("")
def show_list(
    request: Request, caller: Viewer, asked: Annotated[_DocumentQuery, Query()]
) -> Response:
    """The documents, newest first."""
    for name, value, choices in (
        ("format", asked.format, CONTENT_TYPES),
        ("source", asked.source, _SOURCES),
    ):
        if value and value not in choices:
            raise ValidationFailed({name: [f"must be one of {', '.join(choices)}"]})
    criteria = DocumentFilter(
        asked.q.strip(),
        asked.format or None,
        _SOURCES.get(asked.source),
        asked.template or None,
        asked.run or None,
    )
    page, following = documents.page_after(
        caller.workspace_id, criteria, asked.cursor or None, queries.PAGE_SIZE
    )
    return responses.page(
        request,
        "documents.html",
        caller,
        rows=page,
        asked=asked,
        formats=list(CONTENT_TYPES),
        sources=list(_SOURCES),
        names={template.id: template.name for template in templates.list_all(caller.workspace_id)},
        following=queries.following(request, following),
        is_first=not asked.cursor,
        tab="documents",
    )


@router.get("/{document_id}")
def show(request: Request, caller: Viewer, document_id: str, view: Text = "") -> Response:
    """One document: what is in it, which run made it, to whom it was sent.

    Args:
        view: anything, to have a DOCX made a PDF to look at.
    """
    detail = documents.get(caller.workspace_id, document_id)
    document = detail.document
    kind, written = _kind(document), ""
    if kind == "text":
        _, content = documents.content(caller.workspace_id, document_id)
        written = content.decode("utf-8-sig", "replace")
    return responses.framing(
        responses.page(
            request,
            "document.html",
            caller,
            document=document,
            deliveries=detail.deliveries,
            kind="pdf" if kind == "docx" and view else kind,
            is_converted=kind == "docx",
            written=written[:_MAX_TEXT],
            is_cut=len(written) > _MAX_TEXT,
            automation=browsing.automation_name(caller.workspace_id, document.run_id),
            names={
                template.id: template.name for template in templates.list_all(caller.workspace_id)
            },
        )
    )


@router.get(
    "/{document_id}/content",
    response_class=Response,
    responses=response_docs(*CONTENT_TYPES.values()),
)
def get_content(caller: Viewer, document_id: str) -> Response:
    """Download a document."""
    document, content = documents.content(caller.workspace_id, document_id)
    return download(document.name, content, CONTENT_TYPES[document.format])


@router.get("/{document_id}/view", response_class=Response, responses=response_docs(_PDF))
@heavy
def look(caller: Viewer, document_id: str) -> Response:
    """A document for a frame or a picture of its page; a DOCX is made a PDF, which is not kept."""
    document, content = documents.content(caller.workspace_id, document_id)
    name, kind = document.name, _kind(document)
    if kind == "docx":
        try:
            content = wiring.document_renderer().pdf(content, owner=caller.workspace_id).content
        except StepError as error:
            raise RuleBroken(f"It cannot be shown: {error.message}") from error
        name, content_type = f"{name.removesuffix('.docx')}.pdf", _PDF
    elif kind in ("pdf", "picture"):
        content_type = CONTENT_TYPES[document.format]
    else:
        raise NotFound("A document of this kind is not shown: download it.")
    return responses.inline_file(name, content, content_type)


def _kind(document: Document) -> str:
    """How a document is shown."""
    if document.format in _PICTURES:
        return "picture"
    if document.format in _TEXTS:
        return "text"
    return document.format if document.format in ("pdf", "docx") else "other"
