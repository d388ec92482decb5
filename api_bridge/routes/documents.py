"""The documents that runs made and people uploaded."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Response

from api_bridge.deps import Viewer
from api_bridge.downloads import download, response_docs
from api_bridge.paging import PageNumber
from api_bridge.routing import Router
from api_bridge.views import documents as views
from api_bridge.views import pagination
from automations.services.documents import documents
from automations.services.documents.documents import CONTENT_TYPES

router = Router(prefix="/api/documents", tags=["documents"])


@router.get("")
def list_documents(
    caller: Viewer,
    run_id: Annotated[str | None, Query(alias="runId")] = None,
    page: PageNumber = 1,
    page_size: Annotated[int, Query(alias="pageSize", ge=1, le=100)] = 20,
) -> dict[str, Any]:
    """List documents, newest first, of one run or of all."""
    items, total = documents.page(caller.workspace_id, run_id, page, page_size)
    return {
        "documents": [views.document(document) for document in items],
        "pagination": pagination.by_size(page, page_size, total),
    }


@router.get("/{document_id}")
def get_document(caller: Viewer, document_id: str) -> dict[str, Any]:
    """Get one document with its deliveries."""
    return views.document_detail(documents.get(caller.workspace_id, document_id))


@router.get(
    "/{document_id}/content",
    response_class=Response,
    responses=response_docs(*CONTENT_TYPES.values()),
)
def get_content(caller: Viewer, document_id: str) -> Response:
    """Download a document."""
    document, content = documents.content(caller.workspace_id, document_id)
    return download(document.name, content, CONTENT_TYPES[document.format])
