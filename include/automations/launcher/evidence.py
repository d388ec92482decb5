"""``./automations verify-evidence``: verifies the chains of evidence."""

from __future__ import annotations

from automations.services.evidence.evidence import verify_all


def verify_evidence() -> int:
    """Recompute every chain and print what was found; returns 1 when one is broken, else 0."""
    code = 0
    for workspace, result in verify_all():
        if result.broken is None:
            head = f", head {result.head}" if result.head else ""
            print(f"{workspace}: {result.count} snapshots hold{head}")
            continue
        code = 1
        snapshot = f" ({result.broken.snapshot_id})" if result.broken.snapshot_id else ""
        print(
            f"{workspace}: BROKEN: snapshot {result.broken.number}{snapshot} {result.broken.reason}"
        )
    return code
