"""Pandoc: Markdown to DOCX, and DOCX to the typesetter's language."""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import Any

import pypandoc
from docx import Document
from docx.opc.oxml import parse_xml, serialize_part_xml
from docx.oxml import OxmlElement
from docx.oxml.ns import qn

from automations.adapters.documents import programs

_TIMEOUT = 30
"""Far longer than it takes."""
# Without everything by which a text could reach a later program unescaped.
_MARKDOWN = (
    "markdown-raw_attribute-raw_html-raw_tex-tex_math_dollars-latex_macros"
    "-citations-implicit_figures"
)
_BODY = """\
$if(title)$
#block(width: 100%, below: 1.4em, align(center, text(1.7em, weight: "bold")[$title$]))
$endif$
$if(subtitle)$
#block(width: 100%, align(center, text(1.2em)[$subtitle$]))
$endif$
$for(author)$
#align(center)[$author$]
$endfor$
$if(date)$
#align(center)[$date$]
$endif$
$if(abstract)$
#block(inset: (x: 2em))[$abstract$]
$endif$
$body$
"""
# The typesetter takes "..." for another sign, "-?" for none and "-5" for a number below zero, and
# pandoc leaves them so.
_AS_WRITTEN = """\
local function literal(text)
  return pandoc.RawInline("typst", (text:gsub(".", "\\\\%0")))
end

function Str(str)
  local made, from = pandoc.List{}, 1
  while from <= #str.text do
    local first, last = str.text:find("%.%.+", from)
    local hyphen, hyphens = str.text:find("%-+", from)
    if hyphen and not (first and first < hyphen) then first, last = hyphen, hyphens end
    if not first then break end
    if first > from then made:insert(pandoc.Str(str.text:sub(from, first - 1))) end
    made:insert(literal(str.text:sub(first, last)))
    from = last + 1
  end
  if from == 1 then return nil end
  if from <= #str.text then made:insert(pandoc.Str(str.text:sub(from))) end
  return made
end
"""


def docx_from_markdown(text: str, result: Path, line_break: str) -> None:
    """Make a DOCX of a Markdown text.

    Args:
        line_break: the character that becomes a line break.
    """
    source = result.with_suffix(".md")
    source.write_text(text)
    _run("-f", _MARKDOWN, "-t", "docx", "-o", str(result), str(source))
    if line_break in text:
        _break_lines(result, line_break)


def _break_lines(path: Path, line_break: str) -> None:
    document = Document(str(path))
    for part in document.part.package.parts:
        if "wordprocessingml" not in part.content_type:
            continue
        root = part._element if hasattr(part, "_element") else parse_xml(part.blob)
        for element in list(root.iter(qn("w:t"))):
            if line_break in (element.text or ""):
                _break_line(element, line_break)
        if not hasattr(part, "_element"):
            part._blob = serialize_part_xml(root)
    document.save(str(path))


def _break_line(element: Any, line_break: str) -> None:
    first, *rest = element.text.split(line_break)
    element.text = first
    last = element
    for text in rest:
        following = copy(element)
        following.text = text
        last.addnext(OxmlElement("w:br"))
        last.getnext().addnext(following)
        last = following
    for piece in element.getparent().iter(qn("w:t")):
        piece.set(qn("xml:space"), "preserve")


def typst_from_docx(document: Path) -> str:
    """The text of a DOCX for the typesetter; every character of it is escaped by pandoc."""
    template, result = document.with_name("body.template"), document.with_suffix(".typ")
    as_written = document.with_name("as_written.lua")
    template.write_text(_BODY)
    as_written.write_text(_AS_WRITTEN)
    how = ("--template", str(template), "--lua-filter", str(as_written))
    _run("-f", "docx", "-t", "typst", *how, "-o", str(result), str(document))
    return result.read_text()


def _run(*arguments: str) -> None:
    programs.run(
        [pypandoc.get_pandoc_path(), "--sandbox", "--wrap=none", *arguments], seconds=_TIMEOUT
    )
