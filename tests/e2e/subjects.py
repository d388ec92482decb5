"""A form, a board and their likes, which steps and triggers are about."""

from __future__ import annotations

FORM = {
    "title": "Size",
    "schema": {
        "sections": [
            {
                "id": "s",
                "fields": [
                    {"id": "1", "key": "size", "type": "number", "validation": {"required": True}}
                ],
            }
        ]
    },
}


BOARD = {
    "name": "Onboarding",
    "steps": [{"id": "check", "name": "Check", "type": "TASK", "order": 0}],
}
