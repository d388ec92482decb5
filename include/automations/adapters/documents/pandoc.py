"""Pandoc: Markdown to DOCX, and DOCX to the typesetter's language."""

from __future__ import annotations

from pathlib import Path

import pypandoc

from automations.adapters.documents import programs

_SECONDS = 30
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


def docx_from_markdown(text: str, result: Path) -> None:
    """Make a DOCX of a Markdown text."""
    source = result.with_suffix(".md")
    source.write_text(text)
    _run("-f", _MARKDOWN, "-t", "docx", "-o", str(result), str(source))


def typst_from_docx(document: Path) -> str:
    """The text of a DOCX for the typesetter; every character of it is escaped by pandoc."""
    template, result = document.with_name("body.template"), document.with_suffix(".typ")
    template.write_text(_BODY)
    _run("-f", "docx", "-t", "typst", "--template", str(template), "-o", str(result), str(document))
    return result.read_text()


def _run(*arguments: str) -> None:
    programs.run(
        [pypandoc.get_pandoc_path(), "--sandbox", "--wrap=none", *arguments], seconds=_SECONDS
    )
