"""The console's navigation: groups of entries, for those who may see the pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from api_bridge.console import urls
from automations.domain.principals import Principal
from automations.settings import get_settings


@dataclass(frozen=True, slots=True)
class Entry:
    """A link of the navigation.

    Args:
        name: of the page's address, and of its text, ``nav.<name>``.
        role: whoever may less is not shown it.
        is_there: whether this installation has what the page is about.
    """

    name: str
    icon: str
    role: str = "VIEWER"
    is_there: Callable[[], bool] = lambda: True

    @property
    def address(self) -> str:
        """Where it leads."""
        return f"{urls.ROOT}/{self.name}"

    def leads_to(self, address: str) -> bool:
        """Whether a page is the one that it leads to, or one below it."""
        path = address.partition("?")[0]
        return path == self.address or path.startswith(f"{self.address}/")


@dataclass(frozen=True, slots=True)
class Group:
    """Entries under one heading, ``nav.group.<name>``.

    Args:
        folded: whether it is shown by its heading alone, on pages of other groups.
    """

    name: str
    entries: Sequence[Entry]
    folded: bool = False

    def is_open(self, address: str) -> bool:
        """Whether its entries are shown on a page."""
        return not self.folded or any(entry.leads_to(address) for entry in self.entries)


_GROUPS = (
    Group(
        "automations",
        (
            Entry("workflows", "flow"),
            Entry("runs", "play"),
            Entry("events", "zap"),
            Entry("figures", "chart"),
        ),
    ),
    Group(
        "work",
        (
            Entry("approvals", "check"),
            Entry("forms", "form"),
            Entry("submissions", "list"),
            Entry("notifications", "bell"),
        ),
    ),
    Group(
        "data",
        (
            Entry("documents", "document"),
            Entry("tables", "table"),
            Entry("matters", "board"),
            Entry("pipelines", "loop"),
            Entry("evidence", "seal"),
        ),
    ),
    Group(
        "workspace",
        (
            Entry("members", "people"),
            Entry("secrets", "lock", "ADMIN"),
            Entry("integrations", "plug", "ADMIN"),
            Entry("api-keys", "key", "ADMIN"),
            Entry("audit", "list", "ADMIN"),
            Entry("security-events", "shield", "ADMIN"),
            Entry("mail", "mail", "ADMIN", lambda: get_settings().catches_mail),
        ),
        folded=True,
    ),
)


def groups(reader: Principal) -> list[Group]:
    """The groups with what there is in them for a reader."""
    shown = [
        Group(
            group.name,
            [entry for entry in group.entries if reader.may(entry.role) and entry.is_there()],
            group.folded,
        )
        for group in _GROUPS
    ]
    return [group for group in shown if group.entries]
