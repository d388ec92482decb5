"""The authorities whose certificates are trusted: the machine's own, and the public ones.

A context is made once for each kind of service: to read the authorities takes 20 to 40 ms of
processor time, which is more than all else that a step costs.
"""

from __future__ import annotations

import ssl
from functools import lru_cache

import certifi


@lru_cache(maxsize=1)
def of_web() -> ssl.SSLContext:
    """What HTTPS is spoken with."""
    return _trusting()


@lru_cache(maxsize=1)
def of_mail() -> ssl.SSLContext:
    """What SMTP is spoken with; HTTP's clients write their protocols into their own context."""
    return _trusting()


def _trusting() -> ssl.SSLContext:
    # The machine's, or those that SSL_CERT_FILE and SSL_CERT_DIR name: a company's own services.
    context = ssl.create_default_context()
    # Small images have no authorities at all.
    context.load_verify_locations(certifi.where())
    return context
