"""Rewrites text boxes of headers and footers in the older form, which LibreOffice places right.

Of a shape with text, LibreOffice (7.4, at least) draws the text of one in a header where the page
begins, whatever the shape's place is. Word writes such a box in two forms; the older one (VML), and
so one that we make of the shape's measures, is drawn where it belongs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docx import Document
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn

_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_WPS = "{http://schemas.microsoft.com/office/word/2010/wordprocessingShape}"
_VML = "{urn:schemas-microsoft-com:vml}"
_RUNNING = (".header+xml", ".footer+xml")
_EMU_PER_POINT = 12_700
_FROM = {"page": "page", "margin": "margin"}
_BOX = """\
<w:pict {spaces} xmlns:v="urn:schemas-microsoft-com:vml"
 xmlns:o="urn:schemas-microsoft-com:office:office"><v:shapetype id="_x0000_t202"
 coordsize="21600,21600" o:spt="202" path="m,l,21600r21600,l21600,xe"/><v:shape
 id="Box{number}" type="#_x0000_t202" style="position:absolute;margin-left:{x:.1f}pt;\
margin-top:{y:.1f}pt;width:{width:.1f}pt;height:{height:.1f}pt;z-index:{number};\
mso-position-horizontal-relative:{across};mso-position-vertical-relative:{down}" {look}
 ><v:textbox/></v:shape></w:pict>"""


def rewrite(document: Path, result: Path) -> Path:
    """The document to convert: a copy where a box must be rewritten, else the same."""
    package = Document(str(document))
    changed = False
    for part in package.part.package.parts:
        if part.content_type.endswith(_RUNNING):
            for number, shape in enumerate(list(part.element.iter(f"{_WPS}txbx"))):
                changed |= _replace(shape, number)
    if not changed:
        return document
    package.save(str(result))
    return result


def _replace(box: Any, number: int) -> bool:
    anchor = next(box.iterancestors(qn("wp:anchor")), None)
    drawing = next(box.iterancestors(qn("w:drawing")), None)
    if anchor is None or drawing is None:
        return False
    alternatives = next(box.iterancestors(f"{_MC}AlternateContent"), None)
    outer = drawing if alternatives is None else alternatives
    fallback = None if alternatives is None else alternatives.find(f"{_MC}Fallback")
    older = None if fallback is None else fallback.find(f".//{qn('w:pict')}")
    if older is None or not _has_a_place(older):
        if len(list(drawing.iter(f"{_WPS}txbx"))) != 1:
            return False
        older = _build_box(anchor, box, number)
    outer.getparent().replace(outer, older)
    return True


def _has_a_place(older: Any) -> bool:
    return any(
        "position:absolute" in element.get("style", "")
        for element in older.iter(f"{_VML}shape", f"{_VML}rect", f"{_VML}group")
    )


def _build_box(anchor: Any, box: Any, number: int) -> Any:
    extent = anchor.find(qn("wp:extent"))
    across, x = _place(anchor, "wp:positionH")
    down, y = _place(anchor, "wp:positionV")
    properties = next(box.iterancestors(f"{_WPS}wsp")).find(f"{_WPS}spPr")
    fill = None if properties is None else properties.find(f"{qn('a:solidFill')}/{qn('a:srgbClr')}")
    line = None if properties is None else properties.find(qn("a:ln"))
    look = 'filled="f"' if fill is None else f'fillcolor="#{fill.get("val")}"'
    if line is None or line.find(qn("a:noFill")) is not None:
        look += ' stroked="f"'
    picture = parse_xml(
        _BOX.format(
            spaces=nsdecls("w"),
            number=number + 1,
            x=x,
            y=y,
            width=int(extent.get("cx")) / _EMU_PER_POINT,
            height=int(extent.get("cy")) / _EMU_PER_POINT,
            across={"column": "text"}.get(across, _FROM.get(across, "margin")),
            down={"paragraph": "text", "line": "text"}.get(down, _FROM.get(down, "margin")),
            look=look,
        )
    )
    content = box.find(qn("w:txbxContent"))
    if content is not None:
        picture.find(f".//{_VML}textbox").append(content)
    return picture


def _place(anchor: Any, name: str) -> tuple[str, float]:
    position = anchor.find(qn(name))
    if position is None:
        return "", 0.0
    offset = position.find(qn("wp:posOffset"))
    points = 0.0 if offset is None or not offset.text else int(offset.text) / _EMU_PER_POINT
    return position.get("relativeFrom", ""), points
