"""Who makes a request, and what their role allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

RANKS = {"VIEWER": 0, "MEMBER": 1, "ADMIN": 2, "OWNER": 3}
"""The order of the roles: each may do what those before it may."""


@dataclass(frozen=True, slots=True)
class Principal:
    """The holder of an API key, or a member who has signed in.

    Args:
        name: the key's, or the member's address.
        key_id: None for a member with a session.
        member_id: the member who has signed in, or whose key it is.
        session_id: None for the holder of a key.
        scopes: what a key is limited to below its role; None is no limit.
    """

    workspace_id: str
    role: str
    name: str
    key_id: str | None = None
    member_id: str | None = None
    session_id: str | None = None
    scopes: Sequence[str] | None = None

    def may(self, role: str) -> bool:
        """Whether they may do what takes a role: it is theirs, or before theirs in the order."""
        return RANKS[self.role] >= RANKS[role]

    @property
    def editor(self) -> str:
        """Whose it is what they have not saved yet: a member's, whichever way they come."""
        return self.member_id or self.key_id or self.name

    @property
    def administers(self) -> bool:
        """Whether they see what only administrators see, such as webhook URLs."""
        return self.may("ADMIN")
