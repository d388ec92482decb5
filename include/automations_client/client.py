"""The client: one object for each part of the API."""

from __future__ import annotations

import re
from types import TracebackType
from typing import Any, Self

import httpx

from automations_client.administration import ApiKeys, Integrations, Members, Secrets
from automations_client.events import Events
from automations_client.forms import Forms, Submissions
from automations_client.pipelines import Pipelines
from automations_client.runs import Runs
from automations_client.tables import Rows, Tables
from automations_client.transport import Query, Transport
from automations_client.workflows import Workflows

_KEY = re.compile("[!-~]+")


class Client:
    """A client of one workspace; threads may share it.

    Args:
        base_url: where the API is, such as ``http://127.0.0.1:8800``.
        api_key: the key, ``sk_…``.
        timeout: how long an answer may take, in seconds.
        retries: how often a request is sent again when no answer comes or the API is busy.
        max_pause: how long to wait at most before a request is sent again; the API may wish
            for more, and then the request fails.

    Raises:
        ValueError: the address or the key can be none; without the key's own words.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        timeout: float = 30,
        retries: int = 3,
        max_pause: float = 30,
    ) -> None:
        if not _KEY.fullmatch(api_key):
            # No header can hold it, and whoever sends it would repeat it in an error.
            raise ValueError("The API key has blanks, line breaks or letters that no key has.")
        try:
            http = httpx.Client(
                base_url=base_url,
                headers={"Authorization": f"Bearer {api_key}", "Accept": "application/json"},
                timeout=timeout,
            )
        except httpx.InvalidURL as error:
            raise ValueError(f"{base_url} is no address: {error}") from error
        self._transport = Transport(http, retries, max_pause)
        self.workflows = Workflows(self._transport)
        self.runs = Runs(self._transport)
        self.events = Events(self._transport)
        self.forms = Forms(self._transport)
        self.submissions = Submissions(self._transport)
        self.tables = Tables(self._transport)
        self.rows = Rows(self._transport)
        self.pipelines = Pipelines(self._transport)
        self.members = Members(self._transport)
        self.api_keys = ApiKeys(self._transport)
        self.secrets = Secrets(self._transport)
        self.integrations = Integrations(self._transport)

    def request(self, method: str, path: str, body: Any = None, query: Query | None = None) -> Any:
        """What an endpoint answers that has no method here, with the same retries and errors."""
        return self._transport.json(method, path, body, query)

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
