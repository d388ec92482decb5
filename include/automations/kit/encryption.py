"""Encrypts the secrets that our database stores."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

_FINGERPRINT_LENGTH = 16


class UnreadableError(ValueError):
    """It was encrypted with another key."""


class Cipher:
    """Encrypts texts.

    Args:
        keys: Fernet keys; the first encrypts, every one decrypts.

    Raises:
        ValueError: there is no key, or one is no Fernet key.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("there is no key")
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._pepper = hashlib.sha256(b"fingerprint:" + keys[0].encode()).digest()

    def encrypt(self, text: str) -> str:
        """The text as only a holder of the key can read it."""
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, token: str) -> str:
        """The text again.

        Raises:
            UnreadableError: none of the keys fits.
        """
        try:
            return self._fernet.decrypt(token).decode()
        except InvalidToken as error:
            raise UnreadableError(str(UnreadableError.__doc__)) from error

    def fingerprint(self, text: str) -> str:
        """The same for the same text; without the key no guess at the text can be checked by it."""
        return hmac.new(self._pepper, text.encode(), "sha256").hexdigest()[:_FINGERPRINT_LENGTH]
