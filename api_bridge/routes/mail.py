"""Transactional mail."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Body

from api_bridge.bodies import MAX_FILES_BYTES, body_limit
from api_bridge.deps import EffectId, Member
from api_bridge.natures import outside, patient
from api_bridge.routing import Router
from automations import wiring
from automations.services.integrations import mail

router = Router(prefix="/api/workflows", tags=["mail"])

Payload = Annotated[
    Any,
    Body(description="to, subject and body; optionally html, cc, bcc, replyTo, attachments."),
]


@router.post("/send-email")
@patient
@outside
@body_limit(MAX_FILES_BYTES)
def send_email(caller: Member, effect_id: EffectId, payload: Payload) -> dict[str, Any]:
    """Send a transactional email by the site email provider."""
    receipt = mail.send(caller.workspace_id, payload, wiring.ports(), effect_id)
    return {
        "messageId": receipt.message_id,
        "provider": receipt.provider,
        "accepted": list(receipt.accepted),
        "rejected": list(receipt.rejected),
    }
