"""Runs pandoc: Markdown to DOCX, and DOCX to typst."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from copy import copy
from pathlib import Path
from typing import Any

import pypandoc
from docx.oxml.ns import qn
from lxml import etree

from automations.adapters.documents import programs
from automations.adapters.documents.word_template import address

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


def docx_from_markdown(text: str, result: Path, stand_ins: Mapping[str, str]) -> None:
    """Make a DOCX of a Markdown text.

    Args:
        stand_ins: what stands in it for characters that are no marks of Markdown, by these.

    Raises:
        TemplateProblem: a link of data would lead to what is no address.
    """
    source = result.with_suffix(".md")
    source.write_text(text)
    _run("-f", _MARKDOWN, "-t", "docx", "-o", str(result), str(source))
    if not set(text).isdisjoint(stand_ins.values()):
        _put_back(result, stand_ins)


def _put_back(path: Path, stand_ins: Mapping[str, str]) -> None:
    """Write the characters of the data where others stand for them."""
    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            is_xml = name.endswith((".xml", ".rels"))
            package.writestr(name, _with_data(content, stand_ins) if is_xml else content)


def _with_data(xml: bytes, stand_ins: Mapping[str, str]) -> bytes:
    line_break = stand_ins["\n"]
    meant = {mark: character for character, mark in stand_ins.items()}
    one_line = str.maketrans({**meant, line_break: " "})
    lines = str.maketrans(
        {mark: character for mark, character in meant.items() if mark != line_break}
    )
    root = etree.fromstring(xml)
    for element in list(root.iter("*")):
        for name, value in element.items():
            line = value.translate(one_line)
            if line != value:
                is_link = name == "Target" and element.get("TargetMode") == "External"
                element.set(name, address(line) if is_link else line)
        if element.tag == qn("w:t"):
            element.text = (element.text or "").translate(lines)
            _break_line(element, line_break)
        elif element.text:
            element.text = element.text.translate(one_line)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True))


def _break_line(element: Any, line_break: str) -> None:
    first, *rest = element.text.split(line_break)
    element.text, last = first, element
    for text in rest:
        following = copy(element)
        following.text = text
        last.addnext(etree.Element(qn("w:br")))
        last.getnext().addnext(following)
        last = following


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
