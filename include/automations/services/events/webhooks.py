"""Webhooks: a delivery is verified, committed, and only then answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from automations.db.events import events, intake
from automations.db.events.intake import Hook
from automations.db.runs import run_steps
from automations.db.session import reading, statement, unit_of_work
from automations.definitions.triggers import WebhookTrigger, webhook_key
from automations.domain.events import NewEvent
from automations.domain.fields import parse_duration
from automations.domain.statuses import UNFINISHED, EventStatus, RunStatus
from automations.domain.webhook_deliveries import Delivery
from automations.errors import Conflict, NotFound, ValidationFailed
from automations.kit.storable import faults
from automations.kit.values import JSON
from automations.ports import SignatureVerifier
from automations.services.access import rate_limits as limits
from automations.services.audit import audit
from automations.services.forms import uploads
from automations.services.workflows import lookups, webhook_addresses, webhook_secrets
from automations.services.workflows.definitions import load
from automations.tokens import hash_token

EVENT_TYPE = "WEBHOOK"
_MAX_PER_MINUTE = 30_000
"""Deliveries to one URL, so that a sender gone wild leaves room for the others."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A delivery that is on record.

    Args:
        wait: how long its sender is to wait for the run's end; None when it is not.
    """

    workspace_id: str
    event_id: str
    duplicate: bool
    wait: timedelta | None


@dataclass(frozen=True, slots=True)
class Result:
    """How far the run of a delivery has come; ``run_id`` is None when there is none to wait for."""

    run_id: str | None
    status: RunStatus | EventStatus
    outputs: Mapping[str, JSON]
    ended: bool


def accept(token: str, delivery: Delivery, verifier: SignatureVerifier, address: str) -> Accepted:
    """Take a delivery, once for each id that its sender gives it, and each signature of GitHub's.

    Raises:
        NotFound: no automation has this URL.
        SignatureRefused: it is not genuine, or too old.
        TooManyRequests: the URL is used too often.
        ValidationFailed, TooLarge: it cannot be read.
    """
    delivery.check()
    hook, trigger = require(token, address)
    limits.check_roughly(f"webhook:{hook.workflow_id}", _MAX_PER_MINUTE)
    if trigger.secret is not None:
        secret = webhook_secrets.value_of(hook.workspace_id, trigger.secret)
        verifier.verify(
            trigger.verification, secret, delivery.headers, delivery.body, trigger.header
        )
    event_id, is_new = _take(hook, trigger, delivery)
    wait = parse_duration(trigger.respond_timeout) if trigger.respond == "result" else None
    return Accepted(hook.workspace_id, event_id, not is_new, wait)


def require(token: str, address: str) -> tuple[Hook, WebhookTrigger]:
    """The webhook of a URL.

    Raises:
        NotFound: no automation has this URL.
        TooManyRequests: so many that are none were asked for from the address.
    """
    hook = _find(token)
    if hook is None:
        limits.check_misses(address)
        raise NotFound("There is no such webhook.")
    return hook


def _take(hook: Hook, trigger: WebhookTrigger, delivery: Delivery) -> tuple[str, bool]:
    content = delivery.content()
    data = delivery.data(trigger.verification, trigger.header, content)
    if problems := faults(data, ""):
        raise ValidationFailed(problems)
    event = NewEvent(
        kind=EVENT_TYPE,
        trigger_key=webhook_key(hook.workflow_id),
        data=data,
        # With a blank, which no event from outside may have in its source.
        source=f"webhook {hook.workflow_id}",
        external_id=data["deliveryId"],
        signature=delivery.signature(trigger.verification),
        # Files are kept as documents, and not as raw bytes, too.
        raw=None if content.uploads else delivery.body,
    )
    if not content.uploads:
        with statement() as connection:
            return intake.take(connection, hook.workspace_id, event)
    with unit_of_work() as session:
        event_id, is_new = intake.take(session.connection(), hook.workspace_id, event)
        if is_new:
            uploads.keep(
                session,
                hook.workspace_id,
                content.uploads,
                source=f"webhook:{hook.workflow_id}",
            )
        return event_id, is_new


def _find(token: str) -> tuple[Hook, WebhookTrigger] | None:
    hook = intake.hook(hash_token(token))
    if hook is None:
        return None
    with reading() as session:
        trigger = load(session, hook.workflow_id, hook.version).definition.trigger
    return (hook, trigger) if isinstance(trigger, WebhookTrigger) else None


def result(event_id: str) -> Result | None:
    """How far the run of a delivery has come; None while the delivery is not matched yet."""
    with reading() as session:
        # First: when the event was matched, its run is there to be seen.
        status = events.status(session, event_id)
        if status == EventStatus.PENDING:
            return None
        runs = events.runs_of(session, event_id)
        if not runs:
            return Result(None, status, {}, ended=True)
        run = runs[0]
        ended = run.status not in UNFINISHED
        outputs = run_steps.outputs(session, run.id) if ended else {}
        return Result(run.id, run.status, outputs, ended)


def rotate(workspace_id: str, workflow_id: str) -> str:
    """Give an automation a new webhook URL; the old one is unknown from now on.

    Raises:
        NotFound: there is no such automation.
        Conflict: it has never had a webhook trigger.
    """
    with unit_of_work() as session:
        workflow = lookups.require(session, workspace_id, workflow_id, lock=True)
        if workflow.webhook_salt is None:
            raise Conflict("The automation has no webhook trigger.")
        webhook_addresses.renew(workflow)
        audit.record(session, "workflow.rotate_webhook", workflow, name=workflow.name)
        return str(webhook_addresses.url(workflow.webhook_salt, workflow.webhook_hash))
