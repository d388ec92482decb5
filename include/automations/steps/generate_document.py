"""Make a document of a template."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from automations.domain.fields import Model, OptionalText, OrTemplate, Text
from automations.kit.values import JSON
from automations.ports import DocumentOrder
from automations.steps.base import StepContext, StepType, Subject
from automations.steps.outcomes import Done, Outcome

_NAMES = ("trigger", "submission", "input", "variables", "steps", "run", "workflow", "loop", "now")


class GenerateDocumentConfig(Model):
    """Which template to fill with what."""

    template_id: Text = Field(
        min_length=1, max_length=100, description="Id of a document template of the workspace."
    )
    format: OrTemplate[Literal["docx", "pdf"]] = Field("pdf", description="docx or pdf.")
    filename: OptionalText = Field(
        None,
        max_length=1_000,
        description="File name of the document; by default the template's name. Characters that "
        "are invalid in file names are replaced, and the extension follows the "
        "format.",
    )
    data: OrTemplate[dict[str, JSON]] | None = Field(
        None,
        description="Values for the template's placeholders. By default, the run's names: "
        "trigger, submission, input, variables, steps, run, workflow, now, and loop "
        "in a loop.",
    )

    allow_loss: bool = Field(
        False,
        strict=True,
        description="Create the PDF even if it shows less than the document would; `losses` names "
        "what is lost. Otherwise, the step fails, and its error names the losses.",
    )

    @field_validator("filename")
    @classmethod
    def _not_empty(cls, value: str | None) -> str | None:
        if value is not None and not value.strip():
            raise ValueError("must not be empty")
        return value


class GenerateDocument(StepType[GenerateDocumentConfig]):
    """Fill in a document template and store the result as DOCX or PDF."""

    type = "generate_document"
    title = "Generate a document"
    Config = GenerateDocumentConfig
    heavy = True
    refers_to: ClassVar = {"template_id": Subject.DOCUMENT_TEMPLATE}
    example: ClassVar = {
        "templateId": "<template id>",
        "format": "docx",
        "data": {"name": "{{input.name}}"},
    }
    keeps = True
    outputs: ClassVar = {
        "documentId": "the document",
        "name": "its file name",
        "format": "docx or pdf",
        "size": "in bytes",
        "sha256": "of its content",
        "engine": "the engine that created it: docxtpl, pandoc, typst or libreoffice",
        "losses": "what the PDF does not show of the document; empty without `allowLoss`",
    }
    timeout = timedelta(minutes=2)

    def is_idempotent(self, config: GenerateDocumentConfig) -> bool:
        return True

    def run(self, config: GenerateDocumentConfig, ctx: StepContext) -> Outcome:
        document = ctx.ports.documents.generate(
            DocumentOrder(
                workspace_id=ctx.workspace_id,
                run_id=ctx.run_id,
                key=ctx.idempotency_key,
                template_id=config.template_id,
                format=config.format,
                filename=config.filename,
                data=config.data if isinstance(config.data, dict) else _names(ctx),
                seconds=ctx.timeout.total_seconds(),
                allow_loss=config.allow_loss,
            )
        )
        return Done(
            {
                "documentId": document.id,
                "name": document.name,
                "format": document.format,
                "size": document.size,
                "sha256": document.sha256,
                "engine": document.engine,
                "losses": list(document.losses),
            }
        )


def _names(ctx: StepContext) -> dict[str, JSON]:
    values = {name: ctx.render("{{" + name + "}}", missing_ok=True) for name in _NAMES}
    return {name: value for name, value in values.items() if value is not None}
