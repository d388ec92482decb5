"""Checks that a DOCX is a package of bounded size before it is unpacked."""

from __future__ import annotations

import io
import zipfile
import zlib

from automations.adapters.documents.problems import TemplateProblem

MAX_ENTRIES = 1_000
"""A long letter with many pictures has some hundred."""
MAX_UNPACKED_BYTES = 50_000_000
"""What is packed says nothing of how much comes out, and parsed it takes several times as much."""

_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OTHERS = ((b"%PDF-", "a PDF"), (b"{\\rtf", "in Rich Text Format"))
_FORMS = (
    (b"macroEnabled.main+xml", "has macros (.docm): save it as .docx"),
    (b"wordprocessingml.template.main+xml", "is a template of Word's (.dotx): save it as .docx"),
)
_STRICT = b"http://purl.oclc.org/ooxml/wordprocessingml/main"


def check(content: bytes) -> None:
    """Check a package before anything parses it.

    Raises:
        TemplateProblem: says what is wrong with it.
    """
    if (other := _other_kind(content)) is not None:
        raise TemplateProblem(other)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            names = _check_entries(package)
            if "word/document.xml" not in names or "[Content_Types].xml" not in names:
                raise TemplateProblem("is not a DOCX: word/document.xml is missing")
            _check_form(package)
            # Its checksums, too; the reader unpacks no more of an entry than is declared.
            damaged = package.testzip()
            if damaged is not None:
                raise TemplateProblem(f"is not a sound DOCX (zip) file: {damaged} is damaged")
    except (
        zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError,
        OSError, OverflowError,
    ) as error:  # fmt: skip
        raise TemplateProblem(f"is not a sound DOCX (zip) file: {error}") from error


def _other_kind(content: bytes) -> str | None:
    """What else people take for a DOCX, by how it begins."""
    if content.startswith(_COMPOUND):
        if "EncryptedPackage".encode("utf-16-le") in content:
            return "is protected by a password: save it without one"
        return "is in the form of Word 97 (.doc): save it as .docx"
    return next((f"is {kind}, no DOCX" for mark, kind in _OTHERS if content.startswith(mark)), None)


def _check_form(package: zipfile.ZipFile) -> None:
    """Which of Word's forms it is; what reads it knows one only."""
    kinds = package.read("[Content_Types].xml")
    for mark, message in _FORMS:
        if mark in kinds:
            raise TemplateProblem(message)
    if _STRICT in package.read("word/document.xml"):
        raise TemplateProblem("is a Strict Open XML document: save it as Word document (.docx)")


def _check_entries(package: zipfile.ZipFile) -> set[str]:
    entries = package.infolist()
    if len(entries) > MAX_ENTRIES:
        raise TemplateProblem(f"has {len(entries)} parts; {MAX_ENTRIES} at most")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > MAX_UNPACKED_BYTES:
        raise TemplateProblem(f"unpacks to {unpacked} bytes; {MAX_UNPACKED_BYTES} at most")
    names = {entry.filename for entry in entries}
    if len(names) != len(entries):
        raise TemplateProblem("has two parts of one name")
    if any(name.startswith(("/", "\\")) or ".." in name.split("/") for name in names):
        raise TemplateProblem("has a part outside of the package")
    return names
