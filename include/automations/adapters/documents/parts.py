"""Whether the parts of a DOCX keep to themselves: no links to outside, no programs, no entities."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from automations.adapters.documents.problems import TemplateProblem

# Word notes where a document's template lay; it is dropped when the document is made.
_HARMLESS_OUTSIDE = frozenset({"hyperlink", "attachedTemplate"})
_PROGRAMS = frozenset({"vbaProject", "oleObject", "aFChunk", "control", "subDocument"})
_FIELD = re.compile(
    r"\s*(INCLUDEPICTURE|INCLUDETEXT|INCLUDE|DDEAUTO|DDE|LINK|IMPORT|DATABASE|RD|EMBED)\b",
    re.IGNORECASE,
)
_XML_STARTS = (b"<", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def check(path: Path) -> None:
    """Check every part that is XML, whatever its name.

    Raises:
        TemplateProblem: names the part or link that is not allowed.
    """
    with zipfile.ZipFile(path) as package:
        for name in package.namelist():
            root = _parsed(name, package.read(name))
            if root is None:
                continue
            if root.getroottree().docinfo.internalDTD is not None:
                raise TemplateProblem(f"has a document type declaration in {name}")
            if name.endswith(".rels"):
                _check_links(root)
            for instruction in _instructions(root):
                field = _FIELD.match(instruction)
                if field:
                    raise TemplateProblem(
                        f"has a field that reads from outside: {field.group(1).upper()}"
                    )


def _parsed(name: str, data: bytes) -> Any:
    named = name.lower().endswith((".xml", ".rels"))
    if not named and not data.lstrip().startswith(_XML_STARTS):
        return None
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        return etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        if not named:
            return None
        raise TemplateProblem(f"has a part that is not XML, {name}: {error}") from error


def _check_links(root: Any) -> None:
    for relation in root.iter("{*}Relationship"):
        kind = relation.get("Type", "").rpartition("/")[2]
        if kind in _PROGRAMS:
            raise TemplateProblem(f"holds an embedded program or file ({kind})")
        if relation.get("TargetMode") == "External" and kind not in _HARMLESS_OUTSIDE:
            raise TemplateProblem(f"links to content outside of itself ({kind})")


def _instructions(root: Any) -> Iterator[str]:
    """The instructions of all fields; one may be cut into several runs."""
    open_fields: list[str] = []
    for element in root.iter("{*}fldSimple", "{*}fldChar", "{*}instrText"):
        name = etree.QName(element).localname
        if name == "fldSimple":
            yield _attribute(element, "instr")
        elif name == "instrText":
            if not open_fields:
                open_fields.append("")
            open_fields[-1] += "".join(element.itertext())
        elif _attribute(element, "fldCharType") == "begin":
            open_fields.append("")
        elif _attribute(element, "fldCharType") == "end" and open_fields:
            yield open_fields.pop()
    yield from open_fields


def _attribute(element: Any, name: str) -> str:
    return "".join(value for key, value in element.items() if etree.QName(key).localname == name)
