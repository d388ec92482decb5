"""Resolves the styles of a DOCX, with those that they are based on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docx.oxml.ns import qn

_OFF = frozenset({"0", "false", "off"})
_MAX_DEPTH = 20


def is_on(element: Any) -> bool:
    """Whether a property that may be switched is on."""
    return element.get(qn("w:val"), "1").lower() not in _OFF


class Styles:
    """Styles by id.

    Args:
        element: w:styles
    """

    def __init__(self, element: Any) -> None:
        self.element = element
        self._by_id = {style.get(qn("w:styleId")): style for style in element.iter(qn("w:style"))}
        self._usual = next(
            (
                style.get(qn("w:styleId"))
                for style in element.iter(qn("w:style"))
                if style.get(qn("w:type")) == "paragraph" and style.get(qn("w:default")) == "1"
            ),
            None,
        )
        path = "/".join(map(qn, ("w:docDefaults", "w:rPrDefault", "w:rPr", "w:vanish")))
        self._hidden_by_default = element.find(path)

    def chain(self, style_id: str | None) -> Iterator[Any]:
        """A style, and those that it is based on."""
        for _ in range(_MAX_DEPTH):
            style = self._by_id.get(style_id)
            if style is None:
                return
            yield style
            based_on = style.find(qn("w:basedOn"))
            style_id = None if based_on is None else based_on.get(qn("w:val"))

    def hides(self, run: Any, paragraph: Any) -> bool:
        """Whether a run is hidden, by itself or by a style."""
        own = run.find(f"{qn('w:rPr')}/{qn('w:vanish')}")
        if own is not None:
            return is_on(own)
        table = next(paragraph.iterancestors(qn("w:tbl")), None)
        named = (
            _value_at(run, "w:rPr/w:rStyle"),
            _value_at(paragraph, "w:pPr/w:pStyle") or self._usual,
            None if table is None else _value_at(table, "w:tblPr/w:tblStyle"),
        )
        for style_id in named:
            for style in self.chain(style_id):
                vanish = style.find(f"{qn('w:rPr')}/{qn('w:vanish')}")
                if vanish is not None:
                    return is_on(vanish)
        return self._hidden_by_default is not None and is_on(self._hidden_by_default)


def _value_at(holder: Any, path: str) -> str | None:
    element = holder.find("/".join(map(qn, path.split("/"))))
    return None if element is None else str(element.get(qn("w:val")))
