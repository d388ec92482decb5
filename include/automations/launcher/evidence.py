"""``./automations verify-evidence``: verifies the chains of evidence."""

from __future__ import annotations

from automations.services.evidence.evidence import verify_all


def verify_evidence() -> int:
    """Recompute every chain and print what was found; returns 1 when one is broken, else 0."""
    code = 0
    for workspace, found in verify_all():
        if found.broken is None:
            head = f", head {found.head}" if found.head else ""
            print(f"{workspace}: {found.count} snapshots hold{head}")
            continue
        code = 1
        which = f" ({found.broken.snapshot_id})" if found.broken.snapshot_id else ""
        print(f"{workspace}: BROKEN: snapshot {found.broken.number}{which} {found.broken.reason}")
    return code
