"""Posts to Slack: by a token with its SDK, or by an incoming webhook."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from automations.adapters import slack_connections
from automations.adapters.http import GuardedHttpClient
from automations.adapters.slack_connections import WEBHOOK, SlackAccount
from automations.errors import StepError
from automations.kit import common_clock
from automations.kit.retry_after import requested_delay
from automations.ports import (
    ChatMessage,
    ChatReceipt,
    HostConnection,
    HttpClient,
    HttpRequest,
    HttpResponse,
)

_KEYS = uuid.UUID("6f1c4f5e-3c8e-4d0a-9a53-0f6f3a3d5c11")
_TOKEN = frozenset(
    {
        "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired",
        "not_allowed_token_type", "no_permission", "missing_scope", "ekm_access_denied",
    }
)  # fmt: skip
_CHANNEL = {
    "channel_not_found": "there is no such channel, or the app cannot see it",
    "not_in_channel": "the app is not a member of the channel; invite it",
    **dict.fromkeys(("is_archived", "channel_is_archived"), "the channel is archived"),
    "thread_not_found": "there is no such thread in the channel",
    **dict.fromkeys(("no_service", "no_active_hooks"), "the webhook was revoked"),
}
_PASSING = frozenset(
    {
        *("internal_error", "fatal_error", "service_unavailable", "request_timeout"),
        *("rollup_error", "team_added_to_org"),
    }
)


class SlackChat:
    """Posts messages; Slack has no idempotency key, so a repeat may post twice.

    Args:
        account: finds the account of one of our workspaces; None when there is none.
        http: reaches incoming webhooks, under its guard.
        allow: hosts whose webhooks may be called without TLS.
    """

    def __init__(
        self,
        account: Callable[[str], SlackAccount | None],
        http: HttpClient,
        allow: Iterable[str],
        base_url: str,
    ) -> None:
        self._account = account
        self._http = http
        self._allow = frozenset(entry.lower() for entry in allow)
        self._base_url = base_url
        # Whoever runs the installation says where Slack is; it may be a service of theirs.
        self._api = GuardedHttpClient([urlsplit(base_url).hostname or ""])

    def post(self, message: ChatMessage) -> ChatReceipt:
        """Post a message.

        Raises:
            StepError: kind ``config``, ``auth``, ``channel``, ``rate_limited``, ``timeout``,
                ``connection``, ``too_large`` or ``chat``.
        """
        if message.connection is not None:
            return self._post_by(message, message.connection)
        if message.webhook is not None:
            return self._call_webhook(message, message.webhook)
        account = self._account(message.workspace_id)
        if account is None:
            raise StepError(
                "Slack is not set up: add a Slack integration, set AUTOMATIONS_SLACK_TOKEN, or "
                "give config.webhook.",
                kind="config",
            )
        return self._call_api(message, account, self._base_url, self._api)

    def _post_by(self, message: ChatMessage, connection: HostConnection) -> ChatReceipt:
        if connection.kind == WEBHOOK:
            if message.channel is not None:
                raise StepError(
                    f"config.channel: connection {connection.id} is a webhook, which posts to its "
                    "own channel.",
                    kind="config",
                )
            return self._call_webhook(message, slack_connections.webhook_of(connection))
        account, base_url = slack_connections.account_of(connection)
        if base_url is None:
            return self._call_api(message, account, self._base_url, self._api)
        return self._call_api(message, account, base_url, self._http)

    def _call_api(
        self, message: ChatMessage, account: SlackAccount, base_url: str, http: HttpClient
    ) -> ChatReceipt:
        from slack_sdk.errors import SlackApiError, SlackClientError

        from automations.adapters.slack_client import BoundedClient

        channel = message.channel or account.channel
        if channel is None:
            raise StepError("config.channel: name a channel.", kind="config")
        client = BoundedClient(account.token, base_url, http, message.timeout)
        try:
            answer = client.chat_postMessage(
                channel=channel,
                **_content(message),
                client_msg_id=str(uuid.uuid5(_KEYS, message.key)),
            )
            return ChatReceipt(_text(answer.get("ts")), _text(answer.get("channel")))
        except SlackApiError as error:
            raise _refusal(error.response) from error
        except (
            *(SlackClientError, ValueError, LookupError, TypeError, AttributeError),
            RecursionError,
        ) as error:
            raise StepError("Slack's answer cannot be read.", kind="chat") from error

    def _call_webhook(self, message: ChatMessage, webhook: str) -> ChatReceipt:
        self._check_webhook(webhook)
        answer = self._http.request(
            HttpRequest(
                method="POST",
                url=webhook,
                timeout=message.timeout,
                headers={"content-type": "application/json"},
                content=json.dumps(_content(message)).encode(),
                follow_redirects=False,
                max_bytes=100_000,
            )
        )
        if 200 <= answer.status < 300:
            return ChatReceipt(None, None)
        raise _webhook_refusal(answer)

    def _check_webhook(self, webhook: str) -> None:
        try:
            url = urlsplit(webhook)
            host, port = (url.hostname or "").lower(), url.port
        except ValueError as error:
            raise StepError("The webhook is not a valid address.", kind="config") from error
        if url.scheme != "https" and not {host, f"{host}:{port}"} & self._allow:
            raise StepError("The webhook must begin with https://.", kind="blocked")


def _content(message: ChatMessage) -> dict[str, Any]:
    content = {
        "text": message.text,
        "blocks": list(message.blocks) if message.blocks else None,
        "thread_ts": message.thread,
    }
    return {name: value for name, value in content.items() if value is not None}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _refusal(response: Any) -> StepError:
    data = response.data if isinstance(response.data, Mapping) else {}
    code = str(data.get("error", "unknown"))[:300]
    if response.status_code == 429 or code in ("ratelimited", "rate_limited"):
        headers = {name.lower(): value for name, value in response.headers.items()}
        return _rate_limited(headers.get("retry-after"))
    if code in _TOKEN:
        needed = data.get("needed")
        scope = f"; it needs the scope {needed}" if needed else ""
        return StepError(f"Slack refused the token: {code}{scope}.", kind="auth")
    if code in _CHANNEL:
        return StepError(f"Slack refused the message: {_CHANNEL[code]} ({code}).", kind="channel")
    details = data.get("response_metadata")
    reasons = details.get("messages") if isinstance(details, Mapping) else None
    more = f": {'; '.join(str(reason) for reason in reasons[:5])}" if reasons else ""
    return StepError(
        f"Slack refused the message: {code}{more}"[:1_000],
        kind="chat",
        retryable=response.status_code >= 500 or code in _PASSING,
    )


def _webhook_refusal(answer: HttpResponse) -> StepError:
    code = answer.content[:300].decode(errors="replace").strip() or str(answer.status)
    if answer.status == 429:
        return _rate_limited(answer.headers.get("retry-after"))
    if code in _CHANNEL:
        return StepError(f"Slack refused the message: {_CHANNEL[code]} ({code}).", kind="channel")
    return StepError(
        f"The webhook answered {answer.status}: {code}", kind="chat", retryable=answer.status >= 500
    )


def _rate_limited(retry_after: str | None) -> StepError:
    return StepError(
        "Slack takes no more messages for a while.",
        kind="rate_limited",
        retryable=True,
        retry_after=requested_delay(retry_after, common_clock.now()),
    )
