"""A provider of language models, and an account with it."""

from __future__ import annotations

from typing import Any

from automations.adapters.language_model.accounts import ModelAccount
from tests.servers.answering import Answering

USAGE = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}


class Provider(Answering):
    """A provider that keeps what it is asked and answers as told."""

    def __init__(self) -> None:
        super().__init__()
        self.base = f"http://{self.address}"
        self.says("Hello")

    def says(self, text: str | None, usage: Any = USAGE, reason: str = "stop", **more: Any) -> None:
        choice = {
            "index": 0,
            "finish_reason": reason,
            "message": {"role": "assistant", "content": text, **more},
        }
        self.answers(
            {
                "id": "1",
                "object": "chat.completion",
                "created": 1,
                "model": "gpt-4o-mini-2024-07-18",
                "choices": [choice],
                "usage": usage,
            }
        )

    def gives(self, arguments: str, name: str = "final_result") -> None:
        function = {"name": name, "arguments": arguments}
        self.says(None, tool_calls=[{"id": "1", "type": "function", "function": function}])


def account(server: Provider, **change: Any) -> ModelAccount:
    given = {"provider": "openai", "model": "gpt-4o-mini", "api_key": "sk-1"}
    return ModelAccount(**{**given, "base_url": f"{server.base}/v1", **change})
