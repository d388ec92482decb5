"""Hashes of passwords: argon2id."""

from __future__ import annotations

import threading
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# OWASP's first choice of parameters: 19 MiB and a few hundredths of a second for each try.
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# So that many tries at once do not take the memory of everything else.
_at_once = threading.BoundedSemaphore(4)
_NOBODY = _hasher.hash("a password that nobody has")


def hashed(password: str) -> str:
    """What is kept of a password."""
    with _at_once:
        return _hasher.hash(_normal(password))


def fits(password: str, kept: str | None) -> bool:
    """Whether a password is the one that was kept; takes as long when there is none."""
    with _at_once:
        try:
            return _hasher.verify(kept or _NOBODY, _normal(password)) and kept is not None
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(kept: str) -> bool:
    """Whether it was hashed with other parameters than new passwords are."""
    return _hasher.check_needs_rehash(kept)


def _normal(password: str) -> str:
    # Keyboards differ in how they compose the same letter.
    return unicodedata.normalize("NFKC", password)
