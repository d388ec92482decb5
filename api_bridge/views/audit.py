"""How API keys, the audit log, security events and evidence look in answers."""

from __future__ import annotations

from typing import Any

from automations.domain.audit import AuditLog, SecurityEvent
from automations.kit.clock import timestamp
from automations.services.access.api_keys import ApiKey
from automations.services.evidence.evidence import EvidenceSnapshot, Verification


def api_key(key: ApiKey) -> dict[str, Any]:
    """An API key; its token is kept nowhere."""
    return {
        "id": key.id,
        "prefix": key.prefix,
        "name": key.name,
        "role": key.role,
        "scopes": key.scopes,
        "memberId": key.member_id,
        "createdAt": timestamp(key.created_at),
        "lastUsedAt": key.last_used_at and timestamp(key.last_used_at),
        "expiresAt": key.expires_at and timestamp(key.expires_at),
        "previousTokenExpiresAt": key.previous_expires_at and timestamp(key.previous_expires_at),
    }


def audit_log(line: AuditLog) -> dict[str, Any]:
    """A line of the audit log."""
    return {
        "id": str(line.id),
        "at": timestamp(line.at),
        "actor": {"type": line.actor_type, "name": line.actor, "id": line.actor_id},
        "action": line.action,
        "resource": {"type": line.resource_type, "id": line.resource_id},
        "ip": line.ip,
        "requestId": line.request_id,
        "details": line.details,
    }


def security_event(event: SecurityEvent) -> dict[str, Any]:
    """A security event."""
    return {
        "id": event.id,
        "at": timestamp(event.at),
        "type": event.type,
        "severity": event.severity,
        "actor": event.actor,
        "ip": event.ip,
        "requestId": event.request_id,
        "details": event.details,
        "count": event.count,
    }


def evidence(snapshot: EvidenceSnapshot) -> dict[str, Any]:
    """A snapshot in a list, without its content."""
    return {
        "id": snapshot.id,
        "number": snapshot.number,
        "source": snapshot.source,
        "title": snapshot.title,
        "query": snapshot.query,
        "rowCount": snapshot.row_count,
        "sha256": snapshot.sha256,
        "previousSha256": snapshot.previous_sha256,
        "chainSha256": snapshot.chain_sha256,
        "runId": snapshot.run_id,
        "createdAt": timestamp(snapshot.created_at),
    }


def verification(result: Verification) -> dict[str, Any]:
    """Whether a chain of evidence holds, and where it first does not."""
    broken = result.broken
    return {
        "valid": broken is None,
        "count": result.count,
        "headSha256": result.head,
        "firstBroken": broken
        and {"number": broken.number, "id": broken.snapshot_id, "reason": broken.reason},
    }
