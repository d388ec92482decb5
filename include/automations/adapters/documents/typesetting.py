"""Converts DOCX to PDF with pandoc and typst, if LibreOffice is not installed."""

from __future__ import annotations

import base64
import zipfile
from pathlib import Path

import typst

from automations.adapters.documents import page, pandoc, pictures
from automations.adapters.documents.problems import DocumentProblem

_EMPTY_IMAGE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


def pdf_from_docx(document: Path, result: Path) -> None:
    """Typeset a plain document; the typesetter sees its own folder, and no package of anybody."""
    folder = document.parent / "typeset"
    packages = folder / "packages"
    packages.mkdir(parents=True)
    _unpack_images(document, folder / "media")
    main = folder / "main.typ"
    main.write_text(page.source(document, pandoc.typst_from_docx(document)))
    compiler = typst.Compiler(
        str(main), root=str(folder), package_path=str(packages), package_cache_path=str(packages)
    )
    try:
        compiler.compile(output=str(result), format="pdf")
    except typst.TypstError as error:
        raise DocumentProblem(f"the document cannot be typeset: {error.message}") from error


def _unpack_images(document: Path, folder: Path) -> None:
    folder.mkdir()
    with zipfile.ZipFile(document) as package:
        for entry in package.infolist():
            parent, _, name = entry.filename.rpartition("/")
            if parent == "word/media":
                # An image of a kind that cannot be shown leaves its place empty.
                is_supported = name.rpartition(".")[2] in pictures.SHOWN
                (folder / name).write_bytes(package.read(entry) if is_supported else _EMPTY_IMAGE)
