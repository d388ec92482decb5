"""The confined process: ``python -m automations.adapters.documents.child <folder>``."""

from __future__ import annotations

import json
import os
import resource
import sys
import traceback
from pathlib import Path
from typing import Any

from automations.adapters.documents.problems import DocumentProblem

_MAX_FILE_BYTES = 200_000_000


def confine(limits: dict[str, Any]) -> None:
    """Give up, for good, what the work does not need; only outside programs may have more."""
    seconds, memory = int(limits["seconds"]), int(limits["memory"])
    ceiling = max(memory, int(limits["program_memory"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_FILE_BYTES, _MAX_FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory, ceiling))


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
    if template_format == "docx":
        templates.fill_docx(template, job["data"], document)
        engine = "docxtpl"
    else:
        pandoc.docx_from_markdown(templates.fill_markdown(template, job["data"]), document)
        page.set_a4(document)
        engine = "pandoc"
    if job["output"] == "pdf":
        engine = _to_pdf(document, folder / "document.pdf", float(job["limits"]["soffice_seconds"]))
    return {"engine": engine}


def _to_pdf(document: Path, result: Path, seconds: float) -> str:
    from automations.adapters.documents import soffice, typesetting

    program = soffice.find()
    if program is not None:
        try:
            soffice.pdf_from_docx(program, document, result, seconds)
            return "libreoffice"
        except DocumentProblem as problem:
            print(f"LibreOffice: {problem}", file=sys.stderr)
    typesetting.pdf_from_docx(document, result)
    return "typst"


def main() -> None:
    """Do the job that lies in the folder and leave the answer there."""
    folder = Path(sys.argv[1])
    job = json.loads((folder / "job.json").read_text())
    confine(job["limits"])
    try:
        answer = work(folder, job)
    except DocumentProblem as problem:
        answer = {"error": str(problem), "kind": problem.kind}
    except MemoryError:
        answer = {"error": "the document needs more memory than it may have", "kind": "limit"}
    except RecursionError:
        answer = {"error": "the document is nested too deeply", "kind": "limit"}
    except Exception as error:  # the libraries have no error of their own for what is not sound
        traceback.print_exc()
        kind = "template" if job["task"] == "placeholders" else "document"
        answer = {"error": f"the document cannot be read: {error}", "kind": kind}
    (folder / "answer.json").write_text(json.dumps(answer))
    # Nothing is left to be tidied up, and a cramped interpreter may fail at it.
    os._exit(0)


if __name__ == "__main__":
    main()
