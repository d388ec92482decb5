"""DOCX templates for tests, sound and otherwise."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

from docx import Document


def letter(*paragraphs: str, build: Callable[[Any], None] | None = None) -> bytes:
    """A DOCX with these paragraphs."""
    document = Document()
    for text in paragraphs:
        document.add_paragraph(text)
    if build is not None:
        build(document)
    content = io.BytesIO()
    document.save(content)
    return content.getvalue()


def texts(docx: bytes) -> list[str]:
    """The paragraphs of a DOCX."""
    return [paragraph.text for paragraph in Document(io.BytesIO(docx)).paragraphs]


def repacked(
    docx: bytes,
    changed: Mapping[str, Callable[[bytes], bytes]] | None = None,
    added: Mapping[str, bytes] | None = None,
    without: str | None = None,
) -> bytes:
    """A DOCX with some of its parts changed, added or left out."""
    content = io.BytesIO()
    keep: Callable[[bytes], bytes] = bytes
    with (
        zipfile.ZipFile(io.BytesIO(docx)) as old,
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            if name != without:
                new.writestr(name, (changed or {}).get(name, keep)(old.read(name)))
        for name, data in (added or {}).items():
            new.writestr(name, data)
    return content.getvalue()
