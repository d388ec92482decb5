"""Send a generated document by mail."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from automations.domain import people
from automations.domain.fields import Model, Text
from automations.domain.statuses import DeliveryStatus
from automations.ports import Attachment, Delivery, Mail
from automations.steps.base import StepContext, StepType, Subject
from automations.steps.email import Addresses, Line
from automations.steps.outcomes import Done, Fail, Outcome


class SendDocumentConfig(Model):
    """The document and its recipients."""

    document_id: Text = Field(
        min_length=1,
        max_length=100,
        description="The document, such as {{steps['Generate'].documentId}}.",
    )
    recipients: Annotated[Addresses, Field(min_length=1)] = Field(
        description="Recipients, each of whom gets a separate mail: an address, several separated "
        "by commas, or a list."
    )
    subject: Line | None = Field(
        None, description="Subject, one line; by default the document's name."
    )
    message: Text = Field("", max_length=100_000, description="The text of the mail.")


class SendDocument(StepType[SendDocumentConfig]):
    """Send a document by mail, with one mail and one delivery record per recipient."""

    type = "send_document"
    title = "Send a document"
    Config = SendDocumentConfig
    refers_to: ClassVar = {"document_id": Subject.DOCUMENT}
    example: ClassVar = {"documentId": "<document id>", "recipients": "{{input.email}}"}
    outputs: ClassVar = {
        "deliveries": "recipient, status (SENT or REJECTED), messageId and reason of each",
        "accepted": "number of mails that the mail server accepted",
        "rejected": "number of mails that it refused",
    }

    def run(self, config: SendDocumentConfig, ctx: StepContext) -> Outcome:
        file = ctx.ports.documents.file(ctx.workspace_id, config.document_id)
        deliveries = [
            _deliver(config, ctx, file, recipient)
            for recipient in people.each_once(config.recipients)
        ]
        sent = [delivery for delivery in deliveries if delivery.status == DeliveryStatus.SENT]
        output = {
            "deliveries": [
                {
                    "recipient": delivery.address,
                    "status": delivery.status,
                    "messageId": delivery.message_id,
                    "reason": delivery.reason,
                }
                for delivery in deliveries
            ],
            "accepted": len(sent),
            "rejected": len(deliveries) - len(sent),
        }
        if sent:
            return Done(output)
        reasons = [delivery.reason or "rejected" for delivery in deliveries]
        listed = "; ".join(
            f"{delivery.address}: {reason}"
            for delivery, reason in zip(deliveries, reasons, strict=True)
        )
        temporary = all(reason.startswith("4") for reason in reasons)
        return Fail(f"Every recipient was rejected: {listed}", "rejected", temporary, output=output)


def _deliver(
    config: SendDocumentConfig, ctx: StepContext, file: Attachment, recipient: str
) -> Delivery:
    documents, key = ctx.ports.documents, f"{ctx.idempotency_key}:{recipient}"
    before = documents.delivery(key)
    if before is not None and before.status == DeliveryStatus.SENT:
        return before
    receipt = ctx.ports.mailer.send(
        Mail(
            to=(recipient,),
            subject=config.subject or file.filename,
            body=config.message,
            attachments=(file,),
            key=key,
            workspace_id=ctx.workspace_id,
            timeout=ctx.timeout,
        )
    )
    accepted = recipient in receipt.accepted
    delivery = Delivery(
        document_id=config.document_id,
        address=recipient,
        status=DeliveryStatus.SENT if accepted else DeliveryStatus.REJECTED,
        message_id=receipt.message_id if accepted else None,
        reason=None if accepted else receipt.reasons.get(recipient, "rejected"),
    )
    return documents.record(key, ctx.workspace_id, ctx.run_id, delivery)
