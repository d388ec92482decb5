"""A form that asks for a number."""

from __future__ import annotations

FORM = {
    "sections": [
        {
            "id": "s",
            "fields": [
                {"id": "1", "key": "size", "type": "number", "validation": {"required": True}}
            ],
        }
    ]
}
