"""Which pictures of a DOCX typst can show."""

from __future__ import annotations

from typing import Any

SHOWN = frozenset({"png", "jpg", "jpeg", "gif", "svg", "webp"})


_PICTURE = "{http://schemas.openxmlformats.org/drawingml/2006/picture}"
_MAIN = "{http://schemas.openxmlformats.org/drawingml/2006/main}"


def is_changed(element: Any) -> bool:
    """Whether an element says that a picture is shown in another way than its file has it."""
    if not str(element.tag).startswith(_MAIN):
        return False
    name, around = str(element.tag).removeprefix(_MAIN), str(element.getparent().tag)
    if around == f"{_MAIN}blip":
        return name != "extLst"
    if around != f"{_PICTURE}spPr":
        return False
    match name:
        case "xfrm":
            ways = (str(element.get(key, "0")) for key in ("rot", "flipH", "flipV"))
            return any(turn not in ("0", "false") for turn in ways)
        case "prstGeom":
            return str(element.get("prst")) != "rect"
        case "ln" | "effectLst":
            return len(element) > 0 and element.find(f"{_MAIN}noFill") is None
    return name == "custGeom"


def losses(document: Any) -> set[str]:
    """Names of the kinds of pictures that are lost."""
    kinds = {
        part.partname.ext.lower()
        for part in document.part.package.iter_parts()
        if part.content_type.startswith("image/")
    }
    return {f"pictures of the kind {kind}" for kind in kinds - SHOWN}
