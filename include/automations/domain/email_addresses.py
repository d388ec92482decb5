"""What an e-mail address is."""

from __future__ import annotations

import re

from email_validator import EmailNotValidError, validate_email

MAX_LENGTH = 320
"""Characters of an address: 64 before the sign, and 255 of a host's name."""
_RESERVED = re.compile(r"[\w.+-]+@(?:[\w-]+\.)*example", re.ASCII)


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
