"""Checks that the parts of a DOCX are self-contained: no external links, programs or entities."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any

from lxml import etree

from automations.adapters.documents.problems import TemplateProblem

# Word notes where a document's template lay; it is dropped when the document is made.
_ATTACHED = "attachedTemplate"
_SETTINGS = "settings.xml.rels"
_LINKING = frozenset({"hyperlink", "hlinkClick", "hlinkHover", "hlinkMouseOver", _ATTACHED})
"""Elements that may name what is outside: nobody reads it before a person follows the link."""
_PROGRAMS = frozenset({"vbaProject", "oleObject", "aFChunk", "control", "subDocument"})
_FIELD = re.compile(
    r"\s*(INCLUDEPICTURE|INCLUDETEXT|INCLUDE|DDEAUTO|DDE|LINK|IMPORT|DATABASE|RD|EMBED)\b",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"\s*([a-z][a-z0-9+.-]+:|//|\\\\)", re.IGNORECASE)
_URL = re.compile(r"url\(([^)]*)\)", re.IGNORECASE)
_SVG = "{http://www.w3.org/2000/svg"
_VML = "{urn:schemas-microsoft-com:vml"
_RELATIONSHIPS = (
    "{http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    "{http://purl.oclc.org/ooxml/officeDocument/relationships",
    "{urn:schemas-microsoft-com:office:office",
)
_XML_STARTS = (b"<", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def check(path: Path) -> None:
    """Check every part that is XML, whatever its name.

    Raises:
        TemplateProblem: names the part or link that is not allowed.
    """
    with zipfile.ZipFile(path) as package:
        outside = _outside(package)
        for name in package.namelist():
            root = _parse(name, package.read(name))
            if root is None:
                continue
            if root.getroottree().docinfo.internalDTD is not None:
                raise TemplateProblem(f"has a document type declaration in {name}")
            if name.lower().endswith(".rels"):
                _check_links(name, root)
            _check_uses(name, root, outside.get(name, frozenset()))
            for instruction in _instructions(root):
                field = _FIELD.match(instruction)
                if field:
                    raise TemplateProblem(
                        f"has a field that reads from outside: {field.group(1).upper()}"
                    )


def _parse(name: str, data: bytes) -> Any:
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


def _outside(package: zipfile.ZipFile) -> Mapping[str, Set[str]]:
    """By part, the ids of its relationships that lead outside."""
    targets: dict[str, Set[str]] = {}
    for name in package.namelist():
        folder, _, file = name.rpartition("/")
        if file.lower().endswith(".rels") and folder.lower().endswith("_rels"):
            root = _parse(name, package.read(name))
            part = f"{folder[: -len('_rels')]}{file[: -len('.rels')]}"
            targets[part] = frozenset(
                relation.get("Id", "")
                for relation in root.iter("{*}Relationship")
                if _leads_outside(relation)
            )
    return targets


def _leads_outside(relation: Any) -> bool:
    is_external = relation.get("TargetMode", "").lower() == "external"
    return is_external or _ADDRESS.match(relation.get("Target", "")) is not None


def _check_links(name: str, root: Any) -> None:
    for relation in root.iter("{*}Relationship"):
        kind = relation.get("Type", "").rpartition("/")[2]
        if kind in _PROGRAMS:
            raise TemplateProblem(f"holds an embedded program or file ({kind})")
        if not _leads_outside(relation):
            continue
        if kind == "hyperlink" or (kind == _ATTACHED and name.endswith(_SETTINGS)):
            continue
        raise TemplateProblem(f"links to content outside of itself ({kind})")


def _check_uses(name: str, root: Any, outside: Set[str]) -> None:
    """That nothing but a link names what is outside, whatever the relationship calls itself."""
    for element in root.iter(etree.Element):
        space, _, local = element.tag.rpartition("}")
        uses = outside and any(
            value in outside and key.startswith(_RELATIONSHIPS) for key, value in element.items()
        )
        if (
            (uses and local not in _LINKING)
            or (space == _VML and not _reads_itself(element.get("src", "")))
            or (space == _SVG and not _is_drawn(element, local))
        ):
            raise TemplateProblem(f"links to content outside of itself ({local} in {name})")


def _is_drawn(element: Any, local: str) -> bool:
    for key, value in element.items():
        if key.rpartition("}")[2] == "href" and local != "a" and not _reads_itself(value):
            return False
        if not _is_styled_by_itself(value):
            return False
    return local != "style" or _is_styled_by_itself("".join(element.itertext()))


def _reads_itself(address: str) -> bool:
    return not address.strip() or address.strip().lower().startswith(("#", "data:"))


def _is_styled_by_itself(style: str) -> bool:
    return "@import" not in style.lower() and all(
        _reads_itself(url.strip("'\" ")) for url in _URL.findall(style)
    )


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
