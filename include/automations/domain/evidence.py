"""How evidence is serialized, hashed and chained: this must never change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from automations.kit.canonical_json import canonical, sha256_of
from automations.kit.storable import same

MAX_ROWS = 100_000
"""Together with its bytes: a snapshot is built in memory, hashed and read as a whole."""
MAX_BYTES = 50_000_000
"""Of its canonical form."""


class TooMuchEvidenceError(ValueError):
    """More rows or bytes than one snapshot may hold."""


@dataclass(frozen=True, slots=True)
class Link:
    """One snapshot as its chain hash covers it: everything but the hash itself.

    Args:
        number: place in the workspace's chain, from 1.
        sha256: of the content.
        previous_sha256: the chain hash of the link before; None for the first.
        created_at: as the API writes it.
    """

    id: str
    workspace_id: str
    number: int
    source: str
    title: str
    query: Mapping[str, Any]
    row_count: int
    sha256: str
    previous_sha256: str | None
    run_id: str | None
    created_at: str

    @property
    def chain_sha256(self) -> str:
        """The hash that the next link repeats."""
        return sha256_of(asdict(self))


def content_of(rows: Iterable[Mapping[str, Any]]) -> tuple[bytes, int]:
    """The rows as one canonical JSON list, and how many they are.

    Raises:
        TooMuchEvidenceError: they are more than one snapshot may hold.
    """
    parts: list[bytes] = []
    size = 2
    for row in rows:
        part = canonical(row)
        parts.append(part)
        size += len(part) + 1
        if len(parts) > MAX_ROWS or size > MAX_BYTES:
            raise TooMuchEvidenceError(
                f"There are more than {MAX_ROWS} rows or {MAX_BYTES} bytes: narrow filter, "
                "columns, from and to, and take several snapshots."
            )
    return b"[" + b",".join(parts) + b"]", len(parts)


def hash_of(content: bytes) -> str:
    """The hash of a content, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def fits(row: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    """Whether a row has each wanted value, or one of them where a list is given.

    Raises:
        KeyError: the row has no such field.
    """
    return all(
        any(
            same(row[field], candidate)
            for candidate in (value if isinstance(value, list) else [value])
        )
        for field, value in expected.items()
    )
