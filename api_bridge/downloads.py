"""Files as answers: to be saved under their name, never to be shown as a page of ours."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from fastapi import Response


def documented(*content_types: str) -> dict[int | str, dict[str, Any]]:
    """What a download is documented to answer."""
    kinds = {kind.partition(";")[0]: {"schema": {"type": "string"}} for kind in content_types}
    return {200: {"description": "The file.", "content": kinds}}


def download(name: str, content: bytes, content_type: str) -> Response:
    """A file to save."""
    # For old clients; the name as it is follows in RFC 8187's form.
    plain = re.sub(r"[^\w.() -]", "_", name, flags=re.ASCII)
    return Response(
        content,
        media_type=content_type,
        headers={
            "Content-Disposition": (
                f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
            ),
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-store",
        },
    )
