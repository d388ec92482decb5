"""What an e-mail address is."""

from __future__ import annotations

import re

from email_validator import EmailNotValidError, validate_email

MAX_LENGTH = 320
"""Characters of an address: 64 before the sign, and 255 of a host's name."""
_RESERVED = re.compile(r"[\w.+-]+@(?:[\w-]+\.)*example", re.ASCII)


def on_the_wire(address: str) -> str:
    """An address as mail servers take it: with the ASCII form of its domain.

    Raises:
        ValueError: the domain has none.
    """
    domain = address.rpartition("@")[2]
    if domain.isascii():
        return address
    try:
        found = validate_email(f"a@{domain}", check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(f"the domain of {address} cannot be written in ASCII") from error
    return f"{address.removesuffix(domain)}{found.ascii_domain}"


def is_address(value: object) -> bool:
    """Whether a value is an e-mail address."""
    text = str(value)
    if len(text) > MAX_LENGTH:
        return False
    try:
        validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return _RESERVED.fullmatch(text) is not None
    return True
