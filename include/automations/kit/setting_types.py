"""Parses the types of settings from text."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

from automations.kit import mailboxes

_ORIGIN = re.compile(
    r"(?:http://(?!.*:80$)|https://(?!.*:443$))(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?"
)
_FERNET_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")
"""32 bytes, of which half encrypt and half sign."""
_HOST_SIGNS = re.compile(r"[^\s/@?#,]+")
_URL_SIGNS = re.compile(r"[^\s?#]+")
"""Paths are put behind: neither a query nor a fragment may be in between."""
_PLAIN = (
    (bool, re.compile("true|false"), "must be true or false"),
    (int, re.compile("[0-9]{1,18}"), "must be a whole number, in digits only, such as 64"),
    (float, re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})?"), "must be a number such as 5 or 0.5"),
)
"""How numbers and choices are written: others may take 010 for 8, and 1_000 for a mistake."""


def _is_url(value: str) -> str:
    url = urlsplit(value)
    if url.scheme not in ("http", "https") or not url.hostname or not _URL_SIGNS.fullmatch(value):
        raise ValueError("must be a URL such as https://automations.example.com")
    if url.username is not None:
        raise ValueError("must have no user name or password: it is shown, and is in mails")
    if url.port == 0:  # one that is no number below 65536 is told by itself
        raise ValueError("must have a port of 1 to 65535, or none")
    return value


def _are_origins(value: tuple[str, ...]) -> tuple[str, ...]:
    for origin in value:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ValueError(
                "must be origins as browsers send them, such as https://app.example.com (lower "
                "case, no path, no port that the scheme implies), or *"
            )
    return value


def _is_dsn(value: str) -> str:
    url = urlsplit(value)
    # Of a port that is none, the library says so by itself.
    if url.scheme not in ("postgresql", "postgresql+psycopg2") or url.port == 0:
        raise ValueError("must be postgresql+psycopg2://user:password@host:5432/database")
    return value


def _is_queue(value: str) -> str:
    if urlsplit(value).scheme not in ("redis", "rediss") or not urlsplit(value).hostname:
        raise ValueError("must be redis://:password@host:6379/0")
    return value


def _is_host(value: str) -> str:
    if not _HOST_SIGNS.fullmatch(value) or value.count(":") == 1:
        raise ValueError("must be a host such as smtp.example.com: no scheme, no port, no path")
    return value


def _are_hosts(value: tuple[str, ...]) -> tuple[str, ...]:
    """Hosts as requests are compared with them: an IPv6 address has no brackets."""
    for host in value:
        if not _HOST_SIGNS.fullmatch(host) or "*" in host:
            raise ValueError(
                "must be hosts such as intern.example.com or 10.0.0.7:8443: no scheme, no path, "
                "no network, no *"
            )
    return tuple(address.replace("[", "").replace("]", "") for address in value)


def _are_host_names(value: tuple[str, ...]) -> tuple[str, ...]:
    for host in value:
        name = host.removeprefix("*.") if host != "*" else "any"
        if not _HOST_SIGNS.fullmatch(name) or "*" in name or name.count(":") == 1:
            raise ValueError(
                "must be hosts such as flows.example.com, *.example.com or *: no scheme, no port, "
                "no path"
            )
    return value


def _is_sender(value: str) -> str:
    mailboxes.parse(value)
    return value


def _are_fernet_keys(value: str) -> str:
    # Not by making a Fernet of each: what that has to import takes longer than a command should.
    if not all(map(_FERNET_KEY.fullmatch, parts(value))):
        raise ValueError(
            "must be Fernet keys, separated by commas: each the URL-safe base64 of 32 bytes, 44 "
            "characters that end with ="
        )
    return value


def plain(kind: object, value: object) -> object:
    """A value as it is, unless it is a text that writes a number or a choice in an unusual way.

    Raises:
        ValueError: says how it is written.
    """
    for named, pattern, mend in _PLAIN:
        if kind is named and isinstance(value, str) and not pattern.fullmatch(value):
            raise ValueError(mend)
    return value


Url = Annotated[str, AfterValidator(_is_url)]
Host = Annotated[str, AfterValidator(_is_host)]
Sender = Annotated[str, AfterValidator(_is_sender)]
Dsn = Annotated[str, AfterValidator(_is_dsn)]
QueueUrl = Annotated[str, AfterValidator(_is_queue)]
FernetKeys = Annotated[str, AfterValidator(_are_fernet_keys)]
"""Empty where the launcher is still to make one."""
Port = Annotated[int, Field(ge=1, le=65535)]


def parts(value: Any) -> Any:
    """The parts of a text that is written with commas; anything else as it is."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(parts)]
"""Written with commas."""

Hosts = Annotated[Names, AfterValidator(_are_hosts)]
HostNames = Annotated[Names, AfterValidator(_are_host_names)]
Origins = Annotated[Names, AfterValidator(_are_origins)]


def entries(pattern: str, mend: str) -> AfterValidator:
    """Refuse a list with an entry that does not match a pattern, in words that say what must be."""
    expression = re.compile(pattern)

    def check(value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(map(expression.fullmatch, value)):
            raise ValueError(mend)
        return value

    return AfterValidator(check)
