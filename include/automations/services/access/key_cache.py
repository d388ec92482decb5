"""A cache of API keys that were verified recently, which saves a query per request.

A key that this process revokes or rotates is forgotten at once; what another process does to one
is known here when ``TTL`` is over.
"""

from __future__ import annotations

import time

from automations.domain.principals import Principal

TTL = 1.0
"""Seconds for which another process's revocation may go unnoticed."""
_MAX_KEYS = 10_000
"""Bounds the memory; when there are more, all are asked for again."""

Kept = dict[str, tuple[float, Principal]]

_kept: Kept = {}


def find(token_hash: str) -> Principal | None:
    """The holder of the key with this hash, if it was valid a moment ago."""
    entry = _kept.get(token_hash)
    return entry[1] if entry is not None and time.monotonic() < entry[0] else None


def place() -> Kept:
    """Where to keep a key that is read from now on; of no use once all are forgotten."""
    return _kept


def keep(cache: Kept, token_hash: str, holder: Principal) -> None:
    """Keep the holder of a valid key where ``place`` said before it was read."""
    if len(cache) >= _MAX_KEYS:
        cache.clear()
    cache[token_hash] = time.monotonic() + TTL, holder


def forget() -> None:
    """Ask again for every key; also for those that are being read now."""
    global _kept
    _kept = {}
