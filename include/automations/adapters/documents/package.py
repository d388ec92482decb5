"""Whether a DOCX is a bounded package, so that it may be unpacked at all."""

from __future__ import annotations

import io
import zipfile
import zlib

from automations.adapters.documents.problems import TemplateProblem

MAX_ENTRIES = 1_000
"""A long letter with many pictures has some hundred."""
MAX_UNPACKED_BYTES = 50_000_000
"""What is packed says nothing of how much comes out, and parsed it takes several times as much."""


def check(content: bytes) -> None:
    """Check a package before anything parses it.

    Raises:
        TemplateProblem: says what is wrong with it.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            names = _bounded(package)
            if "word/document.xml" not in names or "[Content_Types].xml" not in names:
                raise TemplateProblem("is not a DOCX: word/document.xml is missing")
            # Its checksums, too; the reader unpacks no more of an entry than is declared.
            damaged = package.testzip()
            if damaged is not None:
                raise TemplateProblem(f"is not a sound DOCX (zip) file: {damaged} is damaged")
    except (
        zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError,
        OSError, OverflowError,
    ) as error:  # fmt: skip
        raise TemplateProblem(f"is not a sound DOCX (zip) file: {error}") from error


def _bounded(package: zipfile.ZipFile) -> set[str]:
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
