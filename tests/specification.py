"""What the specification names; the product may have more."""

from __future__ import annotations

STEP_TYPES = frozenset(
    {
        "ai",
        "approval",
        "code",
        "condition",
        "create_matter",
        "delay",
        "email",
        "evidence_snapshot",
        "generate_document",
        "http_request",
        "loop",
        "notification",
        "run_workflow",
        "send_document",
        "send_form",
        "slack",
        "table_operations",
    }
)
