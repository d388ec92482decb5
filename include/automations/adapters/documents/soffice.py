"""Converts DOCX to PDF with LibreOffice, if it is installed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from automations.adapters.documents import fonts, programs
from automations.adapters.documents.problems import DocumentProblem

MEMORY_LIMIT = 4 << 30
_SETTINGS = """\
<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
{items}
</oor:items>
"""
_ITEM = (
    '<item oor:path="/org.openoffice.Office.{path}"><prop oor:name="{name}" oor:op="fuse">'
    "<value>{value}</value></prop></item>"
)
# No program of a document runs, and nothing it points at is read.
_CLOSED = (
    ("Common/Security/Scripting", "DisableMacrosExecution", "true"),
    ("Common/Security/Scripting", "MacroSecurityLevel", "3"),
    ("Common/Security/Scripting", "BlockUntrustedRefererLinks", "true"),
    ("Common/Security/Scripting", "DisableActiveContent", "true"),
    ("Writer/Content/Update", "Link", "0"),
)
# Content controls are shown as they are filled, not as fields to fill in.
_PDF = 'pdf:writer_pdf_Export:{"ExportFormFields":{"type":"boolean","value":"false"}}'


def find() -> str | None:
    """The program, when it is on PATH."""
    return shutil.which("soffice") or shutil.which("libreoffice")


def pdfs_from_docx(program: str, documents: Sequence[Path], folder: Path) -> None:
    """Convert into a folder, with a profile of its own, so that two never wait for one another.

    Raises:
        DocumentProblem: LibreOffice made no file of one of them.
    """
    profile = folder / "profile"
    (profile / "user").mkdir(parents=True)
    items = "\n".join(
        _ITEM.format(path=path, name=name, value=value) for path, name, value in _CLOSED
    )
    (profile / "user" / "registrymodifications.xcu").write_text(_SETTINGS.format(items=items))
    programs.run(
        [
            program, f"-env:UserInstallation={profile.as_uri()}", "--headless", "--norestore",
            "--nolockcheck", "--nodefault", "--nologo", "--convert-to", _PDF,
            "--outdir", str(folder), *map(str, documents),
        ],
        memory=MEMORY_LIMIT,
        environment={"FONTCONFIG_FILE": str(fonts.configuration(folder))},
    )  # fmt: skip
    for document in documents:
        if not (folder / document.with_suffix(".pdf").name).is_file():
            raise DocumentProblem("LibreOffice made no file")
