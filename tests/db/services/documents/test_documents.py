"""Documents kept in a real database: made once, found by their workspace only, sent once."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from automations.adapters.documents.renderer import ConfinedRenderer
from automations.db.session import unit_of_work
from automations.db.tables import Document, DocumentDelivery, Effect, Run
from automations.errors import StepError, ValidationFailed
from automations.execution.engine import Engine
from automations.execution.verdicts import GiveUp, Proceed
from automations.ports import Delivery, DocumentOrder, Mail, MailReceipt, RenderedDocument
from automations.services.documents import templates
from automations.services.documents.documents import StoredDocuments
from tests.db.runs import begin, reload, row, step, task
from tests.doubles import ports
from tests.letters import letter, texts

pytestmark = pytest.mark.slow  # each renders documents by an office program


class Counting(ConfinedRenderer):
    """Renders for real and counts how often."""

    def __init__(self) -> None:
        super().__init__()
        self.rendered = 0

    def render(
        self,
        template_format: str,
        content: bytes,
        data: Mapping[str, Any],
        output: str,
        **more: Any,
    ) -> RenderedDocument:
        self.rendered += 1
        return super().render(template_format, content, data, output, **more)


class Outbox:
    """A mailer that accepts everything."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []

    def send(self, mail: Mail) -> MailReceipt:
        self.sent.append(mail)
        return MailReceipt(f"<{mail.key}>", "test", mail.to, ())


@pytest.fixture
def run(database: str) -> Run:
    return begin(step("wait", "delay", 0, {"duration": "PT1H"}))


def template(run: Run, *paragraphs: str) -> str:
    return templates.create(
        ConfinedRenderer(),
        run.workspace_id,
        name="Letter",
        template_format="docx",
        content=letter(*paragraphs),
    ).id


def order(run: Run, template_id: str, **more: Any) -> DocumentOrder:
    given = DocumentOrder(
        workspace_id=run.workspace_id,
        run_id=run.id,
        key="key",
        template_id=template_id,
        format="docx",
        filename=None,
        data={"name": "Ada"},
    )
    return replace(given, **more)


def count(table: type[Any]) -> int:
    with unit_of_work() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_document_is_kept_with_its_size_and_digest(run: Run) -> None:
    documents = StoredDocuments(ConfinedRenderer())
    made = documents.generate(order(run, template(run, "Dear {{ name }}")))
    file = documents.file(run.workspace_id, made.id)
    assert texts(file.content) == ["Dear Ada"]
    assert (made.name, made.format, made.engine) == ("Letter.docx", "docx", "docxtpl")
    assert (made.size, made.sha256) == (
        len(file.content),
        hashlib.sha256(file.content).hexdigest(),
    )
    assert file.content_type.endswith("wordprocessingml.document")


def test_a_repeat_gets_the_same_document_and_renders_nothing(run: Run) -> None:
    renderer = Counting()
    documents, wanted = StoredDocuments(renderer), order(run, template(run, "x"))
    first = documents.generate(wanted)
    assert documents.generate(wanted) == first
    assert renderer.rendered == 1
    assert documents.generate(replace(wanted, key="another")) != first
    assert count(Document) == 2


def test_a_repeat_finds_what_another_version_has_made(run: Run) -> None:
    documents, wanted = StoredDocuments(ConfinedRenderer()), order(run, template(run, "x"))
    first = documents.generate(wanted)
    with unit_of_work() as session:
        effect = session.get_one(Effect, wanted.key)
        effect.result = {**effect.result, "renamedSince": 1}
    assert documents.generate(wanted) == first
    assert count(Document) == 1


def test_two_repeats_at_once_keep_one_document(run: Run) -> None:
    wanted = order(run, template(run, "x"))
    made: list[Any] = []
    threads = [
        threading.Thread(
            target=lambda: made.append(StoredDocuments(ConfinedRenderer()).generate(wanted))
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 3
    assert len({document.id for document in made}) == 1
    assert count(Document) == 1


def test_a_template_or_document_of_another_workspace_is_not_there(run: Run) -> None:
    documents, template_id = StoredDocuments(ConfinedRenderer()), template(run, "x")
    made = documents.generate(order(run, template_id))
    with pytest.raises(StepError, match=f"no document template {template_id}"):
        documents.generate(order(run, template_id, workspace_id="other", key="k2"))
    with pytest.raises(StepError, match=f"no document {made.id}"):
        documents.file("other", made.id)


def test_a_document_that_cannot_be_made_leaves_nothing_and_names_its_template(run: Run) -> None:
    wanted = order(run, template(run, "{{ nobody }}"))
    with pytest.raises(StepError, match=r"Document template 'Letter': .*'nobody'"):
        StoredDocuments(ConfinedRenderer()).generate(wanted)
    assert count(Document) == 0


def test_documents_outlive_their_template(run: Run) -> None:
    documents, template_id = StoredDocuments(ConfinedRenderer()), template(run, "x")
    made = documents.generate(order(run, template_id))
    templates.delete(run.workspace_id, template_id)
    assert texts(documents.file(run.workspace_id, made.id).content) == ["x"]


def test_new_content_makes_a_new_version_that_the_next_document_is_made_of(run: Run) -> None:
    documents, template_id = StoredDocuments(ConfinedRenderer()), template(run, "old")
    documents.generate(order(run, template_id))
    templates.replace(
        ConfinedRenderer(),
        run.workspace_id,
        template_id,
        name=None,
        template_format=None,
        content=letter("new"),
    )
    documents.generate(order(run, template_id, key="second"))
    with unit_of_work() as session:
        rows = session.scalars(select(Document).order_by(Document.template_version)).all()
    assert [found.template_version for found in rows] == [1, 2]


def test_a_format_does_not_change_without_content(run: Run) -> None:
    with pytest.raises(ValidationFailed, match="format: cannot change"):
        templates.replace(
            ConfinedRenderer(),
            run.workspace_id,
            template(run, "x"),
            name=None,
            template_format="markdown",
            content=None,
        )


def test_a_rejection_may_be_corrected_and_a_sent_mail_stays_sent(run: Run) -> None:
    documents = StoredDocuments(ConfinedRenderer())
    made = documents.generate(order(run, template(run, "x")))
    rejected = Delivery(made.id, "ada@b.example", "REJECTED", None, "451 later")
    sent = Delivery(made.id, "ada@b.example", "SENT", "<1>", None)
    assert documents.delivery("k") is None
    for delivery, kept in ((rejected, rejected), (sent, sent), (rejected, sent)):
        assert documents.record("k", run.workspace_id, run.id, delivery) == kept
        assert documents.delivery("k") == kept
    assert count(DocumentDelivery) == 1


def test_a_run_makes_a_document_and_sends_it(database: str) -> None:
    outbox = Outbox()
    engine = Engine(ports(mailer=outbox, documents=StoredDocuments(ConfinedRenderer())))
    made = {"templateId": "{{input.template}}", "format": "docx", "filename": "To {{input.text}}"}
    sent = {"documentId": "{{steps.make.documentId}}", "recipients": "ada@b.example"}
    attached = {
        "to": "bob@b.example",
        "subject": "Hi",
        "body": "",
        "attachments": [{"documentId": "{{steps.make.documentId}}"}],
    }
    run = begin(
        step("make", "generate_document", 0, made),
        step("send", "send_document", 1, sent),
        step("mail", "email", 2, attached),
    )
    with unit_of_work() as session:
        template_id = template(run, "{{ input.text }} {{ variables.limit }} {{ workflow.name }}")
        session.get_one(Run, run.id).input = {"text": "Ada/../x\r\nBcc: y", "template": template_id}
    for node in ("make", "send", "mail"):
        assert isinstance(engine.run(task(run, node)), Proceed), row(run, node)
    assert reload(run).status == "COMPLETED"
    assert [mail.attachments[0].filename for mail in outbox.sent] == [
        "To Ada_.._x_Bcc_ y.docx",
        "To Ada_.._x_Bcc_ y.docx",
    ]
    assert texts(outbox.sent[0].attachments[0].content) == ["Ada/../x\nBcc: y 5 Test"]
    assert count(DocumentDelivery) == 1


def test_a_missing_placeholder_fails_the_step_by_its_name(database: str) -> None:
    engine = Engine(ports(documents=StoredDocuments(ConfinedRenderer())))
    run = begin(step("make", "generate_document", 0, {"templateId": "{{input.template}}"}))
    template_id = template(run, "{{ submission.surname }}")
    with unit_of_work() as session:
        session.get_one(Run, run.id).input = {"template": template_id}
    verdict = engine.run(task(run, "make"))
    assert isinstance(verdict, GiveUp)
    assert "'submission.surname'" in verdict.error
    assert count(Document) == 0
