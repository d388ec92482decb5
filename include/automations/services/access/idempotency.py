"""Requests that are carried out once, however often they are sent."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from automations.db import idempotency
from automations.db.session import unit_of_work
from automations.errors import InProgress, RuleBroken, ValidationFailed
from automations.kit.ids import new_id
from automations.services.integrations import vault

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to carry out a request."""

    workspace_id: str
    key: str
    id: str


@dataclass(frozen=True, slots=True)
class Stored:
    """An answer, headers and body as bytes in latin-1."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: str


def begin(workspace_id: str, key: str, request_sha256: str) -> Claim | Stored:
    """Claim a key, or get the answer that the same request has had.

    Raises:
        ValidationFailed: it is no key.
        RuleBroken: another request had this key.
        InProgress: the same request is being carried out now.
    """
    if not _KEY.fullmatch(key):
        raise ValidationFailed({"Idempotency-Key": ["must be 1 to 255 visible ASCII characters"]})
    # Before anything is done: without a key of ours the answer could not be kept.
    vault.cipher()
    claim = Claim(workspace_id, key, new_id())
    with unit_of_work() as session:
        idempotency.prune(session)
        if idempotency.claim(
            session, workspace_id, key, request_sha256=request_sha256, claim_id=claim.id
        ):
            return claim
        found = idempotency.find(session, workspace_id, key)
    if found is not None and found.request_sha256 != request_sha256:
        raise RuleBroken("This Idempotency-Key was used for another request.")
    if found is None or found.status is None or found.answer is None:
        raise InProgress
    kept = json.loads(vault.decrypted("The answer", found.answer))
    return Stored(found.status, [(name, value) for name, value in kept["headers"]], kept["body"])


def finish(claim: Claim, answer: Stored) -> None:
    """Keep the answer for whoever sends the request again."""
    text = json.dumps({"headers": list(answer.headers), "body": answer.body})
    with unit_of_work() as session:
        idempotency.answer(
            session,
            claim.workspace_id,
            claim.key,
            claim.id,
            status=answer.status,
            answer=vault.cipher().encrypt(text),
        )


def release(claim: Claim) -> None:
    """Let the request be tried again."""
    with unit_of_work() as session:
        idempotency.release(session, claim.workspace_id, claim.key, claim.id)
