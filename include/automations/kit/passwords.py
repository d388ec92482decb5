"""Passwords: refuses those that are too easy to guess, and hashes the others (argon2id)."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

# OWASP's first choice of parameters: 19 MiB and a few hundredths of a second for each try.
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# So that many tries at once do not take the memory of everything else.
_at_once = threading.BoundedSemaphore(4)
_NOBODY = _hasher.hash("a password that nobody has")


_MIN_GUESSES = 10**9
"""Of who has stolen a hash, of which a processor tries some ten a second: three years."""
_MAX_RATED_LENGTH = 72
"""Characters; what it takes grows with their square, and so many are enough."""
_MIN_NAME_LENGTH = 3
"""Of a name, to be found again inside of a password."""


def is_guessable(password: str, about: Iterable[str]) -> bool:
    """Whether somebody would come to a password before long.

    Args:
        about: what everybody knows of its owner: names and addresses.
    """
    simple = _normal(password)[:_MAX_RATED_LENGTH].lower()
    personal = {part for text in about for part in _parts(_normal(text).lower())}
    if any(len(part) >= _MIN_NAME_LENGTH and part in simple for part in personal):
        return True
    # Common passwords, words, names, dates and keyboards, with what people do to them.
    return int(zxcvbn(simple, user_inputs=sorted(personal))["guesses"]) < _MIN_GUESSES


def _parts(text: str) -> list[str]:
    return [text, text.partition("@")[0], *re.split(r"[^\w]+|_", text.partition("@")[0])]


def hash_password(password: str) -> str:
    """What is kept of a password."""
    with _at_once:
        return _hasher.hash(_normal(password))


def fits(password: str, password_hash: str | None) -> bool:
    """Whether a password is the one that was kept; takes as long when there is none."""
    with _at_once:
        try:
            return (
                _hasher.verify(password_hash or _NOBODY, _normal(password))
                and password_hash is not None
            )
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(password_hash: str) -> bool:
    """Whether it was hashed with other parameters than new passwords are."""
    return _hasher.check_needs_rehash(password_hash)


def _normal(password: str) -> str:
    # Keyboards differ in how they compose the same letter.
    return unicodedata.normalize("NFKC", password)
