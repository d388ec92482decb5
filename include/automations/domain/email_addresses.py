"""What an e-mail address is."""

from __future__ import annotations

import re

from email_validator import EmailNotValidError, validate_email

_RESERVED = re.compile(r"[\w.+-]+@(?:[\w-]+\.)*example", re.ASCII)


def is_address(value: object) -> bool:
    """Whether a value is an e-mail address."""
    try:
        validate_email(str(value), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return _RESERVED.fullmatch(str(value)) is not None
    return True
