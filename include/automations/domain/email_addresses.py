"""Parses and normalises e-mail addresses."""

from __future__ import annotations

import re

from email_validator import (
    EmailNotValidError,
    EmailSyntaxError,
    ValidatedEmail,
    validate_email,
)

MAX_LENGTH = 320
"""Characters of an address: 64 before the sign, and 255 of a host's name."""
_RESERVED = re.compile(r"[\w.+-]+@(?:[\w-]+\.)*(?:example|localhost)", re.ASCII)


def to_ascii(address: str) -> str:
    """An address as mail servers take it: with the ASCII form of its domain.

    Raises:
        ValueError: the domain has none.
    """
    domain = address.rpartition("@")[2]
    if domain.isascii():
        return address
    try:
        parsed = _read(f"a@{domain}")
    except EmailNotValidError as error:
        raise ValueError(f"the domain of {address} cannot be written in ASCII") from error
    return f"{address.removesuffix(domain)}{parsed.ascii_domain}"


def normalise(text: str) -> str:
    """An address in the one form of all that mean it; reserved ones, as tests use, are as written.

    Raises:
        ValueError: it is none; says why.
    """
    # An encoded word is a legal name, which mail servers on the way may read as another address.
    if "=?" in text:
        raise ValueError("must be an e-mail address: =? begins a word that is encoded")
    try:
        return _read(text).normalized
    except EmailNotValidError as error:
        if len(text) <= MAX_LENGTH and _RESERVED.fullmatch(text):
            return text
        raise ValueError(f"must be an e-mail address: {error}") from error


def is_address(value: object) -> bool:
    """Whether a value is an e-mail address."""
    try:
        normalise(str(value))
    except ValueError:
        return False
    return True


def _read(text: str) -> ValidatedEmail:
    # Before anything else: to sort the accents of one letter takes the square of their number.
    if len(text) > MAX_LENGTH:
        raise EmailSyntaxError("The email address is too long.")
    return validate_email(text, check_deliverability=False, test_environment=True)
