"""Forms, what was filled into them, documents and templates, as pages show them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from automations.db.session import Session, unit_of_work
from automations.db.tables import Document, DocumentTemplate, Form, FormVersion
from automations.domain.forms.schema import FormSchema
from automations.services.forms import forms, submissions

if TYPE_CHECKING:
    from tests.console.sample import Sample

COUNTRIES = [{"label": "Poland", "value": "PL"}, {"label": "Germany", "value": "DE"}]
SCHEMA: dict[str, Any] = {
    "sections": [
        {
            "id": "company",
            "title": "The company",
            "fields": [
                {"id": "1", "key": "intro", "type": "paragraph", "label": "It takes five minutes."},
                {
                    "id": "2",
                    "key": "name",
                    "type": "text",
                    "label": "Name",
                    "help": "As it stands in the register.",
                    "validation": {"required": True, "maxLength": 200},
                },
                {
                    "id": "3",
                    "key": "country",
                    "type": "select",
                    "label": "Country",
                    "options": COUNTRIES,
                    "validation": {"required": True},
                },
                {
                    "id": "4",
                    "key": "turnover",
                    "type": "currency",
                    "label": "Turnover",
                    "validation": {"min": 0},
                },
                {"id": "5", "key": "exposed", "type": "yesno", "label": "Politically exposed?"},
                {"id": "6", "key": "extract", "type": "file", "label": "Register extract"},
            ],
        },
        {
            "id": "directors",
            "title": "Directors",
            "repeatable": True,
            "repeatableConfig": {"minItems": 1, "maxItems": 5},
            "fields": [
                {"id": "7", "key": "director", "type": "text", "label": "Name"},
                {"id": "8", "key": "born", "type": "date", "label": "Born on"},
            ],
        },
    ]
}
LETTER = """# Dear {{ client.name }},

thank you for {{ amount }} EUR.

{% for item in items %}
- {{ item.title }}
{% endfor %}
"""
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f64540"
    "0000000049454e44ae426082"
)


def pdf(text: str) -> bytes:
    """A PDF of one page with a line on it."""
    drawn = f"BT /F1 24 Tf 72 700 Td ({text}) Tj ET".encode()
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R"
        b"/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(drawn), drawn),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    made, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(made))
        made += b"%d 0 obj%s endobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(parts) + 1
    return made + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF"
        % (count, table, count, len(made))
    )


def document(session: Session, workspace: str, name: str, content: bytes, **more: Any) -> str:
    """A document that is kept."""
    row = Document(
        workspace_id=workspace,
        name=name,
        format=name.rpartition(".")[2],
        content=content,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        **more,
    )
    session.add(row)
    session.flush()
    return row.id


def fill(made: Sample) -> None:
    """Make a form that is published, with what was filled in; documents, and a template."""
    with unit_of_work() as session:
        template = DocumentTemplate(
            workspace_id=made.workspace,
            name="Thank-you letter",
            format="markdown",
            content=LETTER.encode(),
            size=len(LETTER),
            sha256=hashlib.sha256(LETTER.encode()).hexdigest(),
            placeholders=["amount", "client.name", "items"],
        )
        session.add(template)
        session.flush()
        made.template = template.id
        of_run = {"run_id": made.runs["completed"], "template_id": template.id}
        texts = b"date,amount\n2026-03-01,12\n"
        made.documents = {
            "text": document(session, made.workspace, "Accounts.csv", texts),
            "picture": document(session, made.workspace, "Passport.png", PNG),
            "pdf": document(
                session,
                made.workspace,
                "Thank-you letter.pdf",
                pdf("Dear ACME,"),
                template_version=1,
                engine="typst",
                **of_run,
            ),
        }
    schema = FormSchema.model_validate(SCHEMA)
    made.questionnaire = forms.create(
        made.workspace,
        title="Client questionnaire",
        description="What we must know of a new client.",
        form=schema,
        public=True,
    ).id
    answers: dict[str, Any] = {
        "name": "ACME GmbH",
        "country": "DE",
        "turnover": 25_000_000,
        "exposed": False,
        "extract": {"documentId": made.documents["pdf"]},
        "section_directors_items": [
            {"director": "Ada Lovelace", "born": "1990-12-10"},
            {"director": "Grace Hopper"},
        ],
    }
    made.answered = submissions.submit(made.workspace, made.questionnaire, answers).id
    submissions.approve(made.people["OWNER"], made.answered)


def say(session: Session, text: str) -> None:
    """Have a text stand in everything that is written of forms and documents."""
    field = {"key": text, "label": text, "help": text, "options": [{"label": text, "value": text}]}
    schema = {
        "sections": [
            {
                "id": text,
                "title": text,
                "fields": [
                    {**field, "id": kind, "key": f"{kind}{text}"[:200], "type": kind}
                    for kind in ("text", "select", "paragraph", "heading")
                ],
            }
        ]
    }
    for form in [*session.query(Form), *session.query(FormVersion)]:
        form.title = form.description = text
        form.schema = schema
    for found in session.query(Document):
        found.name = text
        if found.format == "csv":
            found.content = text.encode()
    for template in session.query(DocumentTemplate):
        template.name, template.placeholders = text, [text]


def pages(there: Sample) -> list[str]:
    """The addresses of their pages."""
    return [
        "/console/forms",
        "/console/forms?q=questionnaire&state=public",
        "/console/forms?q=nothing",
        f"/console/forms/{there.form}",
        f"/console/forms/{there.questionnaire}",
        f"/console/submissions/{there.submission}",
        f"/console/submissions/{there.answered}",
        "/console/documents",
        f"/console/documents?q=letter&format=pdf&source=made&template={there.template}",
        "/console/documents?q=nothing",
        f"/console/documents?run={there.runs['completed']}",
        *(f"/console/documents/{one}" for one in there.documents.values()),
        "/console/documents/templates",
        f"/console/documents/templates/{there.template}",
    ]


def editor_pages(there: Sample) -> list[str]:
    """Those that only who may change forms has."""
    designer = f"/console/forms/{there.questionnaire}/edit"
    fields = [f"part.0.{number}" for number in range(6)]
    return [
        designer,
        *(f"{designer}?at={at}" for at in ("form", "part.0", "part.1", "add.1.0", "part.9.9")),
        *(f"{designer}?at={at}" for at in fields),
    ]


def addresses(there: Sample) -> dict[str, str]:
    """The pages that are worth a picture, by name."""
    designer = f"/console/forms/{there.questionnaire}/edit"
    return {
        "forms": "/console/forms",
        "form": f"/console/forms/{there.questionnaire}",
        "designer": f"{designer}?at=part.0.2",
        "designer-add": f"{designer}?at=add.0.6",
        "designer-section": f"{designer}?at=part.1",
        "designer-form": f"{designer}?at=form",
        "submission": f"/console/submissions/{there.answered}",
        "documents": "/console/documents",
        "document": f"/console/documents/{there.documents['text']}",
        "document-pdf": f"/console/documents/{there.documents['pdf']}",
        "templates": "/console/documents/templates",
        "template": f"/console/documents/templates/{there.template}",
    }
