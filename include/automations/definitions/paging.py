"""The ways in which HTTP sources page: how to get from one page to the next."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urljoin, urlsplit

from pydantic import Field

from automations.domain.fields import Model
from automations.errors import StepError
from automations.kit.default_ports import DEFAULT_PORTS
from automations.kit.queries import remove_parameter
from automations.kit.record_paths import NOTHING, Path, value_at
from automations.kit.values import JSON

_LINK = re.compile(r'<([^<>]*)>((?:\s*;\s*[\w!#$&+.^`|~-]+\s*=\s*(?:"[^"]*"|[^\s",;]+))*)')
_REL = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^\s",;]+))', re.IGNORECASE)
_MAX_URL_LENGTH = 8_000
"""What servers take by default."""


@dataclass(frozen=True, slots=True)
class Page:
    """What came back.

    Args:
        source: the address that the source is configured with.
        url: where the page is.
        count: how many records it has.
    """

    source: str
    url: str
    headers: Mapping[str, str]
    body: JSON
    count: int


class _Way(Model):
    def address(
        self, url: str, query: Mapping[str, Any], cursor: str | None
    ) -> tuple[str, dict[str, Any]]:
        """The address and query of the page at a cursor; of the first one without."""
        return url, dict(query)

    def following(self, page: Page, cursor: str | None) -> str | None:
        """The cursor of the page behind one; None behind the last."""
        return None


class WholeAnswer(_Way):
    """All records come in one answer."""

    type: Literal["none"] = "none"


class LinkPaging(_Way):
    """The answer's Link header leads to the next page, as GitHub's does."""

    type: Literal["link"]

    def address(
        self, url: str, query: Mapping[str, Any], cursor: str | None
    ) -> tuple[str, dict[str, Any]]:
        return (url, dict(query)) if cursor is None else (cursor, {})

    def following(self, page: Page, cursor: str | None) -> str | None:
        link = next_link(page.headers.get("link", ""))
        if link is None:
            return None
        address = _beside(page, link)
        if address is None or len(address) > _MAX_URL_LENGTH or not address.isprintable():
            # The secret goes with the request for the next page.
            raise StepError("The next page's address leads away from the source.", kind="paging")
        return address


class NumberPaging(_Way):
    """Pages have numbers; an empty one is the end."""

    type: Literal["page"]
    parameter: str = Field("page", min_length=1, max_length=100, description="The query parameter.")
    first: int = Field(1, ge=0, le=1, strict=True, description="The first page's number.")

    def address(
        self, url: str, query: Mapping[str, Any], cursor: str | None
    ) -> tuple[str, dict[str, Any]]:
        number = cursor or str(self.first)
        return remove_parameter(url, self.parameter), {**query, self.parameter: number}

    def following(self, page: Page, cursor: str | None) -> str | None:
        return str(int(cursor or self.first) + 1) if page.count else None


class CursorPaging(_Way):
    """The answer has a cursor that is sent for the next page; the last one has none."""

    type: Literal["cursor"]
    parameter: str = Field(
        "cursor", min_length=1, max_length=100, description="The query parameter."
    )
    path: Path = Field(description="Where the cursor is in the answer.")

    def address(
        self, url: str, query: Mapping[str, Any], cursor: str | None
    ) -> tuple[str, dict[str, Any]]:
        if cursor is None:
            return url, dict(query)
        return remove_parameter(url, self.parameter), {**query, self.parameter: cursor}

    def following(self, page: Page, cursor: str | None) -> str | None:
        following = value_at(page.body, self.path)
        if following is NOTHING or following is False or following in (None, "", [], {}):
            return None
        written = json.dumps(following) if isinstance(following, float) else str(following)
        is_one = isinstance(following, str | int | float) and not isinstance(following, bool)
        if not is_one or len(written) > _MAX_URL_LENGTH or not written.isprintable():
            raise StepError("The cursor of the next page cannot be used.", kind="paging")
        return written


Paging = Annotated[
    WholeAnswer | LinkPaging | NumberPaging | CursorPaging, Field(discriminator="type")
]


def _beside(page: Page, link: str) -> str | None:
    """The address that a page's link leads to, on the server of its source; None elsewhere."""
    # Looked at first: a host of thousands of accents takes long to be read.
    if len(link) > _MAX_URL_LENGTH:
        return None
    try:
        address = urljoin(page.url, link)
        return address if _origin(address) == _origin(page.source) else None
    except ValueError:  # it is no address
        return None


def _origin(address: str) -> tuple[Any, ...]:
    """Whom a request would go to, and as whom, in whatever letters it is written."""
    url = urlsplit(address)
    port = url.port or DEFAULT_PORTS.get(url.scheme)
    return url.scheme, url.username, url.password, url.hostname, port


def next_link(header: str) -> str | None:
    """The address of the next page in a Link header."""
    for link in _LINK.finditer(header):
        rel = _REL.search(link.group(2))
        if rel and "next" in (rel.group(1) or rel.group(2)).lower().split():
            return link.group(1).strip()
    return None
