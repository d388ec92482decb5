"""The slack step and its adapter, against a server that answers as Slack does."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from automations.adapters.http import GuardedHttpClient
from automations.adapters.slack import SlackChat
from automations.adapters.slack_connections import SlackAccount
from automations.domain.fields import RENDERED
from automations.domain.templating import Kind, render, render_config
from automations.errors import StepError
from automations.steps.outcomes import Done, Outcome
from automations.steps.slack import Slack, SlackConfig
from tests.doubles import context
from tests.hostile import codings, drips
from tests.servers.answering import Answering
from tests.servers.dripping import dripping

TS = "1503435956.000247"
ACCOUNT = SlackAccount("xoxb-1", "#general")


class Workspace(Answering):
    """A Slack that keeps what is posted and answers as told."""

    def __init__(self) -> None:
        super().__init__()
        self.answers({"ok": True, "ts": TS, "channel": "C123"})


@pytest.fixture
def slack() -> Iterator[Workspace]:
    workspace = Workspace()
    with workspace.listening():
        yield workspace


def chat(slack: Workspace, account: SlackAccount | None = ACCOUNT, *, allow: bool = True) -> Any:
    allowed = (slack.address,) if allow else ()
    return SlackChat(
        lambda _: account, GuardedHttpClient(allowed), allowed, f"http://{slack.address}/api/"
    )


def post(
    slack: Workspace, config: dict[str, Any], account: SlackAccount | None = ACCOUNT, **more: Any
) -> Outcome:
    parsed = SlackConfig.model_validate(config, context=RENDERED)
    return Slack().run(parsed, context(**{"chat": chat(slack, account), **more}))


def refusal(slack: Workspace, config: dict[str, Any] | None = None, **more: Any) -> StepError:
    with pytest.raises(StepError) as caught:
        post(slack, config or {"text": "Hi", "channel": "C123"}, **more)
    return caught.value


def test_a_message_is_posted_with_the_token_and_its_place_comes_back(slack: Workspace) -> None:
    blocks = [{"type": "divider"}]
    outcome = post(slack, {"text": "Hi ż", "channel": "C123", "blocks": blocks, "threadTs": TS})
    assert outcome == Done({"ts": TS, "channel": "C123"})
    path, headers, message = slack.seen[0]
    assert path == "/api/chat.postMessage"
    assert headers["authorization"] == "Bearer xoxb-1"
    assert uuid.UUID(message.pop("client_msg_id")).version == 5
    assert message == {"channel": "C123", "text": "Hi ż", "blocks": blocks, "thread_ts": TS}


def rendered(config: dict[str, Any], **names: Any) -> dict[str, Any]:
    parsed = SlackConfig.model_validate({"text": "Hi", **config})
    return render_config(parsed, {"input": names}, where="step 'Tell'")


HOSTILE = '<!channel> <https://evil.example|bank.example> A < B & C\'s "D"'
SHOWN = '&lt;!channel&gt; &lt;https://evil.example|bank.example&gt; A &lt; B &amp; C\'s "D"'


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{input.it}}", SHOWN),
        (
            "<!here> *{{input.it}}* & <https://a.example|a>",
            f"<!here> *{SHOWN}* & <https://a.example|a>",
        ),
        ("{{input.it | mrkdwn}}", HOSTILE),
        ("{{input.it | safe}}", HOSTILE),
        ("{{'<!here> ' | mrkdwn + input.it}}", f"<!here> {SHOWN}"),
        ("{% for one in input.all %}{{one}};{% endfor %}", f"{SHOWN};1;"),
        ("{{input.all | join(', ')}}", f"{SHOWN}, 1"),
        ("{{['<!here>' | mrkdwn, input.it] | join(' ')}}", f"<!here> {SHOWN}"),
        ("{% set it %}{{input.it}}{% endset %}{{it}}", SHOWN),
        ("{{ {'a': '<b>'} }}", '{"a": "&lt;b&gt;"}'),
        (
            "{{input.it | upper}}",
            SHOWN.upper().replace("&LT;", "&lt;").replace("&GT;", "&gt;").replace("&AMP;", "&amp;"),
        ),
        ("plain < & >", "plain < & >"),
    ],
)
def test_what_is_inserted_into_a_text_shows_as_it_is_unless_it_is_marked(
    template: str, text: str
) -> None:
    assert rendered({"text": template}, it=HOSTILE, all=[HOSTILE, 1])["text"] == text


def test_what_is_inserted_into_the_texts_of_blocks_shows_as_it_is() -> None:
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": "For {{input.it}}"}},
        {
            "type": "section",
            "text": {"type": "mrkdwn", "text": "{{input.it}} <!here>"},
            "fields": [{"type": "mrkdwn", "text": "{{input.it | mrkdwn}}"}],
            "accessory": {"type": "button", "url": "{{input.url}}", "value": "{{input.it}}"},
        },
        {"type": "context", "elements": "{{input.elements}}"},
        {"type": "section", "text": "{{input.elements[0]}}"},
    ]
    elements = [{"type": "mrkdwn", "text": HOSTILE}, {"type": "image", "alt_text": HOSTILE}]
    url = "https://a.example/?a=1&b=<2>"
    header, section, context_, whole = rendered(
        {"blocks": blocks}, it=HOSTILE, url=url, elements=elements
    )["blocks"]
    assert header["text"]["text"] == f"For {SHOWN}"
    assert section["text"]["text"] == f"{SHOWN} <!here>"
    assert section["fields"][0]["text"] == HOSTILE
    assert section["accessory"] == {"type": "button", "url": url, "value": HOSTILE}
    assert context_["elements"] == [{"type": "mrkdwn", "text": SHOWN}, elements[1]]
    assert whole["text"] == {"type": "mrkdwn", "text": SHOWN}


@pytest.mark.parametrize(
    "block",
    [
        {"type": "markdown", "text": "{{input.x}}"},
        {"type": "section", "text": {"type": "{{input.kind}}", "text": "{{input.x}}"}},
    ],
)
def test_no_kind_of_text_in_a_block_lets_outsiders_call_a_channel(block: dict[str, Any]) -> None:
    found = rendered({"blocks": [block]}, x="<!channel>", kind="mrkdwn")["blocks"][0]
    shown = found["text"] if isinstance(found["text"], str) else found["text"]["text"]
    assert shown == "&lt;!channel&gt;"


def test_blocks_that_are_inserted_as_a_whole_are_escaped_unless_they_are_marked() -> None:
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": HOSTILE}}]
    safe = [{"type": "section", "text": {"type": "mrkdwn", "text": SHOWN}}]
    assert rendered({"blocks": "{{input.blocks}}"}, blocks=blocks)["blocks"] == safe
    assert rendered({"blocks": "{{input.blocks | mrkdwn}}"}, blocks=blocks)["blocks"] == blocks


def test_in_other_fields_the_mark_changes_nothing() -> None:
    assert render("{{'<b>' | mrkdwn}}", {}, where="here") == "<b>"
    assert render("{{'<b>' | mrkdwn}}", {}, where="here", kind=Kind.HTML) == "&lt;b&gt;"


def test_every_attempt_carries_the_same_message_id_and_a_redo_another(slack: Workspace) -> None:
    for attempt, key in [(1, "a"), (2, "a"), (1, "b")]:
        post(slack, {"text": "Hi"}, attempt=attempt, idempotency_key=key)
    first, second, redone = [message["client_msg_id"] for _, _, message in slack.seen]
    assert first == second != redone


def test_without_a_channel_it_is_the_accounts_own(slack: Workspace) -> None:
    post(slack, {"text": "Hi"})
    assert slack.last["channel"] == "#general"
    assert "config.channel" in refusal(slack, {"text": "Hi"}, account=SlackAccount("x")).message


def test_without_an_account_the_error_says_how_to_set_it_up(slack: Workspace) -> None:
    error = refusal(slack, account=None)
    assert (error.kind, error.retryable) == ("config", False)
    assert "AUTOMATIONS_SLACK_TOKEN" in error.message
    assert slack.seen == []


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        ("channel_not_found", "channel", "no such channel"),
        ("not_in_channel", "channel", "invite it"),
        ("is_archived", "channel", "archived"),
        ("invalid_auth", "auth", "refused the token: invalid_auth"),
        ("token_revoked", "auth", "token_revoked"),
        ("msg_too_long", "chat", "msg_too_long"),
    ],
)
def test_a_refusal_names_its_cause_and_is_not_tried_again(
    slack: Workspace, code: str, kind: str, message: str
) -> None:
    slack.answers({"ok": False, "error": code})
    error = refusal(slack)
    assert (error.kind, error.retryable) == (kind, False)
    assert message in error.message
    assert "xoxb" not in error.message
    assert len(slack.seen) == 1


def test_a_missing_scope_is_named(slack: Workspace) -> None:
    slack.answers({"ok": False, "error": "missing_scope", "needed": "chat:write"})
    assert "chat:write" in refusal(slack).message


def test_what_is_wrong_with_blocks_is_told(slack: Workspace) -> None:
    reasons = {"messages": ["[ERROR] unsupported type: x"]}
    slack.answers({"ok": False, "error": "invalid_blocks", "response_metadata": reasons})
    assert "unsupported type: x" in refusal(slack).message


@pytest.mark.parametrize("webhook", [False, True])
def test_a_rate_limit_is_honoured(slack: Workspace, webhook: bool) -> None:
    slack.answers({"ok": False, "error": "ratelimited"}, 429, Retry_After="30")
    config = {"text": "Hi", "webhook": f"http://{slack.address}/hook"} if webhook else None
    error = refusal(slack, config)
    assert (error.kind, error.retryable) == ("rate_limited", True)
    assert error.retry_after == timedelta(seconds=30)


@pytest.mark.parametrize(
    ("body", "status", "retryable"),
    [
        ({"ok": False, "error": "internal_error"}, 200, True),
        (b"<html>bad gateway</html>", 502, True),
        (b"<html>what</html>", 200, False),
        (b"\xff\xfe", 200, False),
        (b"[]", 200, False),
        (b"[1]", 200, False),
        (b"", 200, False),
        ({"ok": False}, 200, False),
        ({"ok": False, "error": ["x"], "response_metadata": []}, 200, False),
    ],
)
def test_only_troubles_of_slacks_own_are_tried_again(
    slack: Workspace, body: Any, status: int, retryable: bool
) -> None:
    slack.answers(body, status)
    error = refusal(slack)
    assert (error.kind, error.retryable) == ("chat", retryable)


def test_an_accepted_message_is_done_also_when_slack_does_not_say_where(slack: Workspace) -> None:
    slack.answers({"ok": True, "ts": 5})
    assert post(slack, {"text": "Hi"}) == Done({"ts": None, "channel": None})


def test_silence_ends_with_the_steps_time_limit(slack: Workspace) -> None:
    slack.let_go.clear()
    error = refusal(slack, timeout=timedelta(seconds=1))
    assert (error.kind, error.retryable) == ("timeout", True)
    assert "1 s" in error.message


def test_a_closed_port_may_be_tried_again(slack: Workspace) -> None:
    slack.server.socket.close()
    error = refusal(slack)
    assert (error.kind, error.retryable) == ("connection", True)


@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_of_ten_megabytes_is_refused(slack: Workspace, status: int) -> None:
    slack.answers(b'{"ok": true, "x": "' + b"x" * 10_000_000 + b'"}', status)
    error = refusal(slack)
    assert error.kind == "too_large"
    assert not error.retryable


@pytest.mark.parametrize("name", [*codings.REFUSED, *codings.BOMBS])
def test_an_answer_that_cannot_be_unpacked_is_no_answer(slack: Workspace, name: str) -> None:
    coding, content = {**codings.REFUSED, **codings.BOMBS}[name]
    slack.answers(content, Content_Encoding=coding)
    error = refusal(slack)
    kinds = ("coding",) if name in codings.REFUSED else ("too_large", "coding", "chat")
    assert error.kind in kinds
    # Slack may have the message by then.
    assert not error.retryable


@pytest.mark.slow
@pytest.mark.parametrize("name", drips.HTTP)
def test_whatever_drips_ends_with_the_steps_time_limit(name: str) -> None:
    with dripping(*drips.HTTP[name]) as port:
        told = SlackChat(
            lambda _: ACCOUNT, GuardedHttpClient(), (), f"http://127.0.0.1:{port}/api/"
        )
        config = SlackConfig.model_validate({"text": "Hi"}, context=RENDERED)
        with pytest.raises(StepError) as caught:
            Slack().run(config, context(chat=told, timeout=timedelta(seconds=1)))
    assert (caught.value.kind, caught.value.retryable) == ("timeout", True)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_gets_no_token(slack: Workspace, status: int) -> None:
    slack.answers(b"", status, Location=f"http://{slack.address}/elsewhere")
    assert refusal(slack).kind == "chat"
    assert [path for path, _, _ in slack.seen] == ["/api/chat.postMessage"]


def test_no_proxy_of_the_environment_is_used(
    slack: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert isinstance(post(slack, {"text": "Hi"}), Done)


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"ok":' * 50_000, b"null", b"[]", b"\xff"])
def test_an_answer_that_is_none_cannot_be_read(slack: Workspace, content: bytes) -> None:
    slack.answers(content)
    assert refusal(slack).kind == "chat"


@pytest.mark.parametrize("charset", ["klingon", "zlib", "rot13", "idna"])
def test_an_answer_in_no_charset_cannot_be_read(slack: Workspace, charset: str) -> None:
    slack.answers(b"\xff{", Content_Type=f"application/json; charset={charset}")
    assert refusal(slack).kind == "chat"


class TestWebhook:
    def test_a_message_goes_to_the_webhook_without_a_token(self, slack: Workspace) -> None:
        slack.answers(b"ok")
        config = {"text": "Hi", "webhook": f"http://{slack.address}/services/T/B/x"}
        assert post(slack, config, account=None) == Done({"ts": None, "channel": None})
        path, headers, message = slack.seen[0]
        assert (path, message) == ("/services/T/B/x", {"text": "Hi"})
        assert "authorization" not in headers

    @pytest.mark.parametrize(
        ("url", "kind", "message"),
        [
            ("http://hooks.slack.com/services/x", "blocked", "must begin with https"),
            ("https://127.0.0.1/services/x", "blocked", "not a public address"),
            ("https://localhost/services/x", "blocked", "not a public address"),
            ("https://169.254.169.254/latest", "blocked", "not a public address"),
            ("https://user:pass@hooks.slack.com/x", "blocked", "user name"),
            ("https://[::1/x", "config", "not a valid address"),
            ("https://a:99999/x", "config", "not a valid address"),
        ],
    )
    def test_only_public_https_addresses_are_called(
        self, slack: Workspace, url: str, kind: str, message: str
    ) -> None:
        error = refusal(slack, {"text": "x", "webhook": url}, chat=chat(slack, allow=False))
        assert error.kind == kind
        assert message in error.message

    @pytest.mark.parametrize(
        ("body", "status", "kind", "message", "retryable"),
        [
            (b"invalid_payload", 400, "chat", "400: invalid_payload", False),
            (b"channel_not_found", 404, "channel", "no such channel", False),
            (b"no_service", 404, "channel", "revoked", False),
            (b"no_active_hooks", 404, "channel", "revoked", False),
            (b"channel_is_archived\n", 410, "channel", "archived", False),
            (b"rollup_error", 500, "chat", "rollup_error", True),
            (b"", 503, "chat", "503", True),
        ],
    )
    def test_a_refusal_names_its_cause(
        self,
        slack: Workspace,
        body: bytes,
        status: int,
        kind: str,
        message: str,
        retryable: bool,
    ) -> None:
        slack.answers(body, status)
        error = refusal(slack, {"text": "x", "webhook": f"http://{slack.address}/secret"})
        assert (error.kind, error.retryable) == (kind, retryable)
        assert message in error.message
        assert "secret" not in error.message

    def test_a_redirect_is_not_followed(self, slack: Workspace) -> None:
        slack.answers(b"", 302, Location="http://169.254.169.254/latest")
        refusal(slack, {"text": "x", "webhook": f"http://{slack.address}/hook"})
        assert len(slack.seen) == 1

    def test_an_answer_of_ten_megabytes_is_refused(self, slack: Workspace) -> None:
        slack.answers(b"x" * 10_000_000)
        error = refusal(slack, {"text": "x", "webhook": f"http://{slack.address}/hook"})
        assert error.kind == "too_large"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "give text, blocks or both"),
        ({"blocks": []}, "give text, blocks or both"),
        ({"text": ""}, "at least 1 character"),
        ({"text": "x" * 40_001}, "at most 40000"),
        ({"text": "x", "blocks": [{}] * 51}, "50 at most"),
        ({"text": "x", "blocks": "no"}, "valid list"),
        ({"text": "x", "channel": "a", "webhook": "https://b.example"}, "not both"),
        ({"text": "x", "threadTs": "yesterday"}, "ts of a message"),
        ({"text": "x", "webhook": "ftp://b.example"}, "must be an https address"),
        ({"text": "x", "username": "boss"}, "Extra inputs"),
    ],
)
def test_a_config_that_cannot_be_posted_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SlackConfig.model_validate(config)


def test_templates_are_accepted_when_saved_and_checked_when_rendered() -> None:
    config = {"blocks": "{{input.blocks}}", "threadTs": "{{steps.a.ts}}", "webhook": "{{input.w}}"}
    SlackConfig.model_validate(config)
    with pytest.raises(ValidationError, match="must be of the documented type"):
        SlackConfig.model_validate(config, context=RENDERED)
