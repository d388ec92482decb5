"""The cipher for everything that this installation stores encrypted."""

from __future__ import annotations

from functools import lru_cache

from automations.errors import Unavailable
from automations.kit.encryption import Cipher, UnreadableError
from automations.settings import get_settings


@lru_cache(maxsize=4)
def _cipher(keys: str) -> Cipher:
    return Cipher([key.strip() for key in keys.split(",") if key.strip()])


def cipher() -> Cipher:
    """The cipher with the keys of the settings.

    Raises:
        Unavailable: there is none, or it is malformed.
    """
    try:
        return _cipher(get_settings().encryption_key)
    except ValueError as error:
        raise Unavailable(
            "No valid encryption key is configured: set AUTOMATIONS_ENCRYPTION_KEY."
        ) from error


def decrypt(name: str, ciphertext: str) -> str:
    """What was encrypted.

    Raises:
        Unavailable: it was encrypted with a key that is not configured any more.
    """
    try:
        return cipher().decrypt(ciphertext)
    except UnreadableError as error:
        raise Unavailable(
            f"{name} was encrypted with a key that is not in AUTOMATIONS_ENCRYPTION_KEY; "
            "add that key, or set the value again."
        ) from error
