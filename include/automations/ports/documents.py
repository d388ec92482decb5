"""The ports for documents: templates, rendering, storage and delivery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from automations.ports.mail import Attachment


@dataclass(frozen=True, slots=True)
class RenderedDocument:
    """A document as it came out, and the engine that made it.

    Args:
        losses: names of what a PDF does not show of its document.
    """

    content: bytes
    engine: str
    losses: Sequence[str] = ()


class DocumentRenderer(Protocol):
    """Reads and fills document templates; raises StepError, TemplateError for their mistakes.

    ``whose`` is the workspace that it is done for: none takes the turns of all.
    """

    def placeholders(
        self, template_format: str, content: bytes, *, owner: str = ""
    ) -> tuple[str, ...]:
        """The dotted names that a template takes; refuses one that is not sound."""
        ...

    def render(
        self,
        template_format: str,
        content: bytes,
        data: Mapping[str, Any],
        output: str,
        *,
        seconds: float | None = None,
        allow_loss: bool = False,
        owner: str = "",
    ) -> RenderedDocument:
        """Fill in a template.

        Args:
            seconds: after which it is given up; as long as usual when None.
            allow_loss: whether a PDF may show less than its document.
        """
        ...

    def pdf(self, content: bytes, *, owner: str = "") -> RenderedDocument:
        """A DOCX as it is, as a PDF to look at, which may show less than the document."""
        ...


@dataclass(frozen=True, slots=True)
class DocumentOrder:
    """A document to make.

    Args:
        key: idempotency key; a repeat gets the document that was made.
        filename: the template's name when None.
        seconds: after which it is given up; as long as usual when None.
        allow_loss: whether a PDF may show less than its document.
    """

    workspace_id: str
    run_id: str
    key: str
    template_id: str
    format: str
    filename: str | None
    data: Mapping[str, Any]
    seconds: float | None = None
    allow_loss: bool = False


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document that was made and kept."""

    id: str
    name: str
    format: str
    size: int
    sha256: str
    engine: str
    losses: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of sending a document to one address; status SENT or REJECTED."""

    document_id: str
    address: str
    status: str
    message_id: str | None
    reason: str | None = None


class Documents(Protocol):
    """Makes and keeps documents; raises StepError when one cannot be made or is not there."""

    def generate(self, order: DocumentOrder) -> StoredDocument: ...

    def file(self, workspace_id: str, document_id: str) -> Attachment:
        """A document as a file to send."""
        ...

    def delivery(self, key: str) -> Delivery | None:
        """What was recorded under this key."""
        ...

    def record(self, key: str, workspace_id: str, run_id: str, delivery: Delivery) -> Delivery:
        """Record a delivery; one that was sent is never changed."""
        ...
