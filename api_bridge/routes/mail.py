"""Transactional mail."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Body

from api_bridge.bodies import MAX_FILES_BYTES, body_limit
from api_bridge.deps import EffectId, Member
from api_bridge.endpoint_marks import outside, slow
from api_bridge.routing import Router
from automations import wiring
from automations.services.access import rate_limits
from automations.services.integrations import mail
from automations.settings import get_settings

router = Router(prefix="/api/workflows", tags=["mail"])

Payload = Annotated[
    Any,
    Body(description="to, subject and body; optionally html, cc, bcc, replyTo, attachments."),
]


@router.post("/send-email")
@slow
@outside
@body_limit(MAX_FILES_BYTES)
def send_email(caller: Member, effect_id: EffectId, payload: Payload) -> dict[str, Any]:
    """Send a transactional email through the site email provider.

    Where the mail server refuses some recipients, ``reasons`` has what it said about each of them.
    A caller may send so many a minute, and a workspace so many (429 says when to go on):
    AUTOMATIONS_MAILS_PER_CALLER and AUTOMATIONS_MAILS_PER_WORKSPACE.
    """
    settings = get_settings()
    rate_limits.check(
        {
            f"mail:caller:{caller.member_id or caller.key_id}": settings.mails_per_caller,
            f"mail:workspace:{caller.workspace_id}": settings.mails_per_workspace,
        }
    )
    receipt = mail.send(caller.workspace_id, payload, wiring.ports(), effect_id)
    sent = {
        "messageId": receipt.message_id,
        "provider": receipt.provider,
        "accepted": list(receipt.accepted),
        "rejected": list(receipt.rejected),
    }
    return {**sent, "reasons": dict(receipt.reasons)} if receipt.rejected else sent
