"""The identity of a person, by whichever key, session, link or Airflow user they act.

An identity is a text: ``key:<id>``, ``member:<id>``, ``mail:<address>`` or ``airflow:<user>``. One
person may have several; ``services.access.people`` knows which belong together.
"""

from __future__ import annotations

from collections.abc import Iterable
from email.utils import parseaddr
from unicodedata import normalize

from automations.domain.email_addresses import MAX_LENGTH, to_ascii
from automations.domain.principals import Principal

IN_AIRFLOW = "airflow:"
"""Before the name of whoever has done something in Airflow."""
_MAX_LENGTH = MAX_LENGTH + 200
"""Of an address with a name."""


def identity_of(principal: Principal) -> str:
    """The identity of whoever makes a request."""
    if principal.member_id is not None:
        return member(principal.member_id)
    return key(str(principal.key_id))


def key(key_id: str) -> str:
    """Whoever holds an API key."""
    return f"key:{key_id}"


def member(member_id: str) -> str:
    """A member of a workspace."""
    return f"member:{member_id}"


def mailbox(address: str) -> str:
    """Whoever reads the mail of an address: capital letters are no other mailbox.

    Nor is the ASCII form of the same domain, or an accent as a letter of its own; ``ß`` is another
    letter than ``ss``.
    """
    if len(address) > _MAX_LENGTH:
        # It is none, and would take long to be read.
        return f"mail:{address.lower()}"
    return f"mail:{_wire_form(normalize('NFC', parseaddr(address)[1] or address)).lower()}"


def each_once(addresses: Iterable[str]) -> tuple[str, ...]:
    """One address of each mailbox, as it is written first."""
    first: dict[str, str] = {}
    for address in addresses:
        first.setdefault(mailbox(address), address)
    return tuple(first.values())


def _wire_form(address: str) -> str:
    try:
        return to_ascii(address)
    except ValueError:
        return address


def airflow_user(name: str) -> str:
    """A user of Airflow."""
    return f"{IN_AIRFLOW}{name.casefold()}"
