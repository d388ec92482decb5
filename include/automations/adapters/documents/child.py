"""The confined process: ``python -m automations.adapters.documents.child <folder>``."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from automations.adapters.documents import confinement
from automations.adapters.documents.problems import DocumentProblem


def work(folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked and answer with what the parent wants to know."""
    # Imported under the limits, and only here: they are heavy.
    from automations.adapters.documents import page, pandoc, parts, templates

    template, template_format = folder / "template", str(job["template"])
    if job["task"] == "placeholders":
        if template_format == "docx":
            parts.check(template)
        return {"placeholders": templates.placeholders(template_format, template)}
    document = folder / "document.docx"
    if job["task"] == "show":
        parts.check(template)
        template.rename(document)
        return _to_pdf(folder, document, template_format, allow_loss=True)
    if template_format == "docx":
        templates.fill_docx(template, job["data"], document)
        # Data may have made a field or a link of what was none.
        parts.check(document)
        engine = "docxtpl"
    else:
        text = templates.fill_markdown(template, job["data"])
        pandoc.docx_from_markdown(text.text, document, text.stand_ins)
        page.set_a4(document)
        engine = "pandoc"
    if job["output"] != "pdf":
        return {"engine": engine, "losses": []}
    return _to_pdf(folder, document, template_format, job["allow_loss"])


def _to_pdf(folder: Path, document: Path, template_format: str, allow_loss: bool) -> dict[str, Any]:
    from automations.adapters.documents import (
        directions,
        fonts,
        losses,
        plain,
        soffice,
        text_boxes,
        typesetting,
    )

    program = soffice.find()
    characters = fonts.rare_characters(document)
    if program is not None:
        lost = _without_font(fonts.unknown_to_fontconfig(characters, folder))
        _allow(lost, allow_loss)
        converted = plain.rewrite(document, document)
        converted = directions.rewrite(converted, folder / "marked.docx")
        converted = text_boxes.rewrite(converted, folder / "placed.docx")
        soffice.pdfs_from_docx(program, [converted], folder)
        converted.with_suffix(".pdf").replace(folder / "document.pdf")
        return {"engine": "libreoffice", "losses": lost}
    simple = folder / "plain.docx"
    plain.write(document, simple)
    lost = _without_font(fonts.unknown_to_typst(characters, folder))
    # A Markdown template says nothing of what its document should look like.
    if template_format == "docx" and (shapes := losses.find(document)):
        lost = [*shapes, *lost]
        _allow(lost, allow_loss, "; LibreOffice, which shows more, is not installed")
    _allow(lost, allow_loss)
    typesetting.pdf_from_docx(simple, folder / "document.pdf")
    return {"engine": "typst", "losses": lost}


def _without_font(characters: Sequence[str]) -> list[str]:
    from automations.adapters.documents import fonts

    return [f"characters without a font: {fonts.describe(characters)}"] if characters else []


def _allow(lost: Sequence[str], allowed: bool, reason: str = "") -> None:
    if lost and not allowed:
        raise DocumentProblem(
            f'the PDF would lose {", ".join(lost)}{reason} (make a docx, or say "allowLoss": true)'
        )


def main() -> None:
    """Do the job that lies in the folder and leave the answer there."""
    folder = Path(sys.argv[1])
    job = json.loads((folder / "job.json").read_text())
    try:
        confinement.confine(**job["limits"])
        answer = work(folder, job)
    except DocumentProblem as problem:
        answer = {"error": str(problem), "kind": problem.kind}
    except MemoryError:
        answer = {"error": "the document needs more memory than it may have", "kind": "limit"}
    except RecursionError:
        answer = {"error": "the document is nested too deeply", "kind": "limit"}
    except confinement.Unconfined as error:
        answer = {"error": f"no document can be made here: {error}", "kind": "config"}
    except Exception as error:  # noqa: BLE001 -- the libraries have no error of their own for what is not sound
        traceback.print_exc()
        kind = "template" if job["task"] == "placeholders" else "document"
        answer = {"error": f"the document cannot be read: {error}", "kind": kind}
    (folder / "answer.json").write_text(json.dumps(answer))
    # Nothing is left to be tidied up, and a cramped interpreter may fail at it.
    os._exit(0)


if __name__ == "__main__":
    main()
