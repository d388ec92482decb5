"""Responses that are files to save, and are never rendered as a page of ours."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from fastapi import Response

from automations.kit.filenames import file_name
from automations.services.documents.documents import CONTENT_TYPES
from automations.services.documents.templates import DocumentTemplate

_PARSED = ("application/json", "application/yaml")
"""What clients read as more than a text."""
_EXTENSIONS = {"docx": "docx", "markdown": "md"}
"""Of the files of document templates, by format."""


def response_docs(*content_types: str) -> dict[int | str, dict[str, Any]]:
    """What a download is documented to answer."""
    names = (kind.partition(";")[0] for kind in content_types)
    kinds = {name: {"schema": {} if name in _PARSED else {"type": "string"}} for name in names}
    return {200: {"description": "The file.", "content": kinds}}


def download(name: str, content: bytes, content_type: str, *, shown: bool = False) -> Response:
    """A file to save.

    Args:
        shown: whether it is to be looked at in the browser: of kinds only that run nothing there.
    """
    return Response(content, media_type=content_type, headers=attachment_headers(name, shown=shown))


def template_download(template: DocumentTemplate, content: bytes) -> Response:
    """A document template as a file to save."""
    name = file_name(template.name, _EXTENSIONS[template.format])
    return download(name, content, CONTENT_TYPES[template.format])


def attachment_headers(name: str, *, shown: bool = False) -> dict[str, str]:
    """The headers of such a file."""
    disposition = "inline" if shown else "attachment"
    # For old clients; the name as it is follows in RFC 8187's form.
    plain = re.sub(r"[^\w.() -]", "_", name, flags=re.ASCII)
    return {
        "Content-Disposition": (
            f"{disposition}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
        ),
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
