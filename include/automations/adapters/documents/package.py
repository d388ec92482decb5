"""Whether a DOCX is a sound package: bounded, without links to outside and without programs."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator

from automations.adapters.documents.problems import TemplateProblem

MOST_ENTRIES = 1_000
LARGEST_UNPACKED = 50_000_000

_XML = (".xml", ".rels")
_ENCODING = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([\w.-]+)["']""", re.IGNORECASE)
_RELATIONSHIP = re.compile(r"<(?:\w+:)?Relationship\s[^>]*>")
_TYPE = re.compile(r"""\bType\s*=\s*["'][^"']*/(\w+)["']""")
_EXTERNAL = re.compile(r"""\bTargetMode\s*=\s*["']External["']""")
# Word notes where a document's template lay; it is dropped when the document is made.
_HARMLESS_OUTSIDE = frozenset({"hyperlink", "attachedTemplate"})
_PROGRAMS = frozenset({"vbaProject", "oleObject", "aFChunk", "control", "subDocument"})
_FIELD = re.compile(r"\b(INCLUDEPICTURE|INCLUDETEXT|DDEAUTO|DDE|LINK|IMPORT|DATABASE)\s", re.ASCII)
_INSTRUCTION = re.compile(
    r"""<w:instrText[^>]*>([^<]*)</w:instrText>|\bw:instr\s*=\s*"([^"]*)""", re.DOTALL
)


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
            for name, text in _texts(package):
                _check_part(name, text)
    except (
        zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError,
        OSError, OverflowError,
    ) as error:  # fmt: skip
        raise TemplateProblem(f"is not a sound DOCX (zip) file: {error}") from error


def _bounded(package: zipfile.ZipFile) -> set[str]:
    entries = package.infolist()
    if len(entries) > MOST_ENTRIES:
        raise TemplateProblem(f"has {len(entries)} parts; {MOST_ENTRIES} at most")
    # The reader unpacks no more of an entry than is declared, so that the sum is a bound.
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > LARGEST_UNPACKED:
        raise TemplateProblem(f"unpacks to {unpacked} bytes; {LARGEST_UNPACKED} at most")
    names = {entry.filename for entry in entries}
    if len(names) != len(entries):
        raise TemplateProblem("has two parts of one name")
    if any(name.startswith(("/", "\\")) or ".." in name.split("/") for name in names):
        raise TemplateProblem("has a part outside of the package")
    return names


def _texts(package: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    for entry in package.infolist():
        data = package.read(entry)
        if not entry.filename.lower().endswith(_XML):
            continue
        declared = _ENCODING.match(data[:300].removeprefix(b"\xef\xbb\xbf"))
        if b"\0" in data or (declared and declared.group(1).lower() not in (b"utf-8", b"us-ascii")):
            raise TemplateProblem(f"has a part that is not UTF-8: {entry.filename}")
        yield entry.filename, data.decode("utf-8-sig")


def _check_part(name: str, text: str) -> None:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise TemplateProblem(f"has a document type declaration in {name}, which is not allowed")
    if name.endswith(".rels"):
        for relationship in _RELATIONSHIP.findall(text):
            kind = _TYPE.search(relationship)
            named = kind.group(1) if kind else "unknown"
            if named in _PROGRAMS:
                raise TemplateProblem(f"holds an embedded program or file ({named})")
            if _EXTERNAL.search(relationship) and named not in _HARMLESS_OUTSIDE:
                raise TemplateProblem(f"links to content outside of itself ({named})")
    # Word may cut an instruction into several runs.
    instruction = "".join(first or second for first, second in _INSTRUCTION.findall(text))
    field = _FIELD.search(instruction)
    if field:
        raise TemplateProblem(f"has a field that reads from outside: {field.group(1)}")
