"""The ai step and its adapter, against a server that speaks the providers' APIs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from automations.adapters.language_model.accounts import ModelAccount, from_connection
from automations.adapters.language_model.asking import ProviderModels
from automations.domain.fields import RENDERED
from automations.errors import StepError
from automations.kit.values import JSON
from automations.ports import HostConnection, TokenUsage
from automations.steps.ai import Ai, AiConfig
from automations.steps.outcomes import Done, Fail, Outcome
from tests.doubles import context, ports
from tests.hostile import codings, drips
from tests.servers.dripping import dripping
from tests.servers.model_provider import USAGE, Provider, account

SCHEMA = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "score": {"type": "integer"}},
    "required": ["title"],
}


class Unlimited:
    """A run without a budget."""

    def reserve(self, run_id: str, most: TokenUsage | None) -> None:
        """Take any."""

    def settle(self, run_id: str, most: TokenUsage | None, spent: TokenUsage) -> None:
        """Keep no books."""


def ask(server: Provider, config: Mapping[str, Any] | None = None, **change: Any) -> Outcome:
    seconds = change.pop("seconds", 10)
    models = ProviderModels(lambda *_: account(server, **change), Unlimited())
    parsed = AiConfig.model_validate({"prompt": "Hi", **(config or {})}, context=RENDERED)
    return Ai().run(parsed, context(language_model=models, timeout=timedelta(seconds=seconds)))


def output(outcome: Outcome) -> Mapping[str, JSON]:
    assert isinstance(outcome, Done)
    return outcome.output


def refusal(server: Provider, config: Mapping[str, Any] | None = None, **change: Any) -> StepError:
    with pytest.raises(StepError) as caught:
        ask(server, config, **change)
    return caught.value


def answer_or_error(server: Provider) -> Outcome | StepError:
    try:
        return ask(server)
    except StepError as error:
        return error


def test_a_question_is_asked_with_the_key_and_answered_with_usage_and_cost(
    provider: Provider,
) -> None:
    config = {"system": "Be brief.", "prompt": "Hi ż", "temperature": 0.5, "maxTokens": 100}
    assert output(ask(provider, config)) == {
        "text": "Hello",
        "model": "gpt-4o-mini-2024-07-18",
        "provider": "openai",
        "usage": {"inputTokens": 12, "outputTokens": 5},
        "cost": pytest.approx(12 * 0.15e-6 + 5 * 0.6e-6),
    }
    path, headers, question = provider.seen[0]
    assert path == "/v1/chat/completions"
    assert headers["authorization"] == "Bearer sk-1"
    assert question["model"] == "gpt-4o-mini"
    assert question["temperature"] == 0.5
    assert question["max_completion_tokens"] == 100
    assert question["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi ż"},
    ]


def test_the_steps_model_goes_before_the_configured_one(provider: Provider) -> None:
    outcome = ask(provider, {"model": "llama-of-our-own"})
    assert provider.last["model"] == "llama-of-our-own"
    assert output(outcome)["cost"] is None


def test_an_answer_that_was_cut_off_says_so(provider: Provider) -> None:
    provider.says("Hel", reason="length")
    assert output(ask(provider, {"maxTokens": 1}))["truncated"] is True


WITH_SCHEMA = {"schema": SCHEMA, "maxTokens": 10}


@pytest.mark.parametrize("config", [{}, WITH_SCHEMA])
def test_a_refusal_is_told_in_the_models_words_and_not_tried_again(
    provider: Provider, config: dict[str, Any]
) -> None:
    provider.says(None, refusal="I cannot help with that.")
    error = refusal(provider, config)
    assert (error.kind, error.retryable) == ("rejected", False)
    assert error.message == "The model refused to answer: I cannot help with that."


@pytest.mark.parametrize("text", [None, "Half a te"])
def test_what_a_content_filter_keeps_back_is_no_answer_and_not_tried_again(
    provider: Provider, text: str | None
) -> None:
    provider.says(text, reason="content_filter")
    error = refusal(provider)
    assert (error.kind, error.retryable) == ("rejected", False)
    assert "content filter of openai" in error.message


@pytest.mark.parametrize("config", [{}, {"maxTokens": 5}, WITH_SCHEMA])
def test_tokens_that_are_used_up_before_there_is_an_answer_are_said_and_not_spent_again(
    provider: Provider, config: dict[str, Any]
) -> None:
    provider.says("", reason="length", reasoning_content="Hm")
    error = refusal(provider, config)
    assert (error.kind, error.retryable) == ("rejected", False)
    assert "tokens were used up" in error.message
    assert "config.maxTokens" in error.message


def test_data_that_were_cut_off_are_not_asked_for_again(provider: Provider) -> None:
    provider.says('{"title": "Ab', reason="length")
    error = refusal(provider, WITH_SCHEMA)
    assert (error.kind, error.retryable) == ("rejected", False)
    provider.says('{"score": 1}', reason="length")
    outcome = ask(provider, WITH_SCHEMA)
    assert isinstance(outcome, Fail)
    assert (outcome.kind, outcome.retryable) == ("answer", False)


def test_an_answer_that_ends_in_an_error_may_be_asked_for_again(provider: Provider) -> None:
    provider.says("Half a te", reason="error")
    error = refusal(provider)
    assert (error.kind, error.retryable) == ("unavailable", True)


@pytest.mark.parametrize(
    ("body", "kind", "retryable", "message"),
    [
        (
            {"error": {"message": "Overloaded: later", "code": 502}},
            "unavailable",
            True,
            "Overloaded",
        ),
        ({"error": {"message": "Slow down", "code": 429}}, "rate_limited", True, "Slow down"),
        ({"error": {"message": "No credits", "code": 402}}, "quota", False, "No credits"),
        ({"error": {"message": "No such thing", "code": "x"}}, "rejected", False, "No such thing"),
        ({"error": "model not loaded"}, "rejected", False, "model not loaded"),
        ({"error": {"message": "Slower", "code": "429"}}, "rate_limited", True, "Slower"),
        ({"error": {"message": "Down", "status": 503}}, "unavailable", True, "Down"),
        ([{"error": {"message": "Busy", "code": 503}}], "unavailable", True, "Busy"),
        ({"detail": "no such route"}, "rejected", False, "no such route"),
        ({"detail": [{"loc": ["body"], "msg": "too long"}]}, "rejected", False, "too long"),
        ({"code": 1211, "msg": "unknown model"}, "rejected", False, "unknown model"),
        ({"errors": [{"message": "bad key"}]}, "rejected", False, "bad key"),
        (
            {"choices": [{"finish_reason": "error", "error": {"code": 502, "message": "Gone"}}]},
            "unavailable",
            True,
            "Gone",
        ),
        (
            {"object": "error", "message": "bad thing", "code": 40303},
            "rejected",
            False,
            "bad thing",
        ),
    ],
)
def test_an_error_that_comes_as_an_answer_keeps_its_message(
    provider: Provider, body: Any, kind: str, retryable: bool, message: str
) -> None:
    provider.answers(body)
    error = refusal(provider)
    assert (error.kind, error.retryable) == (kind, retryable)
    assert message in error.message


@pytest.mark.parametrize(
    ("reason", "kind", "retryable", "message"),
    [
        ("SAFETY", "rejected", False, "content filter"),
        ("content-filter", "rejected", False, "content filter"),
        ("content_filter: PROHIBITED_CONTENT", "rejected", False, "content filter"),
        ("RECITATION", "rejected", False, "content filter"),
        ("insufficient_system_resource", "unavailable", True, "insufficient_system_resource"),
        ("abort", "unavailable", True, "abort"),
    ],
)
def test_an_end_by_another_word_is_no_answer(
    provider: Provider, reason: str, kind: str, retryable: bool, message: str
) -> None:
    provider.says("Half a te", reason=reason)
    error = refusal(provider)
    assert (error.kind, error.retryable) == (kind, retryable), error.message
    assert message in error.message


@pytest.mark.parametrize("reason", ["MAX_TOKENS", "max_tokens", "model_length", "length"])
def test_a_text_that_was_cut_says_so_by_whatever_word(provider: Provider, reason: str) -> None:
    provider.says("Half a te", reason=reason)
    assert output(ask(provider))["truncated"] is True


@pytest.mark.parametrize("reason", ["stop", "STOP", "eos", "end_turn", "stop_sequence", "", None])
def test_a_text_that_is_whole_is_taken_by_whatever_word(
    provider: Provider, reason: str | None
) -> None:
    provider.says("Whole")
    body = json.loads(provider.body)
    body["choices"][0]["finish_reason"] = reason
    provider.answers(body)
    found = output(ask(provider))
    assert (found["text"], "truncated" in found) == ("Whole", False)


def test_a_text_in_parts_is_read_as_one(provider: Provider) -> None:
    provider.says("")
    body = json.loads(provider.body)
    parts = [{"type": "text", "text": text} for text in ("Hel", "lo")]
    body["choices"][0]["message"]["content"] = parts
    provider.answers(body)
    assert output(ask(provider))["text"] == "Hello"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'[{"error": {"code": 400, "message": "API key not valid"}}]', "API key not valid"),
        (b'{"detail": "Too many tokens"}', "Too many tokens"),
        (b'{"message": "Not now"}', "Not now"),
        (b'{"error": {"error": {"message": "Deep"}}}', "Deep"),
    ],
)
def test_a_refusal_is_told_in_words_wherever_they_stand(
    provider: Provider, body: bytes, said: str
) -> None:
    provider.answers(body, 400)
    error = refusal(provider)
    assert (error.kind, error.retryable) == ("rejected", False)
    assert said in error.message


def test_without_usage_there_is_no_cost(provider: Provider) -> None:
    provider.says("Hello", usage=None)
    assert output(ask(provider))["cost"] is None


def claude(provider: Provider, content: list[dict[str, Any]], usage: dict[str, int]) -> None:
    provider.answers(
        {
            "id": "m",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-5",
            "content": content,
            "stop_reason": "tool_use",
            "stop_sequence": None,
            "usage": usage,
        }
    )


def claude_streaming(provider: Provider, given: str, usage: dict[str, int]) -> None:
    claude(provider, [], usage)
    block = {"type": "tool_use", "id": "1", "name": "final_result", "input": {}}
    part = {"type": "input_json_delta", "partial_json": given}
    ended = {"stop_reason": "tool_use", "stop_sequence": None}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": json.loads(provider.body)},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": part},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ended, "usage": usage},
        {"type": "message_stop"},
    ]
    lines = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    provider.answers(lines.encode(), Content_Type="text/event-stream")


@pytest.mark.slow  # a second vendor's library is imported
@pytest.mark.parametrize(
    ("stop", "details", "message"),
    [
        (
            "refusal",
            {"type": "refusal", "explanation": "Not that."},
            "refused to answer: Not that.",
        ),
        ("refusal", None, "content filter of anthropic"),
        ("max_tokens", None, "tokens were used up"),
    ],
)
def test_anthropics_refusals_are_told_alike(
    provider: Provider, stop: str, details: dict[str, Any] | None, message: str
) -> None:
    claude(provider, [], {"input_tokens": 3, "output_tokens": 2})
    provider.answers({**json.loads(provider.body), "stop_reason": stop, "stop_details": details})
    error = refusal(provider, provider="anthropic", base_url=provider.base)
    assert (error.kind, error.retryable) == ("rejected", False)
    assert message in error.message


@pytest.mark.slow  # a second vendor's library is imported
def test_an_error_of_anthropics_that_comes_as_an_answer_keeps_its_message(
    provider: Provider,
) -> None:
    error = {"type": "overloaded_error", "message": "Overloaded"}
    provider.answers({"type": "error", "error": error})
    found = refusal(provider, provider="anthropic", base_url=provider.base)
    assert (found.kind, found.retryable) == ("unavailable", True)
    assert "Overloaded" in found.message


@pytest.mark.slow  # a second vendor's library is imported
@pytest.mark.parametrize("streaming", [False, True])
def test_anthropic_is_asked_in_its_own_way(provider: Provider, streaming: bool) -> None:
    usage = {"input_tokens": 7, "output_tokens": 3}
    config: dict[str, Any] = {"system": "S", "schema": SCHEMA}
    if streaming:  # as its library does for answers that may be long
        claude_streaming(provider, '{"title": "A"}', usage)
    else:
        tool = {"type": "tool_use", "id": "1", "name": "final_result", "input": {"title": "A"}}
        claude(provider, [tool], usage)
        config["maxTokens"] = 100
    change = {"provider": "anthropic", "model": "claude-sonnet-5", "base_url": provider.base}
    found = output(ask(provider, config, **change))
    assert (found["data"], found["provider"]) == ({"title": "A"}, "anthropic")
    assert found["usage"] == {"inputTokens": 7, "outputTokens": 3}
    assert found["cost"] > 0
    path, headers, question = provider.seen[0]
    assert path.partition("?")[0] == "/v1/messages"
    assert "sk-1" in (headers.get("x-api-key") or headers["authorization"])
    assert question.get("stream", False) is streaming


class TestSchema:
    def test_data_is_asked_for_and_comes_back(self, provider: Provider) -> None:
        provider.gives('{"title": "A", "score": 3}')
        found = output(ask(provider, {"schema": SCHEMA}))
        assert found["data"] == {"title": "A", "score": 3}
        assert "text" not in found
        (tool,) = provider.last["tools"]
        assert tool["function"]["parameters"]["properties"] == SCHEMA["properties"]

    @pytest.mark.parametrize(
        "text",
        [
            '{"title": "A"}',
            '\n {"title": "A"} \n',
            '```json\n{"title": "A"}\n```',
            '```\n{"title":\n"A"}\n```\n',
            '\n\n```JSON \r\n{"title": "A"}\r\n  ```',
        ],
    )
    def test_json_written_as_text_is_taken(self, provider: Provider, text: str) -> None:
        provider.says(text)
        assert output(ask(provider, {"schema": SCHEMA}))["data"] == {"title": "A"}

    @pytest.mark.parametrize(
        "text",
        [
            'Here it is:\n```json\n{"title": "A"}\n```',
            '```json\n{"title": "A"}\n```\n```json\n{"title": "B"}\n```',
            '```python\n{"title": "A"}\n```',
            '```json\n{"title": "A"}',
        ],
    )
    def test_json_among_other_words_is_no_answer(self, provider: Provider, text: str) -> None:
        provider.says(text)
        error = refusal(provider, {"schema": SCHEMA})
        assert (error.kind, error.retryable) == ("answer", True)

    def test_of_several_answers_none_is_chosen_unless_they_are_one(
        self, provider: Provider
    ) -> None:
        def gives(*given: str) -> None:
            calls = [
                {
                    "id": str(place),
                    "type": "function",
                    "function": {"name": "final_result", "arguments": arguments},
                }
                for place, arguments in enumerate(given)
            ]
            provider.says(None, tool_calls=calls)

        gives('{"title": "A"}', '{ "title": "A" }')
        assert output(ask(provider, {"schema": SCHEMA}))["data"] == {"title": "A"}
        gives('{"title": "A"}', '{"title": "B"}')
        error = refusal(provider, {"schema": SCHEMA})
        assert (error.kind, error.retryable) == ("answer", True)
        assert "comes 2 times" in error.message

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ('{"score": 3}', "'title' is a required property"),
            ('{"title": 5}', "title: 5 is not of type 'string'"),
        ],
    )
    def test_an_answer_of_another_form_fails_and_its_cost_is_kept(
        self, provider: Provider, given: str, message: str
    ) -> None:
        provider.gives(given)
        outcome = ask(provider, {"schema": SCHEMA})
        assert isinstance(outcome, Fail)
        assert (outcome.kind, outcome.retryable) == ("answer", True)
        assert message in outcome.error
        assert outcome.output["usage"] == {"inputTokens": 12, "outputTokens": 5}

    @pytest.mark.parametrize(
        "given", ["", "{", "[1]", '"text"', '{"title": NaN}', '{"a":' * 3_000, "null"]
    )
    def test_what_is_no_object_is_refused(self, provider: Provider, given: str) -> None:
        provider.gives(given)
        error = refusal(provider, {"schema": SCHEMA})
        assert (error.kind, error.retryable) == ("answer", True)
        assert "config.schema" in error.message

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (r'{"title": "a\u0000"}', "NUL character (title)"),
            (r'{"title": "a\ud800"}', "half of a surrogate pair"),
            ('{"title": "a", "title": "b"}', 'holds "title" twice'),
            ('{"title": "a", "sum": 12345678901234567890.123}', "cannot be kept exactly"),
        ],
    )
    def test_what_would_come_out_as_something_else_is_refused(
        self, provider: Provider, given: str, message: str
    ) -> None:
        provider.gives(given)
        openai = refusal(provider, {"schema": SCHEMA})
        block = {"type": "tool_use", "id": "1", "name": "final_result", "input": "HERE"}
        claude(provider, [block], {"input_tokens": 7, "output_tokens": 3})
        provider.answers(provider.body.replace(b'"HERE"', given.encode()))
        config = {"schema": SCHEMA, "maxTokens": 100}
        found = refusal(
            provider, config, provider="anthropic", model="claude-sonnet-5", base_url=provider.base
        )
        for error in (openai, found):
            assert (error.kind, error.retryable) == ("answer", True)
            assert message.split(" (")[0] in error.message

    def test_a_text_that_cannot_be_kept_is_refused(self, provider: Provider) -> None:
        provider.says("a\0b")
        error = refusal(provider)
        assert (error.kind, error.retryable) == ("answer", True)
        assert "holds a NUL character" in error.message


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "code", "kind", "retryable"),
        [
            (401, "invalid_api_key", "auth", False),
            (404, "model_not_found", "config", False),
            (400, "bad", "rejected", False),
            (400, "context_length_exceeded", "config", False),
            (429, "insufficient_quota", "quota", False),
            (500, "server_error", "unavailable", True),
            (503, "overloaded", "unavailable", True),
        ],
    )
    def test_the_cause_is_named(
        self, provider: Provider, status: int, code: str, kind: str, retryable: bool
    ) -> None:
        body = {"error": {"message": "Because sk-1.", "type": "x", "code": code}}
        provider.answers(body, status)
        error = refusal(provider)
        assert (error.kind, error.retryable) == (kind, retryable)
        assert ("Because" in error.message) == (kind != "auth")
        assert len(provider.seen) == 1

    def test_a_rate_limit_is_honoured(self, provider: Provider) -> None:
        provider.answers({"error": {"message": "slow down"}}, 429, Retry_After="30")
        error = refusal(provider)
        assert (error.kind, error.retryable) == ("rate_limited", True)
        assert error.retry_after == timedelta(seconds=30)

    def test_silence_ends_with_the_steps_time_limit(self, provider: Provider) -> None:
        provider.let_go.clear()
        error = refusal(provider, seconds=0.3)
        assert (error.kind, error.retryable) == ("timeout", True)

    @pytest.mark.parametrize("name", drips.HTTP)
    def test_whatever_drips_ends_with_the_steps_time_limit(
        self, provider: Provider, name: str
    ) -> None:
        with dripping(*drips.HTTP[name]) as port:
            error = refusal(provider, seconds=0.5, base_url=f"http://127.0.0.1:{port}/v1")
        # What is packed may be refused before.
        assert error.kind in (("timeout", "too_large") if "gzip" in name else ("timeout",))

    def test_a_closed_port_may_be_tried_again(self, provider: Provider) -> None:
        provider.server.socket.close()
        error = refusal(provider)
        assert (error.kind, error.retryable) == ("connection", True)

    @pytest.mark.parametrize(
        "body",
        [
            b"<html>",
            b"[]",
            b"{}",
            b"null",
            b'"x"',
            b"\xff\x00",
            b"",
            b'{"choices": 5}',
            b"[" * 9999,
        ],
    )
    def test_garbage_is_refused(self, provider: Provider, body: bytes) -> None:
        provider.answers(body)
        assert refusal(provider).kind == "answer"

    @pytest.mark.parametrize(
        "usage",
        [
            "many",
            5,
            [],
            {"prompt_tokens": "many", "completion_tokens": None},
            {"prompt_tokens": -5, "completion_tokens": -5},
            {"prompt_tokens": 10**400, "completion_tokens": 1},
            {"prompt_tokens": 1.5, "completion_tokens": True},
        ],
    )
    def test_garbage_for_usage_never_becomes_more_than_an_error(
        self, provider: Provider, usage: Any
    ) -> None:
        provider.says("Hello", usage=usage)
        found = answer_or_error(provider)
        if isinstance(found, StepError):
            assert found.kind == "answer"
            return
        counts = output(found)["usage"].values()
        assert all(type(count) is int and 0 <= count < 10**12 for count in counts)

    @pytest.mark.parametrize("text", [None, ""])
    def test_an_answer_without_text_is_refused(self, provider: Provider, text: str | None) -> None:
        provider.says(text)
        assert refusal(provider).kind == "answer"

    def test_an_answer_of_ten_megabytes_is_refused(self, provider: Provider) -> None:
        provider.says("x" * 10_000_000)
        assert refusal(provider).kind == "too_large"

    @pytest.mark.parametrize("name", [*codings.REFUSED, *codings.BOMBS])
    def test_a_packed_answer_is_refused_unopened(self, provider: Provider, name: str) -> None:
        coding, content = {**codings.REFUSED, **codings.BOMBS}[name]
        provider.answers(content, Content_Encoding=coding)
        assert refusal(provider).kind == "too_large"

    def test_a_server_is_asked_at_the_address_that_was_looked_at(self, provider: Provider) -> None:
        provider.says("Hello")
        port = provider.address.rpartition(":")[2]
        there: dict[str, Any] = {
            "base_url": f"http://models.invalid:{port}/v1",
            "address": "127.0.0.1",
        }
        assert output(ask(provider, **there))["text"] == "Hello"
        assert provider.seen[0][1]["host"] == f"models.invalid:{port}"


class TestBudget:
    def test_a_question_that_could_cost_more_is_not_asked(self, provider: Provider) -> None:
        error = refusal(provider, {"maxCost": 0.01, "maxTokens": 100_000})
        assert (error.kind, error.retryable) == ("budget", False)
        assert "maxCost $0.01" in error.message
        assert provider.seen == []

    def test_a_long_prompt_counts(self, provider: Provider) -> None:
        config = {"maxCost": 0.01, "maxTokens": 100}
        assert output(ask(provider, config))["text"] == "Hello"
        assert refusal(provider, {**config, "prompt": "x" * 100_000}).kind == "budget"

    def test_with_an_unknown_price_it_is_asked(self, provider: Provider) -> None:
        config = {"maxCost": 0.001, "maxTokens": 100_000, "model": "llama-of-our-own"}
        assert output(ask(provider, config))["cost"] is None

    def test_an_answer_that_did_cost_more_says_so(self, provider: Provider) -> None:
        provider.says("Hello", usage={**USAGE, "completion_tokens": 10**6})
        found = output(ask(provider, {"maxCost": 0.01, "maxTokens": 100}))
        assert found["overBudget"] is True


class TestSetUp:
    @pytest.mark.parametrize(
        ("found", "message"),
        [
            (None, "AUTOMATIONS_AI_PROVIDER"),
            (ModelAccount("openai", "m"), "AUTOMATIONS_AI_API_KEY"),
            (ModelAccount("openai", None, "k"), "AUTOMATIONS_AI_MODEL"),
            (ModelAccount("parrot", "m", "k"), "is not set up"),
        ],
    )
    def test_what_is_missing_is_named_when_activated_and_when_run(
        self, found: ModelAccount | None, message: str
    ) -> None:
        models = ProviderModels(lambda *_: found, Unlimited())
        config = AiConfig.model_validate({"prompt": "Hi"})
        told = Ai().unavailable(config, "w", ports(language_model=models))
        assert told is not None
        assert message in told
        with pytest.raises(StepError, match=message) as caught:
            Ai().run(config, context(language_model=models))
        assert caught.value.kind == "config"

    def test_a_server_of_ones_own_needs_no_key(self, provider: Provider) -> None:
        assert output(ask(provider, api_key=None))["text"] == "Hello"

    def test_a_model_named_by_a_template_is_checked_at_run(self) -> None:
        config = AiConfig.model_validate({"prompt": "Hi", "model": "{{input.model}}"})
        assert Ai().unavailable(config, "w", ports()) is None

    def test_the_account_is_that_of_the_workspace_and_provider(self) -> None:
        asked: list[tuple[str, str | None]] = []

        def accounts(
            workspace_id: str, provider: str | None, connection: HostConnection | None
        ) -> ModelAccount:
            asked.append((workspace_id, provider))
            return ModelAccount("anthropic", "m", "k")

        config = AiConfig.model_validate({"prompt": "Hi", "provider": "anthropic"})
        models = ProviderModels(accounts, Unlimited())
        assert Ai().unavailable(config, "w", ports(language_model=models)) is None
        assert asked == [("w", "anthropic")]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"prompt": ""}, "at least 1 character"),
        ({"provider": "parrot"}, "'openai' or 'anthropic'"),
        ({"temperature": 3}, "between 0 and 2"),
        ({"temperature": "warm"}, "valid number"),
        ({"maxTokens": 0}, "between 1 and 1000000"),
        ({"maxTokens": 1, "maxCost": -1}, "between 0 and 10000"),
        ({"maxCost": 1}, "maxCost needs maxTokens"),
        ({"schema": {"type": "array"}}, '"type": "object"'),
        ({"schema": {"type": "object", "required": 5}}, "is not a JSON schema: required"),
        (
            {"schema": {"type": "object", "properties": {"a": {"pattern": "(?=x)"}}}},
            "not a pattern that can be used",
        ),
        ({"schema": "text"}, "valid dictionary"),
        ({"tools": []}, "Extra inputs"),
    ],
)
def test_a_config_that_cannot_be_asked_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AiConfig.model_validate({"prompt": "Hi", **config})


def test_templates_are_accepted_when_saved_and_checked_when_rendered() -> None:
    config = {
        "prompt": "{{input.text}}",
        "temperature": "{{input.t}}",
        "maxTokens": "{{input.n}}",
        "schema": {"type": "object", "properties": {"a": {"enum": "{{input.list}}"}}},
    }
    AiConfig.model_validate(config)
    with pytest.raises(ValidationError) as caught:
        AiConfig.model_validate(config, context=RENDERED)
    assert {error["loc"][0] for error in caught.value.errors()} == {
        "temperature",
        "maxTokens",
        "schema",
    }


def test_a_connections_key_is_taken_as_it_can_be_sent() -> None:
    pasted = HostConnection(id="house", kind="openai", password="sk-house\n")
    assert from_connection(pasted, None).api_key == "sk-house"
    with pytest.raises(StepError, match="connection house is no key") as refused:
        from_connection(replace(pasted, password="sk house"), None)
    assert refused.value.kind == "config"
    assert "sk house" not in refused.value.message
