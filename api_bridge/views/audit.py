"""How API keys, the audit log, security events and evidence look in answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from automations.db.tables import ApiKey, AuditLog, EvidenceSnapshot, SecurityEvent
from automations.kit.clock import timestamp
from automations.services.evidence.evidence import Verification


def _at(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)


def api_key(row: ApiKey) -> dict[str, Any]:
    """An API key; its token is kept nowhere."""
    return {
        "id": row.id,
        "prefix": row.prefix,
        "name": row.name,
        "role": row.role,
        "scopes": row.scopes,
        "memberId": row.member_id,
        "createdAt": _at(row.created_at),
        "lastUsedAt": _at(row.last_used_at),
        "expiresAt": _at(row.expires_at),
        "previousTokenExpiresAt": _at(row.previous_expires_at),
    }


def audit_log(row: AuditLog) -> dict[str, Any]:
    """A line of the audit log."""
    return {
        "id": str(row.id),
        "at": _at(row.at),
        "actor": {"type": row.actor_type, "name": row.actor, "id": row.actor_id},
        "action": row.action,
        "resource": {"type": row.resource_type, "id": row.resource_id},
        "ip": row.ip,
        "requestId": row.request_id,
        "details": row.details,
    }


def security_event(row: SecurityEvent) -> dict[str, Any]:
    """A security event."""
    return {
        "id": row.id,
        "at": _at(row.at),
        "type": row.type,
        "severity": row.severity,
        "actor": row.actor,
        "ip": row.ip,
        "requestId": row.request_id,
        "details": row.details,
        "count": row.count,
    }


def evidence(row: EvidenceSnapshot) -> dict[str, Any]:
    """A snapshot in a list, without its content."""
    return {
        "id": row.id,
        "number": row.number,
        "source": row.source,
        "title": row.title,
        "query": row.query,
        "rowCount": row.row_count,
        "sha256": row.sha256,
        "previousSha256": row.previous_sha256,
        "chainSha256": row.chain_sha256,
        "runId": row.run_id,
        "createdAt": _at(row.created_at),
    }


def verification(found: Verification) -> dict[str, Any]:
    """Whether a chain of evidence holds, and where it first does not."""
    broken = found.broken
    return {
        "valid": broken is None,
        "count": found.count,
        "headSha256": found.head,
        "firstBroken": broken
        and {"number": broken.number, "id": broken.snapshot_id, "reason": broken.reason},
    }
