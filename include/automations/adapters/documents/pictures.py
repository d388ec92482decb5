"""Pictures of a DOCX: which of them the small engine can show."""

from __future__ import annotations

from typing import Any

SHOWN = frozenset({"png", "jpg", "jpeg", "gif", "svg", "webp"})


def losses(document: Any) -> set[str]:
    """Names of the kinds of pictures that are lost."""
    kinds = {
        part.partname.ext.lower()
        for part in document.part.package.iter_parts()
        if part.content_type.startswith("image/")
    }
    return {f"pictures of the kind {kind}" for kind in kinds - SHOWN}
